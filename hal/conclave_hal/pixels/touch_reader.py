"""A touch screen's device file: taps as they come, until it is unplugged."""

import struct
from collections.abc import AsyncGenerator, Callable

from conclave_hal.errors import DeviceError
from conclave_hal.input.node import InputNode
from conclave_hal.pixels.touch import (
    ABS_MT_POSITION_X,
    ABS_MT_POSITION_Y,
    ABS_X,
    ABS_Y,
    Range,
    Tap,
    TouchTracker,
)

_ABS_INFO = struct.Struct("=6i")
"""struct input_absinfo: value, minimum, maximum, fuzz, flat, resolution."""


def get_abs(axis: int) -> int:
    """EVIOCGABS(axis)."""
    return 2 << 30 | _ABS_INFO.size << 16 | ord("E") << 8 | (0x40 + axis)


class TouchNode(InputNode):
    """An input device with positions."""

    def axis(self, *candidates: int) -> Range:
        """The range of the first of these axes that the device has. Raises DeviceError if it has none."""
        for axis in candidates:
            said = bytearray(_ABS_INFO.size)
            try:
                self._ioctl(self._descriptor, get_abs(axis), said)
            except OSError:
                continue
            _, low, high, *_ = _ABS_INFO.unpack(said)
            if high > low:
                return Range(low, high)
        raise DeviceError(f"{self.path} is no touch screen: it reports no positions")


OpensTouch = Callable[[str], TouchNode]


async def taps(path: str, opens: OpensTouch = TouchNode) -> AsyncGenerator[Tap | None, None]:
    """None once it is open, then taps until the device goes.

    Raises OSError or HalError then, or if it is not there.
    """
    node = opens(path)
    try:
        tracker = TouchTracker(node.axis(ABS_MT_POSITION_X, ABS_X), node.axis(ABS_MT_POSITION_Y, ABS_Y))
        node.grab()
        yield None
        while True:
            for event in await node.read():
                tap = tracker.feed(event.type, event.code, event.value)
                if tap is not None:
                    yield tap
    finally:
        node.close()
