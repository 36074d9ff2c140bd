"""An open CEC node on the event loop.

The node is opened without blocking: a transmission returns at once, and what became of it comes by RECEIVE
with the same sequence number, with the reply that was waited for. Changes of the wire come as events, the
present state as the first one. Everything else that arrives is the kernel's to answer.
"""

import asyncio
import fcntl
import os
import select
from collections.abc import Callable
from typing import cast

from conclave_hal.cec import abi
from conclave_hal.cec.abi import Capability, CecMessage, Opcode, RxStatus, StateChange, TxStatus
from conclave_hal.errors import DeviceError, DeviceGoneError, DeviceTimeoutError

REPLY_TIMEOUT_MS = 1000
"""CEC devices have a second for a reply."""
DEADLINE_S = 4.0
"""For the kernel: a busy wire, five tries, and the reply."""
MAX_AT_ONCE = 64

Ioctl = Callable[[int, int, bytearray], int]
"""`fcntl.ioctl` on a buffer that it may change."""

UNPLUGGED = StateChange(abi.INVALID_PHYSICAL_ADDRESS, 0)


class CecAdapter:
    """One node, from opening to `close`. `listen` must run beside whoever calls `send`."""

    def __init__(self, path: str, *, ioctl: Ioctl | None = None, descriptor: int | None = None) -> None:
        """Open `path`, or take over the open `descriptor`. Raises OSError."""
        self.path = path
        self.wire = UNPLUGGED
        """How the wire is, as the last event said."""
        self._ioctl = cast("Ioctl", fcntl.ioctl) if ioctl is None else ioctl
        flags = os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC
        self._descriptor = os.open(path, flags) if descriptor is None else descriptor
        self._waiting: dict[int, asyncio.Future[CecMessage]] = {}
        self._woken = asyncio.Event()
        # The event loop knows readable and writable only; events are announced as urgent.
        self._poll = select.epoll()
        self._poll.register(self._descriptor, select.EPOLLIN | select.EPOLLPRI)
        asyncio.get_running_loop().add_reader(self._poll.fileno(), self._woken.set)

    @property
    def is_usable(self) -> bool:
        """Whether a display is plugged in, and this device has an address on its wire."""
        return self.wire.physical_address != abi.INVALID_PHYSICAL_ADDRESS and self.wire.logical_mask != 0

    def claim(self, name: str) -> None:
        """Become a playback device called `name`, now or when something is plugged in.

        Raises OSError, DeviceError for an adapter that cannot.
        """
        buffer = bytearray(abi.CAPS_BYTES)
        self._ioctl(self._descriptor, abi.G_CAPS, buffer)
        caps = abi.unpack_caps(buffer)
        if not caps.capabilities & Capability.TRANSMIT or not caps.capabilities & Capability.LOG_ADDRS:
            raise DeviceError(f"{self.path} ({caps.driver}) cannot send as a device of its own")
        # Whoever had it before may have left its addresses; they cannot be changed, only given up.
        self._ioctl(self._descriptor, abi.S_LOG_ADDRS, abi.pack_no_addresses())
        self._ioctl(self._descriptor, abi.S_LOG_ADDRS, abi.pack_playback(name))

    async def listen(self, changed: Callable[[], None]) -> None:
        """Take what comes; `changed` is called when `wire` is another. Raises OSError when the node goes."""
        while True:
            before = self.wire
            for _ in range(MAX_AT_ONCE):
                event = self._take(abi.DQEVENT, abi.EVENT_BYTES)
                if event is None:
                    break
                self.wire = abi.unpack_event(event) or self.wire
            for _ in range(MAX_AT_ONCE):
                received = self._take(abi.RECEIVE, abi.MESSAGE_BYTES)
                if received is None:
                    break
                self._received(CecMessage.unpack(received))
            if self.wire != before:
                changed()
            self._woken.clear()
            if not self._poll.poll(0):
                await self._woken.wait()

    async def send(
        self, destination: int, opcode: Opcode, operands: bytes = b"", *, reply: Opcode | None = None
    ) -> bytes:
        """Send one message; return the reply's operands, if one was waited for.

        Raises DeviceTimeoutError if nobody takes or answers it, DeviceError if it is refused, OSError.
        """
        if not self.is_usable:
            raise DeviceGoneError(f"{self.path}: no display is plugged in")
        initiator = (self.wire.logical_mask & -self.wire.logical_mask).bit_length() - 1
        message = CecMessage(
            bytes((initiator << 4 | destination, opcode)) + operands,
            0 if reply is None else reply,
            REPLY_TIMEOUT_MS if reply is not None else 0,
        )
        buffer = message.pack()
        self._ioctl(self._descriptor, abi.TRANSMIT, buffer)
        sequence = CecMessage.unpack(buffer).sequence
        done = self._waiting[sequence] = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(DEADLINE_S):
                outcome = await done
        except TimeoutError:
            raise DeviceTimeoutError(f"{self.path} did not send {opcode.name.lower()}") from None
        finally:
            del self._waiting[sequence]
        return _operands(outcome, opcode, is_answered=reply is not None)

    def close(self) -> None:
        """Close it. Safe to call twice."""
        if self._descriptor >= 0:
            asyncio.get_running_loop().remove_reader(self._poll.fileno())
            self._poll.close()
            os.close(self._descriptor)
            self._descriptor = -1

    def _take(self, request: int, size: int) -> bytearray | None:
        buffer = bytearray(size)
        try:
            self._ioctl(self._descriptor, request, buffer)
        except BlockingIOError:
            return None
        return buffer

    def _received(self, message: CecMessage) -> None:
        waiting = self._waiting.get(message.sequence)
        if waiting is not None and not waiting.done():
            waiting.set_result(message)


def _operands(outcome: CecMessage, opcode: Opcode, *, is_answered: bool) -> bytes:
    name = opcode.name.lower()
    if not outcome.tx_status & TxStatus.OK:
        raise DeviceTimeoutError(
            f"the display does not take {name}",
            hint="CEC may be off in its menu (each maker has a name for it)",
        )
    if not is_answered:
        return b""
    if outcome.rx_status & RxStatus.FEATURE_ABORT:
        raise DeviceError(f"the display does not understand {name}")
    if not outcome.rx_status & RxStatus.OK:
        raise DeviceTimeoutError(f"the display does not answer {name}")
    return outcome.data[2:]


OpensAdapter = Callable[[str], CecAdapter]
