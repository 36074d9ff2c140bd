"""The hub: a small conference service in one process, WebSocket over TLS and a media relay.

It orders each meeting's log, carries lobby and live messages, names a leader, keeps sealed
invitations, and forwards media. It knows addresses, times and sizes; it has no key of any
meeting and judges nothing: whether a commit is valid is for the members to say.

    python -m conclaved.conference.hub --listen 127.0.0.1:8443 --cert hub.pem --key hub.key \\
        --state /var/lib/conclave-hub

Invitations outlive it in the directory of `--state`. Logs need not: members whose log is gone meet
again by themselves, in a new group.
"""

import argparse
import asyncio
import json
import logging
import re
import signal
import ssl
import struct
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.frames import CloseCode
from websockets.http11 import Request, Response

from conclaved.conference import wire
from conclaved.conference.errors import ConferenceError, ProtocolError
from conclaved.conference.kept_invitations import KeptInvitations, StateError
from conclaved.conference.limits import Allowance, HubLimits, Share
from conclaved.conference.relay import Relay
from conclaved.rtp.errors import RtpUsageError

log = logging.getLogger(__name__)

MAX_LOG_ENTRIES = 20_000
MAX_LOG_BYTES = 64 * 1024 * 1024
MAX_QUEUED = 4096
MAX_CLIENTS_PER_MEETING = 6000
MAX_PORT = 0xFFFF
FORGET_S = 5.0
"""How long a log outlives the last member of its group."""
INVITATION_BURST = 100
INVITATIONS_PER_S = 1.0
"""For all who leave some together: whoever leaves many would push out everybody else's."""
HELLO_TIMEOUT_S = 10.0
IN_ONE_GO = 64
"""So many messages of a client are taken before all others have their turn, media above all."""
FLOODER_WAITS_S = 0.5
"""What a client says beyond its allowance is dropped, and the next is read only then."""
_REFUSALS = frozenset({CloseCode.PROTOCOL_ERROR, CloseCode.INVALID_DATA, CloseCode.MESSAGE_TOO_BIG})

Capture = Callable[[bytes], None]


class HubStartError(ConferenceError):
    """The hub cannot start as it was told to."""


@dataclass(eq=False, slots=True)
class _Allowed:
    """What one client may send of a kind: all of it, and what passes before anything is taken from others."""

    messages: Allowance
    own: Share


@dataclass(eq=False, slots=True)
class _Client:
    """One connection at one meeting."""

    number: int
    connection: ServerConnection
    queue: "asyncio.Queue[bytes]"
    elsewhere: _Allowed
    in_lobby: _Allowed
    replay_at: int = 0
    """The next entry of a replay that is under way; at the log's head none is."""
    is_member: bool = False
    has_media: bool = False

    def allowed(self, kind: int) -> _Allowed:
        """What holds for a message whose first byte this is."""
        return self.in_lobby if kind == wire.LOBBY_DATA else self.elsewhere

    def send(self, message: wire.ToDevice) -> None:
        """Queue a message; a client that does not read is cut off, and comes back by a replay."""
        try:
            self.queue.put_nowait(wire.encode(message))
        except asyncio.QueueFull:
            self.connection.transport.abort()


@dataclass(eq=False, slots=True)
class _Meeting:
    """What the hub keeps of a meeting: opaque bytes in order."""

    address: bytes
    shared: Share
    first: int = 0
    entries: list[bytes] = field(default_factory=list)
    size_bytes: int = 0
    clients: dict[int, _Client] = field(default_factory=dict)
    leader: int | None = None
    forgetting: asyncio.TimerHandle | None = None

    @property
    def head(self) -> int:
        return self.first + len(self.entries)

    def entry(self, sequence: int) -> wire.LogEntry | None:
        """An entry that is still kept, or the oldest after it; None at the head."""
        at = max(sequence, self.first)
        return wire.LogEntry(at, self.entries[at - self.first]) if at < self.head else None

    def append(self, data: bytes) -> int:
        """Add an entry, drop the oldest beyond the limits. Returns its sequence number."""
        self.entries.append(data)
        self.size_bytes += len(data)
        while len(self.entries) > MAX_LOG_ENTRIES or self.size_bytes > MAX_LOG_BYTES:
            self.size_bytes -= len(self.entries.pop(0))
            self.first += 1
        return self.head - 1

    def broadcast(self, message: wire.ToDevice, *, but: _Client | None = None) -> None:
        """Send to everybody at the address."""
        for client in self.clients.values():
            if client is not but:
                client.send(message)


class Hub:
    """The service. `start` listens, `close` ends everything."""

    def __init__(
        self,
        *,
        capture: Capture | None = None,
        state: Path | None = None,
        forget_s: float = FORGET_S,
        max_queued: int = MAX_QUEUED,
        limits: HubLimits = HubLimits(),  # noqa: B008 -- frozen
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`capture` gets every message and every media packet as the hub sees it: for audits.

        `state` is the directory in which invitations outlive the hub, `forget_s` how long a log outlives
        its last member, `max_queued` how many messages may wait for one client, `clock` (seconds, never
        going back) what the allowances of `limits` grow by. Raises StateError when `state` cannot be used.
        """
        self._capture = capture
        self._forget_s = forget_s
        self._max_queued = max_queued
        self._limits = limits
        self._clock = clock
        self._meetings: dict[bytes, _Meeting] = {}
        self._kept = KeptInvitations(state)
        self._server: Server | None = None
        self._relay: Relay | None = None
        self._invitations = Allowance(INVITATION_BURST, INVITATIONS_PER_S)
        self._numbers = 0
        self.refused = 0

    async def start(self, host: str, port: int, tls: ssl.SSLContext, *, media_host: str = "") -> int:
        """Listen; `port` 0 takes a free one. Returns the port.

        Raises HubStartError or RelayUnavailableError.
        """
        self._relay = await Relay.start(media_host or host, 0, capture=self._capture)
        try:
            self._server = await serve(
                self._serve,
                host,
                port,
                ssl=tls,
                max_size=wire.MAX_MESSAGE_BYTES,
                compression=None,
                process_request=self._page,
                logger=logging.getLogger("conclaved.conference.hub.websocket"),
            )
        except (OSError, ValueError) as error:
            await self._relay.close()
            raise HubStartError(
                f"cannot listen on {host}:{port}: {error}", hint="choose another --listen"
            ) from error
        return int(next(iter(self._server.sockets)).getsockname()[1])

    async def close(self) -> None:
        """End all connections."""
        for meeting in self._meetings.values():
            if meeting.forgetting is not None:
                meeting.forgetting.cancel()
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
        if self._relay is not None:
            await self._relay.close()

    def status(self) -> dict[str, object]:
        """Numbers for the operator: no name is among them, because the hub has none."""
        return {
            "meetings": [
                {
                    "address": meeting.address.hex()[:16],
                    "log_entries": meeting.head,
                    "clients": len(meeting.clients),
                    "members": sum(client.is_member for client in meeting.clients.values()),
                }
                for meeting in self._meetings.values()
            ],
            "invitations": len(self._kept),
            "refused": self.refused,
        }

    # -- one connection -------------------------------------------------------------------------

    async def _serve(self, connection: ServerConnection) -> None:
        try:
            async with asyncio.timeout(HELLO_TIMEOUT_S):
                first = wire.decode(await self._receive(connection))
            if isinstance(first, wire.PutBlob | wire.GetBlob):
                await connection.send(wire.encode(await self._blob(first)))
                return
            if not isinstance(first, wire.Hello) or len(first.address) != wire.ADDRESS_BYTES:
                raise ProtocolError("the first message is no Hello")
            if first.version != wire.VERSION:
                raise ProtocolError(f"version {first.version} is not spoken here")
            await self._attend(connection, first.address)
        except ProtocolError as error:
            self.refused += 1
            log.warning("refused %s: %s", connection.remote_address, error)
            await _say_refused(connection, str(error))
        except ConnectionClosed as error:
            # What is too long, or no WebSocket at all, is refused one floor below, and closed by us.
            if not error.rcvd_then_sent and error.sent is not None and error.sent.code in _REFUSALS:
                self.refused += 1
                log.warning("refused %s: %s", connection.remote_address, error)
        except TimeoutError:
            pass

    async def _receive(self, connection: ServerConnection) -> bytes | str:
        data = await connection.recv()
        if self._capture is not None and isinstance(data, bytes):
            self._capture(data)
        return data

    async def _take_some(self, meeting: _Meeting, client: _Client) -> bool:
        """Take as many messages of a client as others can wait for; says whether any was too many."""
        is_flooding = False
        for _ in range(IN_ONE_GO):
            data = await self._receive(client.connection)
            kind = data[0] if isinstance(data, bytes) and data else 0
            if client.allowed(kind).messages.take(self._clock()):
                self._on_message(meeting, client, wire.decode(data))
            else:
                self.refused += 1
                is_flooding = True
        return is_flooding

    async def _attend(self, connection: ServerConnection, address: bytes) -> None:
        limits = self._limits
        meeting = self._meetings.setdefault(address, _Meeting(address, limits.shared()))
        if len(meeting.clients) >= MAX_CLIENTS_PER_MEETING:
            raise ProtocolError("the meeting is full")
        self._numbers += 1
        client = _Client(
            self._numbers,
            connection,
            asyncio.Queue(self._max_queued),
            elsewhere=_Allowed(Allowance(limits.client_burst, limits.client_per_s), limits.own()),
            in_lobby=_Allowed(Allowance(limits.client_burst, limits.client_per_s), limits.own()),
        )
        meeting.clients[client.number] = client
        client.send(wire.Ready(meeting.head))
        writer = asyncio.create_task(_write(meeting, client))
        try:
            while True:
                is_flooding = await self._take_some(meeting, client)
                # While messages wait, receiving them never yields; whoever floods waits a while.
                await asyncio.sleep(FLOODER_WAITS_S if is_flooding else 0)
        finally:
            writer.cancel()
            await asyncio.gather(writer, return_exceptions=True)
            self._depart(meeting, client)

    def _depart(self, meeting: _Meeting, client: _Client) -> None:
        del meeting.clients[client.number]
        if client.has_media and self._relay is not None:
            self._relay.remove_client(meeting.address, client.number)
        if meeting.leader == client.number:
            self._name_leader(meeting)
        self._forget_if_unused(meeting)

    def _on_message(self, meeting: _Meeting, client: _Client, message: wire.Message) -> None:
        if isinstance(message, wire.PublishEntry | wire.LobbyData | wire.LiveData):
            now, size = self._clock(), len(message.data)
            own = client.in_lobby.own if isinstance(message, wire.LobbyData) else client.elsewhere.own
            if not (own.take(now, size) or meeting.shared.take(now, size)):
                self.refused += 1
                return
        match message:
            case wire.PublishEntry(token, expected, data):
                is_accepted = expected is None or expected == meeting.head
                client.send(wire.PublishAnswer(token, is_accepted))
                if is_accepted:
                    sequence = meeting.append(data)
                    meeting.broadcast(wire.LogEntry(sequence, data))
            case wire.LobbyData() | wire.LiveData():
                meeting.broadcast(message, but=client)
            case wire.ReplayFrom(sequence):
                # The writer goes on from here as fast as the client reads.
                entry = meeting.entry(sequence)
                if entry is not None:
                    client.replay_at = entry.sequence + 1
                    client.send(entry)
            case wire.AnnounceMember(is_member):
                client.is_member = is_member
                if is_member and meeting.leader is None:
                    self._name_leader(meeting)
                if not is_member and meeting.leader == client.number:
                    self._name_leader(meeting)
                self._forget_if_unused(meeting)
            case wire.OpenMedia() if self._relay is not None:
                client.send(self._media_place(self._relay, meeting, client))
            case _:
                raise ProtocolError(f"a {type(message).__name__} does not belong here")

    def _media_place(
        self, relay: Relay, meeting: _Meeting, client: _Client
    ) -> wire.MediaPlace | wire.NoMediaPlace:
        try:
            offer = relay.add_client(meeting.address, client.number)
        except RtpUsageError as error:
            self.refused += 1
            return wire.NoMediaPlace(str(error))
        client.has_media = True
        return wire.MediaPlace(offer.encode())

    def _name_leader(self, meeting: _Meeting) -> None:
        """The member that has been connected longest commits first; that is all a leader is."""
        members = [client for client in meeting.clients.values() if client.is_member]
        leader = min(members, key=lambda client: client.number, default=None)
        meeting.leader = None if leader is None else leader.number
        for client in meeting.clients.values():
            client.send(wire.LeaderIs(client is leader))

    def _forget_if_unused(self, meeting: _Meeting) -> None:
        is_used = any(client.is_member for client in meeting.clients.values())
        if is_used and meeting.forgetting is not None:
            meeting.forgetting.cancel()
            meeting.forgetting = None
        if not is_used and meeting.forgetting is None:
            loop = asyncio.get_running_loop()
            meeting.forgetting = loop.call_later(self._forget_s, self._forget, meeting)

    def _forget(self, meeting: _Meeting) -> None:
        meeting.forgetting = None
        if not meeting.clients:
            self._meetings.pop(meeting.address, None)
        elif meeting.head:
            meeting.entries.clear()
            meeting.first = meeting.size_bytes = 0
            for client in meeting.clients.values():
                client.replay_at = 0
            meeting.broadcast(wire.Ready(0))

    # -- invitations ----------------------------------------------------------------------------

    async def _blob(self, message: wire.PutBlob | wire.GetBlob) -> wire.Blob:
        if isinstance(message, wire.GetBlob):
            return wire.Blob(message.digest, await self._kept.find(message.digest))
        if len(message.data) > wire.MAX_BLOB_BYTES:
            raise ProtocolError("an invitation of impossible size")
        if not self._invitations.take(self._clock()):
            raise ProtocolError("too many invitations at once; try again in a moment")
        try:
            return wire.Blob(await self._kept.keep(message.data), None)
        except StateError as error:
            log.warning("%s", error)
            raise ProtocolError("the service has no room for an invitation now") from error

    def _page(self, connection: ServerConnection, request: Request) -> Response | None:
        """What a browser sees that follows a meeting's link; the fragment never comes here."""
        if any("upgrade" in value.lower() for value in request.headers.get_all("Connection")):
            return None
        body = (
            b"<!doctype html><meta charset=utf-8><title>Conclave</title>"
            b"<p>This is the link of an end-to-end encrypted meeting.</p>"
            b"<p>Join from a Conclave room: <code>conclavectl meeting join LINK</code></p>"
        )
        headers = Headers(
            {
                "Content-Type": "text/html; charset=utf-8",
                "Content-Length": str(len(body)),
                "Content-Security-Policy": "default-src 'none'",
                "Referrer-Policy": "no-referrer",
                "Connection": "close",
            }
        )
        return Response(HTTPStatus.OK, "OK", headers, body)


async def _say_refused(connection: ServerConnection, reason: str) -> None:
    try:
        await connection.send(wire.encode(wire.Refused(reason)))
    except ConnectionClosed:
        return


async def _write(meeting: _Meeting, client: _Client) -> None:
    """Send what waits; a replay goes on whenever nothing does, so that a long one fills no queue."""
    try:
        while True:
            entry = meeting.entry(client.replay_at) if client.replay_at and client.queue.empty() else None
            if entry is not None:
                client.replay_at = entry.sequence + 1
                await client.connection.send(wire.encode(entry))
                continue
            if client.queue.empty():
                client.replay_at = 0
            await client.connection.send(await client.queue.get())
    except ConnectionClosed:
        return


def server_context(certificate: Path, key: Path) -> ssl.SSLContext:
    """TLS 1.3 for the hub: SRTP keys travel on it. Raises HubStartError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    for option, path in (("--cert", certificate), ("--key", key)):
        try:
            path.read_bytes()
        except OSError as error:
            raise HubStartError(f"{option} {path} cannot be read: {error.strerror}") from error
    try:
        # Without a password OpenSSL would ask for one at the terminal.
        context.load_cert_chain(certificate, key, password="")
    except ssl.SSLError as error:
        raise HubStartError(
            f"--cert {certificate} and --key {key} are not a certificate and its key, both PEM, unencrypted"
        ) from error
    return context


def _capture_to(path: Path) -> Capture:
    try:
        file = path.open("wb", buffering=0)
    except OSError as error:
        raise HubStartError(f"--capture {path} cannot be written: {error.strerror}") from error

    def write(data: bytes) -> None:
        file.write(struct.pack(">I", len(data)) + data)

    return write


def _host_and_port(listen: str) -> tuple[str, int]:
    host, _, port = listen.rpartition(":")
    if not host or not re.fullmatch("[0-9]{1,5}", port) or int(port) > MAX_PORT:
        raise HubStartError(f"--listen {listen} is not HOST:PORT", hint="for example 127.0.0.1:8443")
    return host, int(port)


async def _main(arguments: argparse.Namespace) -> None:
    host, port = _host_and_port(arguments.listen)
    tls = server_context(arguments.cert, arguments.key)
    capture = _capture_to(arguments.capture) if arguments.capture else None
    hub = Hub(capture=capture, state=arguments.state)
    listening = await hub.start(host.strip("[]"), port, tls, media_host=arguments.media)
    print(json.dumps({"host": host, "port": listening}), flush=True)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await stop.wait()
    print(json.dumps(hub.status()), flush=True)
    await hub.close()


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m conclaved.conference.hub",
        description="A small conference service. It carries encrypted meetings and can read none of them.",
        epilog="It prints one line of JSON when it listens, and one with its numbers when it ends.",
    )
    parser.add_argument(
        "--listen", default="127.0.0.1:8443", metavar="HOST:PORT", help="port 0 takes a free one"
    )
    parser.add_argument("--cert", type=Path, required=True, help="certificate chain, PEM")
    parser.add_argument("--key", type=Path, required=True, help="its private key, PEM")
    parser.add_argument(
        "--media", default="", metavar="HOST", help="address for media, if another than --listen"
    )
    parser.add_argument(
        "--state",
        type=Path,
        metavar="DIR",
        help="keep invitations there, so that links still work after a restart",
    )
    parser.add_argument(
        "--capture",
        type=Path,
        metavar="FILE",
        help="write all that this service sees, to audit what it could read",
    )
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s")
    try:
        asyncio.run(_main(arguments))
    except ConferenceError as error:
        print(f"hub: {error}{f' ({error.hint})' if error.hint else ''}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
