"""Input events as the kernel writes them, and the requests that ask about a device.

Source: linux/input.h and linux/input-event-codes.h. A test compares the numbers here with these files.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

EVENT = struct.Struct("@LLHHi")
"""struct input_event: seconds and microseconds as unsigned long, type, code, value."""

EV_SYN = 0x00
EV_KEY = 0x01
EV_SW = 0x05
SYN_REPORT = 0
SYN_DROPPED = 3
"""The kernel's buffer ran over: events are missing, and the state has to be asked for again."""
SW_CAMERA_LENS_COVER = 0x09
SW_MUTE_DEVICE = 0x0E
PRESSED = 1
"""A key's value; 0 is released and 2 repeated."""

KEYS = {
    "KEY_ESC": 1,
    "KEY_ENTER": 28,
    "KEY_F1": 59,
    "KEY_F2": 60,
    "KEY_F3": 61,
    "KEY_F4": 62,
    "KEY_F5": 63,
    "KEY_F6": 64,
    "KEY_F7": 65,
    "KEY_F8": 66,
    "KEY_F9": 67,
    "KEY_F10": 68,
    "KEY_F11": 87,
    "KEY_F12": 88,
    "KEY_UP": 103,
    "KEY_LEFT": 105,
    "KEY_RIGHT": 106,
    "KEY_DOWN": 108,
    "KEY_MUTE": 113,
    "KEY_PROG1": 148,
    "KEY_PROG2": 149,
    "KEY_BACK": 158,
    "KEY_PHONE": 169,
    "KEY_EXIT": 174,
    "KEY_F13": 183,
    "KEY_F14": 184,
    "KEY_F15": 185,
    "KEY_F16": 186,
    "KEY_PROG3": 202,
    "KEY_PROG4": 203,
    "KEY_CAMERA": 212,
    "KEY_MICMUTE": 248,
    "KEY_OK": 352,
    "KEY_SELECT": 353,
    "KEY_RED": 398,
    "KEY_GREEN": 399,
    "KEY_YELLOW": 400,
    "KEY_BLUE": 401,
    "KEY_PICKUP_PHONE": 445,
    "KEY_HANGUP_PHONE": 446,
    "KEY_VOICECOMMAND": 582,
}
"""Keys that a button can be."""

_READ = 2
_WRITE = 1
_INT_BYTES = 4


@dataclass(frozen=True, slots=True)
class InputEvent:
    """One event, without its time."""

    type: int
    code: int
    value: int

    def __bytes__(self) -> bytes:
        return EVENT.pack(0, 0, self.type, self.code, self.value)


def parse_events(data: bytes) -> Iterator[InputEvent]:
    """The events in what was read from a device, which gives whole ones only."""
    for _, _, kind, code, value in EVENT.iter_unpack(data[: len(data) // EVENT.size * EVENT.size]):
        yield InputEvent(kind, code, value)


def get_name(size: int) -> int:
    """EVIOCGNAME: what the device calls itself."""
    return _request(_READ, 0x06, size)


def get_switches(size: int) -> int:
    """EVIOCGSW: how all switches stand, one bit each."""
    return _request(_READ, 0x1B, size)


def get_bits(kind: int, size: int) -> int:
    """EVIOCGBIT: which codes of an event type the device has, one bit each."""
    return _request(_READ, 0x20 + kind, size)


GRAB = _WRITE << 30 | _INT_BYTES << 16 | ord("E") << 8 | 0x90
"""EVIOCGRAB: nobody else gets the events."""


def has_bit(bits: bytes, number: int) -> bool:
    """Whether bit `number` is set, as the kernel counts bits in a buffer."""
    return number // 8 < len(bits) and bool(bits[number // 8] >> number % 8 & 1)


def _request(direction: int, number: int, size: int) -> int:
    return direction << 30 | size << 16 | ord("E") << 8 | number
