"""The panel on a framebuffer device, 32 and 16 bits."""

import ctypes
import errno
from dataclasses import dataclass, field

import pytest
from PIL import Image

from conclave_hal.errors import DeviceError
from conclave_hal.pixels.fbdev_glass import GET_VARIABLE, FbdevGlass, FixedInfo, VariableInfo, pack_565
from conclave_hal.pixels.kernel import Mapping
from tests.hal.pixels.fake_card import FakeMemory

BGRX = ((16, 8), (8, 8), (0, 8))
RGBX = ((0, 8), (8, 8), (16, 8))
BITS_565 = ((11, 5), (5, 6), (0, 5))


@dataclass
class FakeFramebuffer:
    """The seam `Kernel`, with a framebuffer behind it."""

    bits: int = 32
    fields: tuple[tuple[int, int], ...] = BGRX
    width: int = 4
    height: int = 3
    padding: int = 8
    yoffset: int = 0
    is_open: bool = False
    flushed: list[bytes] = field(default_factory=list)
    flush_error: int = 0
    memory: FakeMemory = field(default_factory=lambda: FakeMemory(4096))

    def open(self, path: str) -> int:
        self.is_open = True
        return 5

    def close(self, descriptor: int) -> None:
        self.is_open = False

    def flush(self, descriptor: int) -> None:
        self.flushed.append(self.memory[0:1])
        if self.flush_error:
            raise OSError(self.flush_error, "flush")

    def map(self, descriptor: int, length: int, offset: int) -> Mapping:
        return self.memory

    def ioctl(self, descriptor: int, request: int, data: ctypes.Structure | None) -> None:
        if request == GET_VARIABLE:
            assert isinstance(data, VariableInfo)
            data.xres, data.yres, data.bits_per_pixel = self.width, self.height, self.bits
            data.yoffset = self.yoffset
            for at, (offset, length) in enumerate(self.fields):
                part = (data.red, data.green, data.blue)[at]
                part.offset, part.length = offset, length
        else:
            assert isinstance(data, FixedInfo)
            data.line_length = self.width * self.bits // 8 + self.padding
            data.smem_len = 4096


PICTURE = Image.new("RGB", (4, 3), (255, 16, 1))


@pytest.mark.parametrize(("fields", "pixel"), [(BGRX, b"\x01\x10\xff"), (RGBX, b"\xff\x10\x01")])
def test_colours_lie_as_the_device_says(fields: tuple[tuple[int, int], ...], pixel: bytes) -> None:
    device = FakeFramebuffer(fields=fields)
    FbdevGlass(device, "/dev/fb0").show(PICTURE)
    assert device.memory[0:3] == pixel
    row = 4 * 4 + 8
    assert device.memory[2 * row : 2 * row + 3] == pixel


def test_sixteen_bits_are_packed() -> None:
    device = FakeFramebuffer(bits=16, fields=BITS_565)
    FbdevGlass(device, "/dev/fb0").show(PICTURE)
    # 11111 000100 00000
    assert int.from_bytes(device.memory[0:2], "little") == 0b11111_000100_00000


def test_packing_keeps_the_highest_bits_of_every_colour() -> None:
    colours = [(r, g, b) for r in range(0, 256, 51) for g in range(0, 256, 17) for b in range(0, 256, 51)]
    picture = Image.new("RGB", (len(colours), 1))
    picture.putdata(colours)
    packed = pack_565(picture)
    for at, (red, green, blue) in enumerate(colours):
        value = int.from_bytes(packed[2 * at : 2 * at + 2], "little")
        assert value == (red >> 3) << 11 | (green >> 2) << 5 | blue >> 3


def test_the_part_that_is_shown_is_written() -> None:
    device = FakeFramebuffer(yoffset=2)
    FbdevGlass(device, "/dev/fb0").show(PICTURE)
    row = 4 * 4 + 8
    assert device.memory[0 : 2 * row] == bytes(2 * row)
    assert device.memory[2 * row : 2 * row + 3] == b"\x01\x10\xff"


def test_a_screen_that_is_fed_in_batches_has_the_picture_when_it_is_said_to() -> None:
    device = FakeFramebuffer()
    FbdevGlass(device, "/dev/fb0").show(PICTURE)
    assert device.flushed == [b"\x01"]


def test_a_screen_without_batches_has_nothing_to_wait_for() -> None:
    FbdevGlass(FakeFramebuffer(flush_error=errno.EINVAL), "/dev/fb0").show(PICTURE)
    with pytest.raises(OSError, match="flush"):
        FbdevGlass(FakeFramebuffer(flush_error=errno.EIO), "/dev/fb0").show(PICTURE)


def test_what_covers_the_picture_is_noticed() -> None:
    device = FakeFramebuffer()
    glass = FbdevGlass(device, "/dev/fb0")
    glass.show(PICTURE)
    glass.check()
    device.memory[0:1] = b"_"
    with pytest.raises(DeviceError, match="shows something else"):
        glass.check()


def test_pixels_of_no_known_kind_are_refused_and_the_device_is_closed() -> None:
    device = FakeFramebuffer(bits=8, fields=((0, 8), (0, 8), (0, 8)))
    with pytest.raises(DeviceError, match="8 bits for each pixel"):
        FbdevGlass(device, "/dev/fb0")
    assert not device.is_open


def test_another_mode_ends_it() -> None:
    device = FakeFramebuffer()
    glass = FbdevGlass(device, "/dev/fb0")
    device.width = 8
    with pytest.raises(OSError, match="another mode"):
        glass.check()
    glass.close()
    assert not device.is_open
