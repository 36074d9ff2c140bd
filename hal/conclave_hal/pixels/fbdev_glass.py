"""A glass that is a framebuffer device, where there is no DRM: 32 or 16 bits for each pixel.

Layouts are those of the kernel's `include/uapi/linux/fb.h`. Nobody owns such a device: whatever else
writes to it (a console's cursor) is seen by `check`, and drawn over.
"""

import ctypes
import errno
from contextlib import ExitStack, suppress
from ctypes import c_char, c_uint16, c_uint32, c_ulong

from PIL import Image, ImageChops

from conclave_hal.errors import DeviceError
from conclave_hal.pixels.glass import Glass, MappedPicture
from conclave_hal.pixels.kernel import Kernel

GET_VARIABLE = 0x4600
"""FBIOGET_VSCREENINFO"""
GET_FIXED = 0x4602
"""FBIOGET_FSCREENINFO"""


class Bitfield(ctypes.Structure):
    """struct fb_bitfield"""

    _fields_ = (("offset", c_uint32), ("length", c_uint32), ("msb_right", c_uint32))


class VariableInfo(ctypes.Structure):
    """struct fb_var_screeninfo"""

    _fields_ = (
        ("xres", c_uint32),
        ("yres", c_uint32),
        ("xres_virtual", c_uint32),
        ("yres_virtual", c_uint32),
        ("xoffset", c_uint32),
        ("yoffset", c_uint32),
        ("bits_per_pixel", c_uint32),
        ("grayscale", c_uint32),
        ("red", Bitfield),
        ("green", Bitfield),
        ("blue", Bitfield),
        ("transp", Bitfield),
        ("nonstd", c_uint32),
        ("activate", c_uint32),
        ("height", c_uint32),
        ("width", c_uint32),
        ("accel_flags", c_uint32),
        ("pixclock", c_uint32),
        ("left_margin", c_uint32),
        ("right_margin", c_uint32),
        ("upper_margin", c_uint32),
        ("lower_margin", c_uint32),
        ("hsync_len", c_uint32),
        ("vsync_len", c_uint32),
        ("sync", c_uint32),
        ("vmode", c_uint32),
        ("rotate", c_uint32),
        ("colorspace", c_uint32),
        ("reserved", c_uint32 * 4),
    )


class FixedInfo(ctypes.Structure):
    """struct fb_fix_screeninfo"""

    _fields_ = (
        ("id", c_char * 16),
        ("smem_start", c_ulong),
        ("smem_len", c_uint32),
        ("type", c_uint32),
        ("type_aux", c_uint32),
        ("visual", c_uint32),
        ("xpanstep", c_uint16),
        ("ypanstep", c_uint16),
        ("ywrapstep", c_uint16),
        ("line_length", c_uint32),
        ("mmio_start", c_ulong),
        ("mmio_len", c_uint32),
        ("accel", c_uint32),
        ("capabilities", c_uint16),
        ("reserved", c_uint16 * 2),
    )


class FbdevGlass(Glass):
    """One framebuffer."""

    def __init__(self, kernel: Kernel, path: str) -> None:
        """Open and map it. Raises OSError, DeviceError where its pixels are of no known kind."""
        self._kernel = kernel
        self.name = path
        self._undo = ExitStack()
        try:
            self._descriptor = kernel.open(path)
            self._undo.callback(kernel.close, self._descriptor)
            variable = self._variable()
            self._format = _format(variable, path)
            self.width, self.height = variable.xres, variable.yres
            fixed = FixedInfo()
            kernel.ioctl(self._descriptor, GET_FIXED, fixed)
            size = variable.bits_per_pixel // 8
            start = variable.yoffset * fixed.line_length + variable.xoffset * size
            memory = kernel.map(self._descriptor, fixed.smem_len, 0)
            self._undo.callback(memory.close)
            self._shape = _shape(variable)
            self._picture = MappedPicture(memory, self.width * size, self.height, fixed.line_length, start)
        except BaseException:
            self.close()
            raise

    def show(self, picture: Image.Image) -> None:
        """Write, and read back."""
        self._is_as_it_was()
        data = pack_565(picture) if self._format == "565" else picture.tobytes("raw", self._format)
        self._picture.write(data, self.name)
        try:
            # Where the screen is fed in batches (deferred I/O), the picture would else come a little later.
            self._kernel.flush(self._descriptor)
        except OSError as error:
            if error.errno != errno.EINVAL:  # which says that there is nothing to wait for
                raise

    def check(self) -> None:
        """The mode has not changed, and the memory holds what was drawn."""
        self._is_as_it_was()
        self._picture.check(self.name)

    def close(self) -> None:
        """Give everything back."""
        with suppress(OSError):
            self._undo.close()

    def _variable(self) -> VariableInfo:
        variable = VariableInfo()
        self._kernel.ioctl(self._descriptor, GET_VARIABLE, variable)
        return variable

    def _is_as_it_was(self) -> None:
        if _shape(self._variable()) != self._shape:
            raise OSError(19, f"{self.name} has another mode now")


def _shape(variable: VariableInfo) -> tuple[int, ...]:
    return (
        variable.xres,
        variable.yres,
        variable.xoffset,
        variable.yoffset,
        variable.bits_per_pixel,
    )


def _format(variable: VariableInfo, path: str) -> str:
    """Pillow's name for how a pixel lies in memory."""
    fields = tuple((field.offset, field.length) for field in (variable.red, variable.green, variable.blue))
    known: dict[tuple[int, tuple[tuple[int, int], ...]], str] = {
        (32, ((16, 8), (8, 8), (0, 8))): "BGRX",
        (32, ((0, 8), (8, 8), (16, 8))): "RGBX",
        (16, ((11, 5), (5, 6), (0, 5))): "565",
    }
    found = known.get((variable.bits_per_pixel, fields))
    if found is None:
        raise DeviceError(
            f"{path}: {variable.bits_per_pixel} bits for each pixel, laid out {fields}, cannot be drawn",
            hint="set it to 32 bits, or to 16 as 5-6-5",
        )
    return found


def pack_565(picture: Image.Image) -> bytes:
    """Two bytes for each pixel, little endian: five bits of red, six of green, five of blue."""
    red, green, blue = picture.split()
    high = ImageChops.add(
        red.point([value & 0xF8 for value in range(256)]), green.point([value >> 5 for value in range(256)])
    )
    low = ImageChops.add(
        green.point([(value & 0x1C) << 3 for value in range(256)]),
        blue.point([value >> 3 for value in range(256)]),
    )
    return Image.merge("LA", (low, high)).tobytes()
