"""A touch screen's device file on the event loop: taps as they come, until it is unplugged."""

import asyncio
import fcntl
import os
import struct
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass

from conclave_hal.errors import DeviceError
from conclave_hal.pixels.touch import (
    ABS_MT_POSITION_X,
    ABS_MT_POSITION_Y,
    ABS_X,
    ABS_Y,
    EVENT,
    Range,
    Tap,
    TouchTracker,
)

_ABS_INFO = struct.Struct("=6i")
"""struct input_absinfo: value, minimum, maximum, fuzz, flat, resolution."""
GRAB = 1 << 30 | 4 << 16 | ord("E") << 8 | 0x90
"""EVIOCGRAB: nobody else gets the touches, a console least of all."""
EVENTS_AT_ONCE = 64
MAX_WAITING_TAPS = 16


def get_abs(axis: int) -> int:
    """EVIOCGABS(axis)."""
    return 2 << 30 | _ABS_INFO.size << 16 | ord("E") << 8 | (0x40 + axis)


@dataclass(frozen=True, slots=True)
class OpenTouch:
    """An open device and the ranges of its axes."""

    descriptor: int
    x: Range
    y: Range


OpensTouch = Callable[[str], OpenTouch]


def open_touch(path: str) -> OpenTouch:
    """Open and grab. Raises OSError, DeviceError where it has no positions."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        x = _range(descriptor, ABS_MT_POSITION_X) or _range(descriptor, ABS_X)
        y = _range(descriptor, ABS_MT_POSITION_Y) or _range(descriptor, ABS_Y)
        if x is None or y is None:
            raise DeviceError(f"{path} is no touch screen: it reports no positions")
        fcntl.ioctl(descriptor, GRAB, 1)
    except BaseException:
        os.close(descriptor)
        raise
    return OpenTouch(descriptor, x, y)


def _range(descriptor: int, axis: int) -> Range | None:
    try:
        data = fcntl.ioctl(descriptor, get_abs(axis), bytes(_ABS_INFO.size))
    except OSError:
        return None
    _, low, high, *_ = _ABS_INFO.unpack(data)
    return Range(low, high) if high > low else None


async def taps(path: str, opens: OpensTouch = open_touch) -> AsyncGenerator[Tap | None, None]:
    """None once it is open, then taps until the device goes. Raises OSError then, or if it is not there."""
    opened = opens(path)
    loop = asyncio.get_running_loop()
    tracker = TouchTracker(opened.x, opened.y)
    waiting: asyncio.Queue[Tap | OSError] = asyncio.Queue(MAX_WAITING_TAPS)

    def readable() -> None:
        try:
            data = os.read(opened.descriptor, EVENT.size * EVENTS_AT_ONCE)
            if not data:
                raise OSError(19, "unplugged")
        except BlockingIOError:
            return
        except OSError as error:
            loop.remove_reader(opened.descriptor)
            if waiting.full():
                waiting.get_nowait()
            waiting.put_nowait(error)
            return
        for _, _, kind, code, value in EVENT.iter_unpack(data[: len(data) // EVENT.size * EVENT.size]):
            tap = tracker.feed(kind, code, value)
            if tap is not None and not waiting.full():
                waiting.put_nowait(tap)

    loop.add_reader(opened.descriptor, readable)
    try:
        yield None
        while True:
            found = await waiting.get()
            if isinstance(found, OSError):
                raise found
            yield found
    finally:
        loop.remove_reader(opened.descriptor)
        os.close(opened.descriptor)
