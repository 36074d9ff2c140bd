"""What is asked of a camera, and what its answers mean.

An answer is believed only if it has one of the lengths that the inquiry can have, and only values that the
manual names; else `parse` raises DeviceError.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from conclave_hal.camera_control import ExposureMode, FocusMode, Power, Tally, WhiteBalance
from conclave_hal.errors import DeviceError

T_co = TypeVar("T_co", covariant=True)
V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class Inquiry(Generic[T_co]):
    """One question."""

    name: str
    """What is asked for, as in "the camera does not tell ..."."""
    message: bytes
    lengths: frozenset[int]
    """How many bytes of data the answer can have."""
    parse: Callable[[bytes], T_co]


@dataclass(frozen=True, slots=True)
class PanTilt:
    """Where a camera looks."""

    pan: int
    tilt: int
    pan_nibbles: int
    """4, or 5 for cameras with a finer pan; commands are to have as many."""


@dataclass(frozen=True, slots=True)
class MaxSpeeds:
    """The fastest that drive and moves may name."""

    pan: int
    tilt: int


@dataclass(frozen=True, slots=True)
class Version:
    """Who made the camera (CAM_VersionInq)."""

    vendor: int
    model: int
    rom: int
    sockets: int


def from_nibbles(data: bytes, *, is_signed: bool = False) -> int:
    """The number in bytes of four bits each. Raises DeviceError for a byte of more."""
    if any(byte > 0xF for byte in data):
        raise DeviceError(f"no nibbles: {data.hex(' ')}")
    value = 0
    for byte in data:
        value = value << 4 | byte
    return value - (1 << 4 * len(data)) if is_signed and data[0] & 8 else value


def _one_of(name: str, meanings: dict[int, V]) -> Callable[[bytes], V]:
    def parse(data: bytes) -> V:
        try:
            return meanings[data[0]]
        except KeyError:
            raise DeviceError(f"the camera tells {data[0]:02x} of {name}, which means nothing") from None

    return parse


def _choice(name: str, message: bytes, meanings: dict[int, V]) -> Inquiry[V]:
    return Inquiry(name, message, frozenset({1}), _one_of(name, meanings))


def _parse_pan_tilt(data: bytes) -> PanTilt:
    pan, tilt = data[:-4], data[-4:]
    return PanTilt(from_nibbles(pan, is_signed=True), from_nibbles(tilt, is_signed=True), len(pan))


def _parse_speeds(data: bytes) -> MaxSpeeds:
    if not data[0] or not data[1]:
        raise DeviceError("the camera tells a greatest speed of 0")
    return MaxSpeeds(data[0], data[1])


def _parse_version(data: bytes) -> Version:
    vendor, model, rom = (int.from_bytes(data[at : at + 2]) for at in (0, 2, 4))
    return Version(vendor, model, rom, data[6])


POWER = _choice(
    "its power",
    b"\x09\x04\x00",
    {
        0x02: Power.ON,
        0x03: Power.STANDBY,
        # A fault of its power circuit: neither on nor off is known.
        0x04: Power.UNKNOWN,
    },
)
ZOOM = Inquiry("its zoom", b"\x09\x04\x47", frozenset({4}), from_nibbles)
FOCUS_MODE = _choice("its focus", b"\x09\x04\x38", {0x02: FocusMode.AUTO, 0x03: FocusMode.MANUAL})
FOCUS_POSITION = Inquiry("its focus", b"\x09\x04\x48", frozenset({4}), from_nibbles)
PAN_TILT = Inquiry("where it looks", b"\x09\x06\x12", frozenset({8, 9}), _parse_pan_tilt)
MAX_SPEEDS = Inquiry("its greatest speeds", b"\x09\x06\x11", frozenset({2}), _parse_speeds)
EXPOSURE_MODE = _choice(
    "its exposure",
    b"\x09\x04\x39",
    # Shutter, iris and bright priority are not fully automatic.
    {
        0x00: ExposureMode.AUTO,
        0x03: ExposureMode.MANUAL,
        0x0A: ExposureMode.MANUAL,
        0x0B: ExposureMode.MANUAL,
        0x0D: ExposureMode.MANUAL,
    },
)
WHITE_BALANCE: Inquiry[WhiteBalance | None] = _choice(
    "its white balance",
    b"\x09\x04\x35",
    {
        0x00: WhiteBalance.AUTO,
        0x01: WhiteBalance.INDOOR,
        0x02: WhiteBalance.OUTDOOR,
        # One push, automatic tracing, manual, colour temperature: chosen by somebody else.
        0x03: None,
        0x04: None,
        0x05: None,
        0x20: None,
    },
)
REMOTE_RECEPTION = _choice("whether it obeys a remote", b"\x09\x06\x08", {0x02: True, 0x03: False})
TALLY = _choice("its tally lamp", b"\x09\x7e\x01\x0a", {0x02: Tally.ON, 0x03: Tally.OFF})
VERSION = Inquiry("its version", b"\x09\x00\x02", frozenset({7}), _parse_version)
