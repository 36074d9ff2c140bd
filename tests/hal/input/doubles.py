"""An input device without a kernel behind it: events come out of a named pipe, ioctls are answered here."""

import os
from pathlib import Path

from conclave_hal.input.events import EV_KEY, EV_SW, GRAB, InputEvent, get_bits, get_name, get_switches
from conclave_hal.input.node import InputNode


class DoubleInput:
    """Plug it in, and hand `open_node` to a driver."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "event0"
        self.name = "Lid and lens"
        self.keys: set[int] = set()
        self.switches: dict[int, bool] = {}
        """The switches that there are, and how they stand."""
        self.is_grabbed = False
        self._writer = -1

    def plug_in(self) -> None:
        os.mkfifo(self.path)
        self._writer = os.open(self.path, os.O_RDWR | os.O_NONBLOCK)

    def unplug(self) -> None:
        """A pipe without a writer reads as its end does."""
        if self._writer >= 0:
            self.path.unlink()
            os.close(self._writer)
            self._writer = -1

    def say(self, *events: InputEvent) -> None:
        os.write(self._writer, b"".join(map(bytes, events)))

    def open_node(self, path: str) -> InputNode:
        return InputNode(path, ioctl=self.ioctl)

    def ioctl(self, descriptor: int, request: int, argument: bytearray | int) -> int:
        if request == GRAB:
            self.is_grabbed = bool(argument)
            return 0
        assert isinstance(argument, bytearray)
        size = len(argument)
        if request == get_name(size):
            argument[: len(self.name)] = self.name.encode()
        elif request == get_switches(size):
            _set_bits(argument, {code for code, is_set in self.switches.items() if is_set})
        elif request == get_bits(EV_SW, size):
            _set_bits(argument, set(self.switches))
        elif request == get_bits(EV_KEY, size):
            _set_bits(argument, self.keys)
        else:
            raise OSError(25, "Inappropriate ioctl for device")
        return size


def _set_bits(buffer: bytearray, numbers: set[int]) -> None:
    for number in numbers:
        buffer[number // 8] |= 1 << number % 8
