"""The simulated camera's VISCA: two sockets, deadlines of its own, and every refusal that a camera knows.

`receive` takes a packet and `advance` gives back what is said by then, each with the time handed in. An
acknowledgement comes one vertical cycle after its command, a completion when the mechanics rest. The body
is `CameraBody`, what it is told and asked is in `visca_orders`.
"""

import heapq
from collections.abc import Callable
from dataclasses import dataclass

from conclave_hal.camera_control import Power
from conclave_hal.simulated.camera_body import STEP_S, CameraBody
from conclave_hal.simulated.visca_orders import ORDERS, QUESTIONS, Refusal, Settings, find
from conclave_hal.visca.packet import CONTROLLER, Packet
from conclave_hal.visca.replies import ErrorCode

VERTICAL_CYCLE_S = 0.02
SOCKETS = 2
POWER_ON_S = 8.0
CHAIN_CHANGED = b"\x38"


@dataclass(frozen=True, slots=True)
class Said:
    """What a camera says, and to what."""

    packet: Packet
    number: int | None
    """Of the datagram that it answers; None on a serial wire, and for what answers nothing."""


@dataclass(slots=True)
class _Running:
    is_done: Callable[[], bool]
    not_before: float
    number: int | None


class SimulatedViscaCamera:
    """One camera."""

    def __init__(self, body: CameraBody | None = None, *, latency_s: float = VERTICAL_CYCLE_S) -> None:
        """`latency_s` from a packet to its answer."""
        self.body = body or CameraBody()
        self.settings = Settings()
        self.latency_s = latency_s
        self.address = 1
        self._now = 0.0
        self._stepped_to: float | None = None
        self._wakes_at: float | None = None
        self._sockets: dict[int, _Running] = {}
        self._said: list[tuple[float, int, Said]] = []
        self._count = 0

    # What comes

    def receive(self, message: bytes, now: float, number: int | None = None) -> None:
        """Take the message of a packet for this camera."""
        self._pass_time(now)
        if message == b"\x01\x00\x01":
            self.clear()
            self._say(b"\x50", number)
        elif len(message) == 1 and message[0] & 0xF0 == 0x20:
            self._cancel(message[0] & 0x0F, number)
        elif message[0] == 0x01:
            self._obey(message, number)
        elif message[0] == 0x09:
            self._answer(message, number)
        else:
            self._refuse(0, ErrorCode.SYNTAX, number)

    def clear(self) -> None:
        """Forget all commands, and what was to be said of them; what they moved brakes."""
        if self._sockets:
            self.body.stop()
        self._sockets.clear()
        # News of the chain answers nothing, so that it is not taken back.
        self._said = [said for said in self._said if said[2].packet.message == CHAIN_CHANGED]
        heapq.heapify(self._said)

    def restart(self, now: float) -> None:
        """Lose the mains and get them back: it forgets its commands, and tells that the chain has changed."""
        self._pass_time(now)
        self.clear()
        self.body.stop()
        self.settings = Settings()
        self._say(CHAIN_CHANGED, None)

    # What is said

    def advance(self, now: float) -> list[Said]:
        """What is said up to now, in order."""
        self._pass_time(now)
        said = []
        while self._said and self._said[0][0] <= now:
            said.append(heapq.heappop(self._said)[2])
        return said

    def next_time(self) -> float | None:
        """When `advance` has something to say or to look at, if nothing comes before."""
        times = [self._said[0][0]] if self._said else []
        if self._sockets or not self.body.is_still:
            times.append(self._now + STEP_S)
        if self._wakes_at is not None:
            times.append(self._wakes_at)
        return min(times, default=None)

    # Inside

    def _pass_time(self, now: float) -> None:
        self._now = now
        if self._stepped_to is None or self.body.is_still:
            self._stepped_to = now
        while self._stepped_to + STEP_S <= now:
            self._stepped_to += STEP_S
            self.body.step()
            self._complete(self._stepped_to)
        if self._wakes_at is not None and self._wakes_at <= now:
            self._wakes_at = None
            self.body.power = Power.ON
            # Cameras differ in what they keep over standby; this one keeps least.
            self.settings.obeys_remote = True
        self._complete(now)

    def _complete(self, now: float) -> None:
        for socket, running in list(self._sockets.items()):
            if running.not_before <= now and running.is_done():
                del self._sockets[socket]
                self._say(bytes((0x50 | socket,)), running.number, after_s=0.0)

    def _obey(self, message: bytes, number: int | None) -> None:
        found = find(ORDERS, message)
        if found is None:
            self._refuse(0, ErrorCode.SYNTAX, number)
            return
        order, values = found
        if self.body.power is not Power.ON and not order.works_asleep:
            self._refuse(0, ErrorCode.NOT_EXECUTABLE, number)
            return
        free = [socket for socket in range(1, SOCKETS + 1) if socket not in self._sockets]
        if not free:
            self._refuse(0, ErrorCode.BUFFER_FULL, number)
            return
        try:
            is_done = order.act(self.body, self.settings, values)
        except Refusal as refusal:
            self._refuse(0, refusal.code, number)
            return
        if self.settings.is_waking:
            self.settings.is_waking = False
            self._wakes_at = self._now + POWER_ON_S
        elif message[:3] == b"\x01\x04\x00":
            self._wakes_at = None
        self._say(bytes((0x40 | free[0],)), number)
        # A vertical cycle for the acknowledgement, and one for the completion.
        self._sockets[free[0]] = _Running(is_done, self._now + 2 * self.latency_s, number)

    def _answer(self, message: bytes, number: int | None) -> None:
        found = find(QUESTIONS, message)
        if found is None:
            self._refuse(0, ErrorCode.SYNTAX, number)
        elif self.body.power is not Power.ON and not found[0].works_asleep:
            self._refuse(0, ErrorCode.NOT_EXECUTABLE, number)
        else:
            self._say(b"\x50" + found[0].answer(self.body, self.settings), number)

    def _cancel(self, socket: int, number: int | None) -> None:
        if self._sockets.pop(socket, None) is None:
            self._refuse(socket, ErrorCode.NO_SOCKET, number)
        else:
            self.body.stop()
            self._refuse(socket, ErrorCode.CANCELLED, number)

    def _refuse(self, socket: int, code: ErrorCode, number: int | None) -> None:
        self._say(bytes((0x60 | socket, code)), number)

    def _say(self, message: bytes, number: int | None, *, after_s: float | None = None) -> None:
        self._count += 1
        packet = Packet(self.address, CONTROLLER, message)
        at = self._now + (self.latency_s if after_s is None else after_s)
        heapq.heappush(self._said, (at, self._count, Said(packet, number)))
