"""An open input device on the event loop."""

import asyncio
import errno
import fcntl
import os
from collections.abc import Callable
from typing import cast

from conclave_hal.display_text import display_text
from conclave_hal.errors import DeviceGoneError
from conclave_hal.input.events import (
    EV_SW,
    EVENT,
    GRAB,
    InputEvent,
    get_bits,
    get_name,
    get_switches,
    has_bit,
    parse_events,
)

EVENTS_AT_ONCE = 64
_NAME_BYTES = 256
_KEY_BYTES = 96
"""Bits for KEY_MAX, 0x2FF."""
_SWITCH_BYTES = 4
"""Bits for SW_MAX, 0x10, in whole words."""

Ioctl = Callable[[int, int, bytearray | int], int]
"""`fcntl.ioctl` on a buffer that it may change, or with a number."""


class InputNode:
    """One device, from opening to `close`. One event loop owns it."""

    def __init__(self, path: str, *, ioctl: Ioctl | None = None) -> None:
        """Open `path`. Raises OSError; events wait in the kernel from now on."""
        self.path = path
        self._ioctl = cast("Ioctl", fcntl.ioctl) if ioctl is None else ioctl
        self._descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        self._readable = asyncio.Event()
        asyncio.get_running_loop().add_reader(self._descriptor, self._readable.set)

    def name(self) -> str:
        """What the device calls itself. Raises OSError."""
        said = bytearray(_NAME_BYTES)
        self._ioctl(self._descriptor, get_name(len(said)), said)
        return display_text(bytes(said).split(b"\0")[0].decode("utf-8", "replace"), max_length=60)

    def has(self, kind: int, code: int) -> bool:
        """Whether the device can say this. Raises OSError."""
        bits = bytearray(_SWITCH_BYTES if kind == EV_SW else _KEY_BYTES)
        self._ioctl(self._descriptor, get_bits(kind, len(bits)), bits)
        return has_bit(bytes(bits), code)

    def switch(self, code: int) -> bool:
        """How a switch stands now. Raises OSError."""
        bits = bytearray(_SWITCH_BYTES)
        self._ioctl(self._descriptor, get_switches(len(bits)), bits)
        return has_bit(bytes(bits), code)

    def grab(self) -> None:
        """Keep the events from everybody else, a console least of all. Raises OSError."""
        self._ioctl(self._descriptor, GRAB, 1)

    async def read(self) -> tuple[InputEvent, ...]:
        """The events that came, at least one. Raises OSError or DeviceGoneError when the device goes."""
        while True:
            try:
                data = os.read(self._descriptor, EVENT.size * EVENTS_AT_ONCE)
            except BlockingIOError:
                self._readable.clear()
                await self._readable.wait()
                continue
            except OSError as error:
                if error.errno == errno.ENODEV:
                    raise DeviceGoneError(f"{self.path}: unplugged") from error
                raise
            if not data:
                raise DeviceGoneError(f"{self.path}: unplugged")
            # A device that never pauses must not keep the loop from everything else.
            await asyncio.sleep(0)
            return tuple(parse_events(data))

    def close(self) -> None:
        """Close it. Safe to call twice."""
        if self._descriptor >= 0:
            asyncio.get_running_loop().remove_reader(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = -1


OpensNode = Callable[[str], InputNode]
