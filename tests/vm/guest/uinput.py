"""Input devices made by the kernel's uinput: keyboards, switches and touch screens for the tests.

Written from include/uapi/linux/uinput.h and input.h; it shares nothing with the drivers that it tests.
"""

import fcntl
import os
import struct
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

EV_SYN, EV_KEY, EV_ABS, EV_SW, EV_LED = 0x00, 0x01, 0x03, 0x05, 0x11
SW_CAMERA_LENS_COVER, SW_MUTE_DEVICE = 0x09, 0x0E
BTN_TOUCH = 0x14A
LED_MUTE = 0x07
ABS_X, ABS_Y = 0x00, 0x01
ABS_MT_SLOT, ABS_MT_POSITION_X, ABS_MT_POSITION_Y, ABS_MT_TRACKING_ID = 0x2F, 0x35, 0x36, 0x39
INPUT_PROP_DIRECT = 0x01
_EVENT = struct.Struct("@llHHi")
_SET_BIT = {EV_KEY: 0x40045565, EV_ABS: 0x40045567, EV_SW: 0x4004556D, EV_LED: 0x40045569}
_UI_SET_EVBIT, _UI_SET_PROPBIT = 0x40045564, 0x4004556E
_UI_DEV_SETUP, _UI_ABS_SETUP = 0x405C5503, 0x401C5504
_UI_DEV_CREATE, _UI_DEV_DESTROY = 0x5501, 0x5502
_BUS_VIRTUAL = 0x06
_APPEARS_WITHIN_S = 10.0


@dataclass(frozen=True, slots=True)
class InputDevice:
    """A device that exists while its `made` lasts."""

    descriptor: int
    node: Path
    """`/dev/input/event...`."""

    def send(self, *events: tuple[int, int, int]) -> None:
        """Type, code and value of events that belong together."""
        for kind, code, value in (*events, (EV_SYN, 0, 0)):
            os.write(self.descriptor, _EVENT.pack(0, 0, kind, code, value))

    def received(self) -> list[tuple[int, int, int]]:
        """What the kernel has told the device since the last call: lamps to be lit."""
        try:
            data = os.read(self.descriptor, 64 * _EVENT.size)
        except BlockingIOError:
            return []
        return [(kind, code, value) for _, _, kind, code, value in _EVENT.iter_unpack(data)]


@contextmanager
def made(
    name: str,
    codes: Mapping[int, Sequence[int]],
    ranges: Mapping[int, tuple[int, int]] | None = None,
    *,
    is_direct: bool = False,
) -> Iterator[InputDevice]:
    """A device with `codes` of each event type; `ranges` of its axes; touched directly, as a screen is."""
    descriptor = os.open("/dev/uinput", os.O_RDWR | os.O_NONBLOCK)
    try:
        for kind, wanted in codes.items():
            fcntl.ioctl(descriptor, _UI_SET_EVBIT, kind)
            for code in wanted:
                fcntl.ioctl(descriptor, _SET_BIT[kind], code)
        if is_direct:
            fcntl.ioctl(descriptor, _UI_SET_PROPBIT, INPUT_PROP_DIRECT)
        for axis, (least, most) in (ranges or {}).items():
            fcntl.ioctl(descriptor, _UI_ABS_SETUP, struct.pack("Hxx6i", axis, 0, least, most, 0, 0, 0))
        setup = struct.pack("HHHH80sI", _BUS_VIRTUAL, 0x1209, 0x0001, 1, name.encode(), 0)
        fcntl.ioctl(descriptor, _UI_DEV_SETUP, setup)
        fcntl.ioctl(descriptor, _UI_DEV_CREATE)
        yield InputDevice(descriptor, _node(name))
        fcntl.ioctl(descriptor, _UI_DEV_DESTROY)
    finally:
        os.close(descriptor)


def _node(name: str) -> Path:
    deadline = time.monotonic() + _APPEARS_WITHIN_S
    while time.monotonic() < deadline:
        for file in Path("/sys/class/input").glob("event*/device/name"):
            node = Path("/dev/input", file.parents[1].name)
            if file.read_text().strip() == name and node.exists():
                return node
    raise AssertionError(f"no input device named {name} appeared")
