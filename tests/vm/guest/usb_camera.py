"""A USB camera that can be turned and has a shutter, as a program: what it says, not what it sees.

Descriptors and requests are those of the USB Device Class Definition for Video Devices 1.1 (UVC); the
kernel's own `uvcvideo` makes V4L2 controls of them. It shares nothing with our drivers.
"""

import struct
from pathlib import Path

from tests.vm.guest.usb_device import GET_DESCRIPTOR, Setup, UsbDevice

NAME = "Turning"
PAN_TILT, ZOOM, PRIVACY = 0x0D, 0x0B, 0x11
"""Control selectors of a camera terminal (UVC §A.9.4)."""
SET_CUR, GET_CUR, GET_MIN, GET_MAX, GET_RES, GET_LEN, GET_INFO, GET_DEF = 1, *range(0x81, 0x88)
_TERMINAL = 1
_MAX_PAN, _MAX_TILT, _MAX_ZOOM = 36_000 * 10, 3_600 * 30, 400
"""Arc seconds, and the camera's own steps."""
_CONTROLS = 1 << 9 | 1 << 11 | 1 << 18
"""bmControls: absolute zoom, absolute pan and tilt, privacy (UVC §3.7.2.3)."""
_WIDTH, _HEIGHT, _INTERVAL = 160, 120, 333_333
_FRAME_BYTES = _WIDTH * _HEIGHT * 2
_YUY2 = bytes.fromhex("5955593200001000800000aa00389b71")
_STREAMING = (
    struct.pack("<BBBBHBBBBBBBB", 14, 0x24, 1, 1, 14 + 27 + 30, 0x82, 0, 2, 0, 0, 0, 1, 0)
    + struct.pack("<BBBBB16sBBBBBB", 27, 0x24, 4, 1, 1, _YUY2, 16, 1, 0, 0, 0, 0)
    + struct.pack(
        "<BBBBBHHIIIIBI",
        *(30, 0x24, 5, 1, 0, _WIDTH, _HEIGHT, 8 * _FRAME_BYTES, 240 * _FRAME_BYTES, _FRAME_BYTES),
        *(_INTERVAL, 1, _INTERVAL),
    )
)
_ENTITIES = struct.pack(
    "<BBBBHBBHHHB3s", 18, 0x24, 2, _TERMINAL, 0x0201, 0, 0, 0, 0, 0, 3, _CONTROLS.to_bytes(3, "little")
) + struct.pack("<BBBBHBBB", 9, 0x24, 3, 2, 0x0101, 0, _TERMINAL, 0)
_CONTROL_HEADER = struct.pack("<BBBHHIBB", 13, 0x24, 1, 0x0110, 13 + len(_ENTITIES), 48_000_000, 1, 1)
_INTERFACES = (
    bytes((8, 0x0B, 0, 2, 0x0E, 3, 0, 0))
    + bytes((9, 4, 0, 0, 1, 0x0E, 1, 0, 0))
    + _CONTROL_HEADER
    + _ENTITIES
    + struct.pack("<BBBBHB", 7, 5, 0x81, 3, 16, 8)
    + struct.pack("<BBBH", 5, 0x25, 3, 16)
    + bytes((9, 4, 1, 0, 1, 0x0E, 2, 0, 0))
    + _STREAMING
    + struct.pack("<BBBBHB", 7, 5, 0x82, 2, 512, 0)
)
_DESCRIPTORS = {
    1: struct.pack("<BBHBBBBHHHBBBB", 18, 1, 0x0200, 0xEF, 2, 1, 64, 0x1209, 1, 1, 0, 1, 0, 1),
    2: struct.pack("<BBHBBBBB", 9, 2, 9 + len(_INTERFACES), 2, 1, 0, 0x80, 50) + _INTERFACES,
}
_PROBE = struct.pack(
    "<HBBIHHHHHIIIBBBB", 0, 1, 1, _INTERVAL, 0, 0, 0, 0, 0, _FRAME_BYTES, 512, 48_000_000, 0, 0, 0, 0
)


class UsbCamera(UsbDevice):
    """The camera's body."""

    def __init__(self) -> None:
        super().__init__()
        self.pan = self.tilt = 0
        self.zoom = 100
        self._is_covered = False

    def cover(self, is_covered: bool) -> None:
        """Somebody moves the slider before the lens; the camera tells of it (UVC §2.4.2.2)."""
        self._is_covered = is_covered
        self.interrupt(bytes((1, _TERMINAL, 0, PRIVACY, 0, int(is_covered))))

    def control(self, setup: Setup, data: bytes) -> bytes | None:
        """Answer what the host asks."""
        if setup.kind == 0x80 and setup.request == GET_DESCRIPTOR:
            found = self._descriptor(setup.value >> 8, setup.value & 0xFF)
            return None if found is None else found[: setup.length]
        if setup.kind in (0x00, 0x01):
            return b""  # chosen configuration and setting: there is one of each
        if setup.index == 1:
            return b"" if setup.request == SET_CUR else _PROBE[: setup.length]
        if setup.index >> 8 == _TERMINAL:
            return self._control(setup.value >> 8, setup.request, data)
        return None

    def _descriptor(self, kind: int, index: int) -> bytes | None:
        if kind == 3:
            text = NAME.encode("utf-16-le") if index else b"\x09\x04"
            return bytes((2 + len(text), 3)) + text
        return _DESCRIPTORS.get(kind)

    def _control(self, selector: int, request: int, data: bytes) -> bytes | None:
        if request == SET_CUR:
            self._set(selector, data)
            return b""
        shape, now, least, most, step, start = {
            PAN_TILT: (
                "<ii",
                (self.pan, self.tilt),
                (-_MAX_PAN, -_MAX_TILT),
                (_MAX_PAN, _MAX_TILT),
                (3600, 3600),
                (0, 0),
            ),
            ZOOM: ("<H", (self.zoom,), (100,), (_MAX_ZOOM,), (1,), (100,)),
            PRIVACY: ("<B", (int(self._is_covered),), (0,), (1,), (1,), (0,)),
        }[selector]
        if request == GET_INFO:
            # It can be read and, but for the slider, set; the slider changes by itself.
            return bytes((0b1001 if selector == PRIVACY else 0b0011,))
        if request == GET_LEN:
            return struct.pack("<H", struct.calcsize(shape))
        values = {GET_CUR: now, GET_MIN: least, GET_MAX: most, GET_RES: step, GET_DEF: start}
        return struct.pack(shape, *values[request])

    def _set(self, selector: int, data: bytes) -> None:
        if selector == PAN_TILT:
            self.pan, self.tilt = struct.unpack("<ii", data)
        elif selector == ZOOM:
            (self.zoom,) = struct.unpack("<H", data)


def node() -> Path:
    """The node that the kernel makes for the camera; it must be plugged in."""
    for path in sorted(Path("/sys/class/video4linux").glob("video*")):
        if NAME in (path / "name").read_text() and (path / "index").read_text().strip() == "0":
            return Path("/dev", path.name)
    raise FileNotFoundError(NAME)
