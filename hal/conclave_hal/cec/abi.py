"""Structures and requests of the kernel's CEC interface. Source: linux/cec.h.

A test compares sizes and requests with that file where a compiler and the kernel's headers are.
"""

import struct
from dataclasses import dataclass
from enum import IntEnum, IntFlag

MAX_MESSAGE_BYTES = 16
INVALID_PHYSICAL_ADDRESS = 0xFFFF
"""Nothing is plugged in."""

_CAPS = struct.Struct("=32s32sIII")
_LOG_ADDRS = struct.Struct("=4sHBBII15s4s4s4s48sx")
_MESSAGE = struct.Struct("=QQIIII16s7Bx")
_EVENT = struct.Struct("=QII64s")
_STATE_CHANGE = struct.Struct("=HHH")

CAPS_BYTES, LOG_ADDRS_BYTES = _CAPS.size, _LOG_ADDRS.size
MESSAGE_BYTES, EVENT_BYTES = _MESSAGE.size, _EVENT.size

_VERSION_1_4 = 5
_TYPE_PLAYBACK = 3
_PRIMARY_PLAYBACK = 4
_ALL_PLAYBACK = 0x10
_EVENT_STATE_CHANGE = 1


class Capability(IntFlag):
    """What an adapter can do."""

    PHYS_ADDR = 1 << 0
    LOG_ADDRS = 1 << 1
    TRANSMIT = 1 << 2


class Opcode(IntEnum):
    """CEC messages (HDMI 1.4b, supplement 1)."""

    IMAGE_VIEW_ON = 0x04
    STANDBY = 0x36
    GIVE_OSD_NAME = 0x46
    SET_OSD_NAME = 0x47
    ACTIVE_SOURCE = 0x82
    GIVE_DEVICE_POWER_STATUS = 0x8F
    REPORT_POWER_STATUS = 0x90


class TxStatus(IntFlag):
    """What became of a transmission."""

    OK = 1 << 0
    NACK = 1 << 2
    MAX_RETRIES = 1 << 5


class RxStatus(IntFlag):
    """What became of the reply that was waited for."""

    OK = 1 << 0
    TIMEOUT = 1 << 1
    FEATURE_ABORT = 1 << 2


@dataclass(frozen=True, slots=True)
class Caps:
    """What an adapter says of itself."""

    driver: str
    name: str
    capabilities: Capability


@dataclass(frozen=True, slots=True)
class StateChange:
    """Where the adapter is now: plugged in or not, with which addresses."""

    physical_address: int
    logical_mask: int


@dataclass(frozen=True, slots=True)
class CecMessage:
    """struct cec_msg: a message to send, or one that was sent or received."""

    data: bytes
    """Initiator and destination in the first byte, then opcode and operands."""
    reply: int = 0
    """The opcode that is waited for; 0 for none."""
    timeout_ms: int = 0
    sequence: int = 0
    tx_status: int = 0
    rx_status: int = 0

    def pack(self) -> bytearray:
        """As the kernel has it."""
        fixed = (0, 0, len(self.data), self.timeout_ms, self.sequence, 0, self.data, self.reply)
        return bytearray(_MESSAGE.pack(*fixed, self.rx_status, self.tx_status, 0, 0, 0, 0))

    @classmethod
    def unpack(cls, buffer: bytes | bytearray) -> "CecMessage":
        """From what the kernel has filled in."""
        _, _, length, timeout_ms, sequence, _, data, reply, rx, tx, *_ = _MESSAGE.unpack(buffer)
        return cls(data[: min(length, MAX_MESSAGE_BYTES)], reply, timeout_ms, sequence, tx, rx)


def pack_playback(name: str) -> bytearray:
    """struct cec_log_addrs that asks for one address of a playback device; `name` is ASCII, at most 14."""
    one = b"\0\0\0"
    return bytearray(
        _LOG_ADDRS.pack(
            bytes(4), 0, _VERSION_1_4, 1, 0, 0, name.encode("ascii"),
            bytes((_PRIMARY_PLAYBACK,)) + one, bytes((_TYPE_PLAYBACK,)) + one, bytes((_ALL_PLAYBACK,)) + one,
            bytes(48),
        )
    )  # fmt: skip


def pack_no_addresses() -> bytearray:
    """struct cec_log_addrs that gives up all addresses."""
    return bytearray(LOG_ADDRS_BYTES)


def unpack_caps(buffer: bytes | bytearray) -> Caps:
    """struct cec_caps."""
    driver, name, _, capabilities, _ = _CAPS.unpack(buffer)
    return Caps(_text(driver), _text(name), Capability(capabilities & 0b111))


def pack_caps(driver: str, name: str, capabilities: Capability) -> bytes:
    """struct cec_caps, as a kernel would fill it in."""
    return _CAPS.pack(driver.encode(), name.encode(), 1, capabilities, 0)


def unpack_event(buffer: bytes | bytearray) -> StateChange | None:
    """struct cec_event; None for one that is no change of state."""
    _, event, _, payload = _EVENT.unpack(buffer)
    if event != _EVENT_STATE_CHANGE:
        return None
    physical, mask, _ = _STATE_CHANGE.unpack_from(payload)
    return StateChange(physical, mask)


def pack_state_change(change: StateChange) -> bytes:
    """struct cec_event, as a kernel would fill it in."""
    payload = _STATE_CHANGE.pack(change.physical_address, change.logical_mask, 0)
    return _EVENT.pack(0, _EVENT_STATE_CHANGE, 0, payload)


def _text(field: bytes) -> str:
    return field.split(b"\0")[0].decode("ascii", "replace")


def _request(direction: int, number: int, size: int) -> int:
    return direction << 30 | size << 16 | ord("a") << 8 | number


_READ, _WRITE = 2, 1
G_CAPS = _request(_READ | _WRITE, 0, CAPS_BYTES)
S_LOG_ADDRS = _request(_READ | _WRITE, 4, LOG_ADDRS_BYTES)
TRANSMIT = _request(_READ | _WRITE, 5, MESSAGE_BYTES)
RECEIVE = _request(_READ | _WRITE, 6, MESSAGE_BYTES)
DQEVENT = _request(_READ | _WRITE, 7, EVENT_BYTES)
