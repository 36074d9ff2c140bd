"""Who may speak when on a VISCA wire: a state machine without I/O and without a clock.

Theory
------
The *link* itself is in one of five phases:

    NEW --start--> ADDRESSING --answer, or nobody knows it--> CLEARING --answer--> READY
                       ^                                         |  ^                |
                       '----------- the chain has changed -------+--'-- no answer ---'
                                                                 v
                                             nobody answers:   DEAD

"Before starting control, be sure to send the Address command and the IF_Clear command using the broadcast
function" (Sony EVI-H100). Cameras with fixed addresses know no Address Set: when nobody answers it, IF_Clear
alone decides whether somebody is there. In a network the reset of the sequence numbers has its place.

At most *one packet is in flight*, because the errors 01, 02 and 03 say neither which packet nor which
socket they are of: they can only be of the one that was not answered yet. What answers it depends on what
it is:

    in flight   answer                   then
    COMMAND     acknowledged, socket y   it executes in y; the next packet may be sent
    COMMAND     completed                it is done: there are cameras that do not acknowledge
    INQUIRY     data of the right length it is done
    CANCEL      error 04                 the command was cancelled
    CANCEL      error 05                 nothing executes there: the command ended, its completion was lost
    COMMAND     error 03, buffer full    not taken: wait, and send it again, whatever it is
    any of them any other error          it is refused

*Executing* commands are known by their socket. "Completed" and the errors 04 and 41 with a socket in which
something executes end that command, whatever is in flight. A camera has two sockets; with both in use, only
inquiries and Cancel are sent.

*Silence.* Whatever is in flight is answered within `ANSWER_S`. If not, nobody knows what was heard, and a
late answer might be taken for that of the next packet. So the link is cleared: IF_Clear empties the sockets,
and what comes before its answer is of the past. What is safe to say twice is then sent once more; a relative
move or a toggle is not, and ends TIMED_OUT. An executing command that passes its own deadline is cancelled,
which frees its socket.

In a network each packet has a number and each answer that of its packet: one with another number is late,
and not believed.

What can never happen: two packets in flight; a request that ends twice, or never; an answer of another
camera, class or length that ends anything. What does not fit changes nothing but the count of strays.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any

from conclave_hal.errors import DeviceError, DeviceGoneError, UsageError
from conclave_hal.visca.commands import Command
from conclave_hal.visca.inquiries import Inquiry
from conclave_hal.visca.link_events import Changed, Died, Ended, Event, Kind, Outcome, Outgoing, Ready
from conclave_hal.visca.packet import BROADCAST, CONTROLLER, MAX_CAMERAS, Packet
from conclave_hal.visca.replies import (
    Acknowledged,
    Addressed,
    Answered,
    ChainChanged,
    Cleared,
    Completed,
    ErrorCode,
    Refused,
    Reply,
)

ANSWER_S = 1.5
"""A camera answers within one vertical cycle, which a slow shutter makes a second long (Sony EVI-H100)."""
START_S = 0.4
"""Between tries of ADDRESSING and CLEARING. Shorter than a slow shutter's second: their answers can be taken
for nothing else, so one that comes late is as good. All tries of CLEARING together are longer."""
ADDRESS_TRIES = 2
CLEAR_TRIES = 4
MAX_STARTS = 4
"""How often the chain may change before the link was READY once."""
SENDINGS = 2
"""How often one request is sent when nobody answers."""
BUFFER_FULL_PAUSE_S = 0.2
BUFFER_FULL_S = 20.0
"""After so long a camera that says that it is busy has refused."""
MAX_WAITING = 32
SOCKETS = 2


class Phase(Enum):
    """What the link is doing."""

    NEW = "new"
    ADDRESSING = "addressing"
    CLEARING = "clearing"
    READY = "ready"
    DEAD = "dead"


@dataclass(slots=True)
class _Request:
    ident: int
    what: "Command | Inquiry[Any]"
    sendings: int = 0
    number: int = 0
    """Of the packet that it was last sent with."""
    is_unwanted: bool = False
    """It was cancelled while it could not be yet."""
    full_since: float | None = None


@dataclass(slots=True)
class _Executing:
    request: _Request
    deadline: float
    is_cancelling: bool = False
    is_late: bool = False


@dataclass(frozen=True, slots=True)
class _InFlight:
    kind: Kind
    number: int
    deadline: float
    request: _Request | None = None
    socket: int = 0
    """The one that a CANCEL is for."""


class Link:
    """One camera on a wire. Bytes and `now` in; what to send, events and the next timer out."""

    def __init__(self, camera: int = 1, *, is_network: bool = False, sockets: int = SOCKETS) -> None:
        """`camera` is its place in the chain, 1 to 7; always 1 in a network."""
        if not 1 <= camera <= MAX_CAMERAS or (is_network and camera != 1):
            raise UsageError(f"no camera of a chain: {camera}")
        self._camera = camera
        self._is_network = is_network
        self._sockets = sockets
        self._phase = Phase.NEW
        self._now = float("-inf")
        self._idents = 0
        self._number = 0
        self._tries = self._starts = 0
        self._is_cleared_alone = False
        """Whether the camera has answered IF_Clear when it was for itself, not for all."""
        self._waiting: deque[_Request] = deque()
        self._in_flight: _InFlight | None = None
        self._executing: dict[int, _Executing] = {}
        self._resume_commands_at = float("-inf")
        self._outgoing: list[Outgoing] = []
        self._events: list[Event] = []
        self.strays = 0
        """How many replies have come that answer nothing."""

    def __repr__(self) -> str:
        in_flight = "nothing" if self._in_flight is None else self._in_flight.kind.value
        return (
            f"Link(camera {self._camera}, {self._phase.value}, {in_flight} in flight, "
            f"{len(self._executing)} executing, {len(self._waiting)} waiting)"
        )

    @property
    def phase(self) -> Phase:
        """What the link is doing."""
        return self._phase

    # What our side says

    def start(self, now: float) -> None:
        """Begin. Raises UsageError if it has begun."""
        if self._phase is not Phase.NEW:
            raise UsageError("the link has begun")
        self._pass_time(now)
        self._begin_addressing()

    def submit(self, what: "Command | Inquiry[Any]", now: float) -> int:
        """Queue a command or an inquiry; its number stands in the `Ended` that follows.

        Raises DeviceGoneError on a dead link, DeviceError when too many wait.
        """
        if self._phase in (Phase.NEW, Phase.DEAD):
            raise DeviceGoneError(f"the link to camera {self._camera} is {self._phase.value}")
        if len(self._waiting) >= MAX_WAITING:
            raise DeviceError(f"camera {self._camera} is too slow: {MAX_WAITING} requests wait for it")
        self._pass_time(now)
        self._idents += 1
        self._waiting.append(_Request(self._idents, what))
        self._send_next()
        return self._idents

    def cancel(self, ident: int, now: float) -> None:
        """Give up a request. What executes is stopped; what has ended stays ended."""
        self._pass_time(now)
        for request in self._waiting:
            if request.ident == ident:
                self._waiting.remove(request)
                self._end(request, Outcome.CANCELLED)
                return
        flying = None if self._in_flight is None else self._in_flight.request
        if flying is not None and flying.ident == ident:
            flying.is_unwanted = True
        for execution in self._executing.values():
            if execution.request.ident == ident:
                execution.request.is_unwanted = True
        self._send_next()

    def tick(self, now: float) -> None:
        """Let time pass. Raises UsageError if it runs backwards."""
        self._pass_time(now)
        for socket, execution in list(self._executing.items()):
            if execution.is_late or execution.deadline > now:
                continue
            execution.is_late = execution.request.is_unwanted = True
            if execution.is_cancelling and self._cancel_in_flight(socket) is None:
                # It was cancelled, and the camera knows no Cancel.
                self._end_execution(socket, Outcome.TIMED_OUT)
        if self._in_flight is not None and self._in_flight.deadline <= now:
            self._pass_deadline(self._in_flight)
        self._send_next()

    # What the wire says

    def receive(self, reply: Reply, now: float, number: int | None = None) -> None:
        """Take what a camera says; `number` is what its answer bears in a network."""
        self._pass_time(now)
        if isinstance(reply, ChainChanged):
            self._chain_changed()
        elif self._ends_execution(reply, number) or self._answers_in_flight(reply, number):
            self._send_next()
        else:
            self.strays += 1

    def sequence_reset(self, now: float) -> None:
        """The camera has begun its sequence numbers anew, as RESET asks."""
        self._pass_time(now)
        if self._phase is Phase.ADDRESSING and self._is_network:
            self._begin_clearing()
        else:
            self.strays += 1

    def sequence_refused(self, now: float, number: int) -> None:
        """The camera expects other sequence numbers: it has restarted, or another controller came.

        What bore the refused number was not done, so that even a relative move may be sent again.
        """
        self._pass_time(now)
        if self._phase not in (Phase.READY, Phase.CLEARING) or not self._is_network:
            self.strays += 1
            return
        flying = self._in_flight
        refused = None if flying is None or flying.number != number else flying.request
        if refused is not None:
            self._in_flight = None
        self._chain_changed()
        if refused is not None and refused.sendings < SENDINGS and not refused.is_unwanted:
            self._waiting.appendleft(refused)
        elif refused is not None:
            self._end(refused, Outcome.CANCELLED if refused.is_unwanted else Outcome.INTERRUPTED)

    # What comes out

    def take_outgoing(self) -> list[Outgoing]:
        """What to send, in this order. Each is told once."""
        taken, self._outgoing = self._outgoing, []
        return taken

    def take_events(self) -> list[Event]:
        """What has happened. Each is told once."""
        taken, self._events = self._events, []
        return taken

    def next_timer(self) -> float | None:
        """When `tick` is due, if nothing else happens before."""
        times = [e.deadline for e in self._executing.values() if not e.is_late]
        if self._in_flight is not None:
            times.append(self._in_flight.deadline)
        elif self._waiting and self._resume_commands_at > self._now:
            times.append(self._resume_commands_at)
        return min(times, default=None)

    # The start

    def _begin_addressing(self) -> None:
        self._phase, self._tries = Phase.ADDRESSING, 0
        self._starts += 1
        self._send_start()

    def _begin_clearing(self) -> None:
        self._phase, self._tries = Phase.CLEARING, 0
        self._send_start()

    def _send_start(self) -> None:
        self._tries += 1
        if self._phase is Phase.CLEARING:
            # There are cameras that know it in one of its two forms only: first what was answered before.
            is_broadcast = not self._is_network and self._tries % 2 != self._is_cleared_alone
            receiver = BROADCAST if is_broadcast else self._camera
            self._send(Kind.CLEAR, receiver, b"\x01\x00\x01", START_S)
        elif self._is_network:
            self._send(Kind.RESET, None, b"", START_S)
        else:
            self._send(Kind.ADDRESS, BROADCAST, b"\x30\x01", START_S)

    def _become_ready(self) -> None:
        self._phase, self._in_flight, self._starts = Phase.READY, None, 0
        self._resume_commands_at = float("-inf")
        self._events.append(Ready())

    def _die(self, reason: str, *, is_silence: bool) -> None:
        self._interrupt()
        while self._waiting:
            self._end(self._waiting.popleft(), Outcome.INTERRUPTED)
        self._phase = Phase.DEAD
        self._events.append(Died(reason, is_silence))

    def _chain_changed(self) -> None:
        if self._phase is Phase.READY:
            self._events.append(Changed())
            self._interrupt()
            self._begin_addressing()
        elif self._phase is Phase.CLEARING and self._starts < MAX_STARTS:
            self._begin_addressing()
        else:
            self.strays += 1

    def _interrupt(self) -> None:
        """Nothing is in flight or executes any more: put back what may be sent again, end the rest."""
        flying = None if self._in_flight is None else self._in_flight.request
        interrupted = [execution.request for execution in self._executing.values()]
        late = {execution.request.ident for execution in self._executing.values() if execution.is_late}
        self._in_flight = None
        self._executing.clear()
        for request in reversed(interrupted if flying is None else [*interrupted, flying]):
            is_repeatable = not isinstance(request.what, Command) or request.what.is_repeatable
            if request.ident in late:
                self._end(request, Outcome.TIMED_OUT)
            elif request.is_unwanted:
                self._end(request, Outcome.CANCELLED)
            elif is_repeatable and request.sendings < SENDINGS:
                self._waiting.appendleft(request)
            else:
                self._end(request, Outcome.TIMED_OUT if request is flying else Outcome.INTERRUPTED)

    # Time

    def _pass_time(self, now: float) -> None:
        if now < self._now:
            raise UsageError(f"time runs backwards, from {self._now} to {now}")
        self._now = now

    def _pass_deadline(self, late: _InFlight) -> None:
        if self._phase is Phase.READY:
            self._interrupt()
            self._begin_clearing()
        elif self._phase is Phase.ADDRESSING and self._tries >= ADDRESS_TRIES:
            self._begin_clearing()
        elif self._phase is Phase.CLEARING and self._tries >= CLEAR_TRIES:
            self._die("does not answer", is_silence=True)
        else:
            self._send_start()

    # Replies

    def _ends_execution(self, reply: Reply, number: int | None) -> bool:
        """Whether the reply was of a command in a socket."""
        if not isinstance(reply, Completed | Refused) or reply.camera != self._camera:
            return False
        execution = self._executing.get(reply.socket)
        if execution is None:
            return False
        cancel = self._cancel_in_flight(reply.socket)
        numbers = {None, execution.request.number}
        if cancel is not None:
            numbers.add(cancel.number)
        if number not in numbers:
            return False
        if isinstance(reply, Completed):
            self._end_execution(reply.socket, Outcome.DONE)
        elif reply.code in (ErrorCode.NOT_EXECUTABLE, ErrorCode.UNKNOWN):
            self._end_execution(reply.socket, Outcome.REFUSED, reply.code)
        elif reply.code is ErrorCode.CANCELLED:
            self._cancelled(reply.socket, reply.code)
        else:
            return False
        return True

    def _cancelled(self, socket: int, code: ErrorCode) -> None:
        """Nothing executes in `socket`: it was cancelled, or had ended before."""
        if self._cancel_in_flight(socket) is not None:
            self._in_flight = None
        execution = self._executing.get(socket)
        if execution is None:
            return
        if code is ErrorCode.NO_SOCKET:
            self._end_execution(socket, Outcome.DONE)
        else:
            self._end_execution(socket, Outcome.TIMED_OUT if execution.is_late else Outcome.CANCELLED)

    def _end_execution(self, socket: int, outcome: Outcome, code: ErrorCode | None = None) -> None:
        # A socket is free: what met a full buffer need not wait longer.
        self._resume_commands_at = float("-inf")
        self._end(self._executing.pop(socket).request, outcome, code=code)

    def _cancel_in_flight(self, socket: int) -> _InFlight | None:
        flying = self._in_flight
        is_it = flying is not None and flying.kind is Kind.CANCEL and flying.socket == socket
        return flying if is_it else None

    def _answers_in_flight(self, reply: Reply, number: int | None) -> bool:
        """Whether the reply was of the packet in flight."""
        flying = self._in_flight
        if flying is None:
            return False
        # An answer to an earlier try of the same IF_Clear is as good as one to the last.
        oldest = flying.number - self._tries + 1 if flying.kind is Kind.CLEAR else flying.number
        if number is not None and not oldest <= number <= flying.number:
            return False
        if getattr(reply, "camera", self._camera) != self._camera:
            return False
        act = _ANSWERS.get((flying.kind, type(reply)))
        return act is not None and act(self, flying, reply)

    def _addressed(self, flying: _InFlight, reply: Addressed) -> bool:
        if reply.cameras < self._camera:
            self._die(f"is not there: the chain has {reply.cameras}", is_silence=False)
        else:
            self._begin_clearing()
        return True

    def _address_refused(self, flying: _InFlight, reply: Refused) -> bool:
        self._begin_clearing()
        return True

    def _cleared(self, flying: _InFlight, reply: Reply) -> bool:
        if isinstance(reply, Completed | Refused) and reply.socket:
            return False  # of a command that is being cleared
        # A camera that knows no IF_Clear, and says so, is there all the same.
        self._is_cleared_alone = isinstance(reply, Completed)
        self._become_ready()
        return True

    def _acknowledged(self, flying: _InFlight, reply: Acknowledged) -> bool:
        request = flying.request
        if request is None or not isinstance(request.what, Command):
            return False
        if reply.socket in self._executing:
            # The camera has given the socket away: what was there has ended, and its completion was lost.
            self._end_execution(reply.socket, Outcome.DONE)
        self._in_flight = None
        self._executing[reply.socket] = _Executing(request, self._now + request.what.deadline_s)
        return True

    def _completed(self, flying: _InFlight, reply: Completed) -> bool:
        self._in_flight = None
        if flying.request is not None:
            self._end(flying.request, Outcome.DONE)
        return True

    def _answered(self, flying: _InFlight, reply: Answered) -> bool:
        request = flying.request
        if request is None or not isinstance(request.what, Inquiry):
            return False
        if len(reply.data) not in request.what.lengths:
            return False
        self._in_flight = None
        self._end(request, Outcome.DONE, data=reply.data)
        return True

    def _refused(self, flying: _InFlight, reply: Refused) -> bool:
        request = flying.request
        if request is None or reply.code in (ErrorCode.CANCELLED, ErrorCode.NO_SOCKET):
            return False
        self._in_flight = None
        if reply.code is not ErrorCode.BUFFER_FULL or request.is_unwanted:
            self._end(request, Outcome.REFUSED, code=reply.code)
            return True
        if request.full_since is None:
            request.full_since = self._now
        if self._now - request.full_since >= BUFFER_FULL_S:
            self._end(request, Outcome.REFUSED, code=reply.code)
            return True
        request.sendings -= 1  # it was heard, and not taken
        self._waiting.appendleft(request)
        self._resume_commands_at = self._now + BUFFER_FULL_PAUSE_S
        return True

    def _cancel_refused(self, flying: _InFlight, reply: Refused) -> bool:
        if reply.code in (ErrorCode.CANCELLED, ErrorCode.NO_SOCKET):
            self._cancelled(flying.socket, reply.code)
            return True
        # A camera without Cancel: the command goes on there. Its socket is ours until it ends or is late.
        self._in_flight = None
        execution = self._executing.get(flying.socket)
        if execution is not None and execution.is_late:
            self._end_execution(flying.socket, Outcome.TIMED_OUT)
        return True

    # Sending

    def _send_next(self) -> None:
        if self._phase is not Phase.READY or self._in_flight is not None:
            return
        for socket, execution in self._executing.items():
            if execution.request.is_unwanted and not execution.is_cancelling:
                execution.is_cancelling = True
                self._send(Kind.CANCEL, self._camera, bytes((0x20 | socket,)), ANSWER_S, socket=socket)
                return
        has_room = len(self._executing) < self._sockets and self._now >= self._resume_commands_at
        for request in self._waiting:
            is_inquiry = isinstance(request.what, Inquiry)
            if is_inquiry and request.full_since is not None and self._now < self._resume_commands_at:
                continue
            if is_inquiry or has_room:
                self._waiting.remove(request)
                request.sendings += 1
                kind = Kind.INQUIRY if is_inquiry else Kind.COMMAND
                self._send(kind, self._camera, request.what.message, ANSWER_S, request=request)
                return

    def _send(
        self,
        kind: Kind,
        receiver: int | None,
        message: bytes,
        answer_s: float,
        *,
        request: _Request | None = None,
        socket: int = 0,
    ) -> None:
        self._number = 0 if kind is Kind.RESET else (self._number + 1) % 2**32
        if request is not None:
            request.number = self._number
        packet = None if receiver is None else Packet(CONTROLLER, receiver, message)
        self._in_flight = _InFlight(kind, self._number, self._now + answer_s, request, socket)
        self._outgoing.append(Outgoing(kind, packet, self._number))

    def _end(
        self, request: _Request, outcome: Outcome, *, data: bytes = b"", code: ErrorCode | None = None
    ) -> None:
        self._events.append(Ended(request.ident, outcome, data, code))


_ANSWERS: dict[tuple[Kind, type[Reply]], Callable[[Link, _InFlight, Any], bool]] = {
    (Kind.ADDRESS, Addressed): Link._addressed,
    (Kind.ADDRESS, Refused): Link._address_refused,
    (Kind.RESET, Refused): Link._address_refused,
    (Kind.CLEAR, Cleared): Link._cleared,
    (Kind.CLEAR, Completed): Link._cleared,
    (Kind.CLEAR, Refused): Link._cleared,
    (Kind.COMMAND, Acknowledged): Link._acknowledged,
    (Kind.COMMAND, Completed): Link._completed,
    (Kind.COMMAND, Refused): Link._refused,
    (Kind.INQUIRY, Answered): Link._answered,
    (Kind.INQUIRY, Refused): Link._refused,
    (Kind.CANCEL, Refused): Link._cancel_refused,
}
"""What may answer what; each says whether it did. Everything else is a stray."""
