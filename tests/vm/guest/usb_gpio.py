"""Eight GPIO lines on USB, as a program: what the kernel's driver `hid-cp2112` takes for a CP2112.

Reports are those of Silicon Labs' "CP2112 Interface Specification" (AN495). Its lines have no interrupt of
their own: the kernel looks at them every few milliseconds, and cannot wait for a contact to come to rest.
"""

import struct
from pathlib import Path

from tests.vm.guest.usb_device import GET_DESCRIPTOR, Setup, UsbDevice

_GET_REPORT, _SET_REPORT = 1, 9
_CONFIGURATION, _GET, _SET, _VERSION, _BUS = 2, 3, 4, 5, 6
_REPORTS = (
    bytes.fromhex("0600ff0901a101")
    + b"".join(
        # A feature of so many bytes under its number (HID 1.11 §6.2.2).
        bytes((0x85, number, 0x09, number, 0x15, 0, 0x26, 0xFF, 0, 0x75, 8, 0x95, size, 0xB1, 2))
        for number, size in ((_CONFIGURATION, 4), (_GET, 1), (_SET, 2), (_VERSION, 2), (_BUS, 13))
    )
    + b"\xc0"
)
_HID = struct.pack("<BBHBBBH", 9, 0x21, 0x0111, 0, 1, 0x22, len(_REPORTS))
_INTERFACE = bytes((9, 4, 0, 0, 1, 3, 0, 0, 0)) + _HID + struct.pack("<BBBBHB", 7, 5, 0x81, 3, 64, 4)
_DESCRIPTORS = {
    1: struct.pack("<BBHBBBBHHHBBBB", 18, 1, 0x0200, 0, 0, 0, 64, 0x10C4, 0xEA90, 1, 0, 0, 0, 1),
    2: struct.pack("<BBHBBBBB", 9, 2, 9 + len(_INTERFACE), 1, 1, 0, 0x80, 50) + _INTERFACE,
    0x21: _HID,
    0x22: _REPORTS,
}


class UsbGpio(UsbDevice):
    """The chip; a line that is an input is as `levels` says, an output as the host has set it."""

    def __init__(self) -> None:
        super().__init__()
        self.levels = 0
        """A bit for each line that somebody else holds high."""
        self.driven = 0
        """A bit for each line that the host has set high."""
        self._outputs = 0
        self._push_pull = 0

    def control(self, setup: Setup, data: bytes) -> bytes | None:
        """Answer what the host asks."""
        if setup.request == GET_DESCRIPTOR and setup.kind & 0x80:
            found = _DESCRIPTORS.get(setup.value >> 8)
            return None if found is None else found[: setup.length]
        if setup.kind == 0xA1 and setup.request == _GET_REPORT:
            return self._report(setup.value & 0xFF)[: setup.length]
        if setup.kind == 0x21 and setup.request == _SET_REPORT:
            self._take(data)
        return b""

    def _report(self, number: int) -> bytes:
        levels = self.driven & self._outputs | self.levels & ~self._outputs
        return {
            _CONFIGURATION: bytes((_CONFIGURATION, self._outputs, self._push_pull, 0, 0)),
            _GET: bytes((_GET, levels & 0xFF)),
            _VERSION: bytes((_VERSION, 0x0C, 2)),
            _BUS: bytes((_BUS,)) + struct.pack(">IBBHHBH", 100_000, 2, 0, 0, 0, 0, 0),
        }.get(number, bytes(64))

    def _take(self, report: bytes) -> None:
        if report[0] == _CONFIGURATION:
            self._outputs, self._push_pull = report[1], report[2]
        elif report[0] == _SET:
            value, mask = report[1], report[2]
            self.driven = self.driven & ~mask | value & mask


def chip() -> Path:
    """The node that the kernel makes for the chip; it must be plugged in."""
    for path in Path("/sys/bus/hid/devices").glob("*:10C4:EA90.*/gpiochip*"):
        if path.name[-1].isdigit():
            return Path("/dev", path.name)
    raise FileNotFoundError("the chip")
