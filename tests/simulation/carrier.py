"""The conference service: one log, a lobby, live messages, a leader. And what it does when it is bad.

What it is told to do wrong stands in a few fields that `faults` sets. It never opens a message; where it
hides one member's Remove, somebody who knows told it which entry that is.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from random import Random
from typing import Protocol

from conclaved.meeting.events import (
    Announce,
    CarrierEvent,
    Connected,
    Disconnected,
    Entry,
    Leader,
    Live,
    Lobby,
    Publish,
    PublishResult,
    Replay,
    SendLive,
    SendLobby,
)
from tests.simulation.loop import Loop
from tests.simulation.network import Path

Upward = Publish | SendLobby | SendLive | Replay | Announce
_KEPT = 64


class Client(Protocol):
    """Who is connected to the service."""

    label: str
    path: Path
    connection: int
    """Counts connections; 0 is none. What was sent on an earlier one never arrives."""
    is_member: bool

    def hear(self, event: CarrierEvent) -> None:
        """Something from the service."""


@dataclass(eq=False)
class Side:
    """A log, and who is shown it. There is one, unless the service forks."""

    log: list[bytes] = field(default_factory=list)
    leader: Client | None = None
    offset: int = 0


class Carrier:
    """See the file's head."""

    def __init__(self, loop: Loop, rng: Random, bites: Counter[str]) -> None:
        self.loop = loop
        self.rng = rng
        self.bites = bites
        self.clients: list[Client] = []
        self.sides: list[Side] = [Side()]
        self.side_of: dict[Client, Side] = {}
        self.hidden_from: dict[Client, int] = {}
        """Who gets no entry from that sequence number on."""
        self.delays_live: dict[Client, float] = {}
        """Whose live messages are held back so long, in order."""
        self.longest_held: dict[Client, float] = {}
        """The longest that they ever were: who came in then takes it for the way that messages take."""
        self.names_leaders = True
        self.lies_about_results = 0.0
        self.carries_between_sides = False
        self.seen: list[tuple[Client, Entry | Lobby | Live]] = []
        """Lately delivered, for replays."""
        self.accepted: Callable[[Client, Publish, Side], None] = lambda client, publish, side: None
        self._connections = 0

    # -- connections ----------------------------------------------------------------------------

    def connect(self, client: Client) -> None:
        """A client reaches the service."""
        self._connections += 1
        client.connection = self._connections
        client.is_member = False
        if client not in self.clients:
            self.clients.append(client)
        side = self.side_of.setdefault(client, self.sides[0])
        self._send(client, Connected(len(side.log)), is_safe=True)

    def disconnect(self, client: Client, *, is_noticed: bool) -> None:
        """A client loses the service; the service notices."""
        was, client.connection = client.connection, 0
        if client in self.clients:
            self.clients.remove(client)
        client.is_member = False
        side = self.side_of.get(client, self.sides[0])
        if side.leader is client:
            self.name_leader(side)
        if was and is_noticed:
            client.hear(Disconnected())

    def on_side(self, side: Side) -> list[Client]:
        """The clients that are shown this log."""
        return [client for client in self.clients if self.side_of.get(client) is side]

    # -- down -----------------------------------------------------------------------------------

    def deliver(self, client: Client, event: CarrierEvent) -> None:
        """Send something to a client, whatever the weather makes of it."""
        if isinstance(event, Entry) and event.sequence >= self.hidden_from.get(client, event.sequence + 1):
            self.bites["hidden_remove"] += 1
            return
        if isinstance(event, Entry | Lobby | Live):
            self.seen.append((client, event))
            if len(self.seen) > _KEPT:
                del self.seen[: _KEPT // 2]
        self._send(client, event, is_safe=False)

    def _send(self, client: Client, event: CarrierEvent, *, is_safe: bool) -> None:
        is_safe = is_safe or not isinstance(event, Entry | Lobby | Live)
        held = self.delays_live.get(client, 0.0) if isinstance(event, Live) else 0.0
        for arrival in client.path.arrivals(self.loop.now, is_up=False, is_safe=is_safe):
            self.loop.at(arrival + held, partial(self._arrive, client, client.connection, event))

    @staticmethod
    def _arrive(client: Client, connection: int, event: CarrierEvent) -> None:
        if client.connection == connection != 0:
            client.hear(event)

    # -- up -------------------------------------------------------------------------------------

    def send_up(self, client: Client, effect: Upward) -> None:
        """A client says something; it is under way for a while."""
        if not client.connection:
            return
        is_safe = isinstance(effect, Announce)
        for arrival in client.path.arrivals(self.loop.now, is_up=True, is_safe=is_safe):
            self.loop.at(arrival, partial(self._take, client, client.connection, effect))

    def _take(self, client: Client, connection: int, effect: Upward) -> None:
        if client.connection != connection:
            return
        side = self.side_of[client]
        match effect:
            case Publish():
                self._publish(client, effect, side)
            case SendLobby(data):
                for each in self._audience(client, side):
                    self.deliver(each, Lobby(data))
            case SendLive(data):
                for each in self._audience(client, side):
                    self.deliver(each, Live(data))
            case Replay(sequence):
                for at in range(max(0, sequence), len(side.log)):
                    self.deliver(client, Entry(at, side.log[at]))
            case Announce(is_member):
                client.is_member = is_member
                if side.leader is None or (side.leader is client and not is_member):
                    self.name_leader(side)

    def _audience(self, client: Client, side: Side) -> list[Client]:
        everybody = self.clients if self.carries_between_sides else self.on_side(side)
        return [each for each in everybody if each is not client]

    def _publish(self, client: Client, publish: Publish, side: Side) -> None:
        fits = publish.expected in (None, len(side.log))
        lie = self.lies_about_results and self.rng.random() < self.lies_about_results
        if lie:
            self.bites["false_results"] += 1
            if fits and self.rng.random() < 0.5:
                self.deliver(client, PublishResult(publish.token, accepted=True))
                return
        self.deliver(client, PublishResult(publish.token, fits and not lie))
        if fits:
            self.append(publish.data, side)
            self.accepted(client, publish, side)

    def append(self, data: bytes, side: Side) -> None:
        """Put an entry into a log and show it to those who see that log."""
        side.log.append(data)
        for each in self.on_side(side):
            self.deliver(each, Entry(len(side.log) - 1, data))

    def name_leader(self, side: Side) -> None:
        """Name the member that has been there longest."""
        if not self.names_leaders:
            return
        clients = self.on_side(side)
        side.leader = next((client for client in clients if client.is_member), None)
        for client in clients:
            self.deliver(client, Leader(client is side.leader))

    # -- what a bad one does --------------------------------------------------------------------

    def fork(self, apart: list[Client]) -> Side:
        """Show these clients a log of their own from now on."""
        side = Side(list(self.sides[0].log))
        self.sides.append(side)
        for client in apart:
            self.side_of[client] = side
        self.name_leader(side)
        self.name_leader(self.sides[0])
        return side

    def heal(self, side: Side, *, is_noticed: bool) -> None:
        """End a fork: everybody is shown the first log again."""
        moved = [client for client, at in self.side_of.items() if at is side]
        self.sides.remove(side)
        for client in moved:
            self.side_of[client] = self.sides[0]
        if is_noticed:
            self.reconnect(moved)
        self.name_leader(self.sides[0])

    def reconnect(self, clients: list[Client]) -> None:
        """Those who are connected lose the connection, and get another one at once."""
        for client in clients:
            if client.connection:
                self.disconnect(client, is_noticed=True)
                self.connect(client)

    def go_down(self) -> list[Client]:
        """Be gone, and with it every log; returns who was connected. `connect` is how they come back."""
        clients, side = list(self.clients), self.sides[0]
        side.log.clear()
        side.leader = None
        for client in clients:
            self.disconnect(client, is_noticed=True)
        return clients

    def forget(self, entries: int) -> None:
        """Lose the end of the log, or all of it, as after a crash of the service: everybody connects anew."""
        side = self.sides[0]
        del side.log[max(0, len(side.log) - entries) :]
        side.leader = None
        self.reconnect(self.on_side(side))
        self.name_leader(side)
