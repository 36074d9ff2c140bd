"""A CEC adapter without a kernel, and a television behind it: ioctls are answered here.

A pair of sockets stands for the node: bytes in it wake the driver.
"""

import os
import socket
from collections import deque
from contextlib import suppress

from conclave_hal.cec import abi
from conclave_hal.cec.abi import Capability, CecMessage, Opcode, RxStatus, StateChange, TxStatus
from conclave_hal.cec.adapter import UNPLUGGED, CecAdapter

PHYSICAL = 0x1000
PLAYBACK_1 = 4


class DoubleCec:
    """Plug the adapter in and out, and a display into it."""

    def __init__(self) -> None:
        self.capabilities = Capability.LOG_ADDRS | Capability.TRANSMIT
        self.power = 1
        """As REPORT_POWER_STATUS says it."""
        self.name = b"TV"
        self.is_deaf = False
        """Takes no message."""
        self.is_silent = False
        """Takes them, and answers none."""
        self.refuses: set[int] = set()
        """Opcodes that it answers with a Feature Abort."""
        self.steps_to_on = 0
        """How often it says that it is on its way before it is on."""
        self.sent: list[bytes] = []
        self.claimed = b""
        self.has_display = True
        self._is_there = True
        self._sequence = 0
        self._events: deque[bytes] = deque()
        self._results: deque[bytes] = deque()
        self._ours, self._theirs = socket.socketpair()
        self._ours.setblocking(False)
        self._theirs.setblocking(False)

    def plug_in(self) -> None:
        """The adapter comes."""
        self._is_there = True

    def unplug(self) -> None:
        """The adapter goes."""
        self._is_there = False
        self._wake()

    def connect(self, *, has_display: bool) -> None:
        """A display is plugged into the adapter, or out."""
        self.has_display = has_display
        self._change()

    def close(self) -> None:
        self._ours.close()
        self._theirs.close()

    def open_adapter(self, path: str) -> CecAdapter:
        if not self._is_there:
            raise FileNotFoundError(2, "No such file or directory")
        return CecAdapter(path, ioctl=self.ioctl, descriptor=os.dup(self._ours.fileno()))

    def ioctl(self, descriptor: int, request: int, buffer: bytearray) -> int:
        if not self._is_there:
            raise OSError(19, "No such device")
        if request == abi.G_CAPS:
            buffer[:] = abi.pack_caps("double", "cec0", self.capabilities)
        elif request == abi.S_LOG_ADDRS:
            self.claimed = bytes(buffer[16:31]).rstrip(b"\0")
            self._change()
        elif request == abi.TRANSMIT:
            self._transmit(buffer)
        elif request == abi.DQEVENT:
            buffer[:] = self._next(self._events)
        elif request == abi.RECEIVE:
            buffer[:] = self._next(self._results)
        else:
            raise OSError(25, "Inappropriate ioctl for device")
        return 0

    def _next(self, waiting: deque[bytes]) -> bytes:
        if not self._events and not self._results:
            with suppress(BlockingIOError):
                self._ours.recv(4096)
        if not waiting:
            raise BlockingIOError(11, "Resource temporarily unavailable")
        return waiting.popleft()

    def _change(self) -> None:
        is_configured = self.has_display and bool(self.claimed)
        change = StateChange(PHYSICAL, 1 << PLAYBACK_1 if is_configured else 0)
        self._events.append(abi.pack_state_change(change if self.has_display else UNPLUGGED))
        self._wake()

    def _wake(self) -> None:
        with suppress(BlockingIOError):
            self._theirs.send(b"!")

    def _transmit(self, buffer: bytearray) -> None:
        message = CecMessage.unpack(buffer)
        self.sent.append(message.data)
        self._sequence += 1
        buffer[:] = CecMessage(message.data, message.reply, message.timeout_ms, self._sequence).pack()
        tx, rx, data = self._television(message)
        answer = CecMessage(data, message.reply, message.timeout_ms, self._sequence, tx, rx)
        self._results.append(bytes(answer.pack()))
        self._wake()

    def _television(self, message: CecMessage) -> tuple[int, int, bytes]:
        if self.is_deaf:
            return TxStatus.NACK | TxStatus.MAX_RETRIES, 0, message.data
        opcode = message.data[1]
        if opcode == Opcode.IMAGE_VIEW_ON:
            self.power = 2 if self.steps_to_on else 0
        elif opcode == Opcode.STANDBY:
            self.power = 1
        if not message.reply:
            return TxStatus.OK, 0, message.data
        if self.is_silent:
            return TxStatus.OK, RxStatus.TIMEOUT, message.data
        back = bytes((PLAYBACK_1,))
        if opcode in self.refuses:
            return TxStatus.OK, RxStatus.FEATURE_ABORT, back + bytes((0, opcode, 0))
        if opcode == Opcode.GIVE_OSD_NAME:
            return TxStatus.OK, RxStatus.OK, back + bytes((Opcode.SET_OSD_NAME,)) + self.name
        if self.power == 2:
            self.steps_to_on -= 1
            self.power = 2 if self.steps_to_on else 0
        return TxStatus.OK, RxStatus.OK, back + bytes((Opcode.REPORT_POWER_STATUS, self.power))
