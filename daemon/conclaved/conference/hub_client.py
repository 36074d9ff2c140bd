"""A device's connection to the hub: reconnects by itself, judges nothing."""

import asyncio
import contextlib
import logging
import os
import re
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from random import SystemRandom

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidMessage, InvalidURI

from conclaved.conference import wire
from conclaved.conference.base import CarrierEffect
from conclaved.conference.errors import (
    ConferenceError,
    NotFoundError,
    ProtocolError,
    RefusedError,
    ServiceTimeoutError,
    UnreachableError,
)
from conclaved.conference.limits import Allowance, CarrierLimits
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
from conclaved.rtp.errors import RtpError
from conclaved.rtp.offer import MediaOffer

log = logging.getLogger(__name__)

OPEN_TIMEOUT_S = 10.0
ANSWER_TIMEOUT_S = 10.0
CLOSE_TIMEOUT_S = 2.0
FIRST_PAUSE_S = 0.25
LONGEST_PAUSE_S = 5.0
MAX_QUEUED = 1024
IN_ONE_GO = 64
"""So many messages are taken before everything else in the daemon has its turn, media above all."""


def client_context(authority: Path | None) -> ssl.SSLContext:
    """TLS 1.3 towards the service, whose certificate is checked against `authority` (PEM) or the system's.

    Raises UnreachableError when the file cannot be used.
    """
    try:
        context = ssl.create_default_context(cafile=None if authority is None else str(authority))
    except OSError as error:
        raise UnreachableError(
            f"{authority} holds no certificate of the conference service's CA: {error.strerror or error}",
            hint="set it in the configuration: [service] ca_file",
        ) from error
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    return context


class HubClient:
    """A carrier (see `conference.base`) to the hub, for one meeting."""

    def __init__(
        self,
        service: str,
        address: bytes,
        tls: ssl.SSLContext,
        *,
        limits: CarrierLimits = CarrierLimits(),  # noqa: B008 -- frozen
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`service` is `wss://host:port`, `address` the meeting's address of 32 bytes.

        `pause` waits so many seconds between two tries; `clock` (seconds, never going back) is what
        the allowances of `limits` grow by.
        """
        self._pause = pause
        self._clock = clock
        self._limits = limits
        self.dropped = 0
        """Messages that went beyond the limits, and were not read."""
        self._service = service
        self._address = address
        self._tls = tls
        self._queue: asyncio.Queue[bytes] = asyncio.Queue(MAX_QUEUED)
        self._offer: asyncio.Future[MediaOffer] | None = None
        self._random = SystemRandom()
        self._is_flushed = asyncio.Event()
        self._is_flushed.set()

    async def run(self, on_event: Callable[[CarrierEvent], None]) -> None:
        """Stay connected until cancelled; pauses between tries grow, with jitter."""
        pause = FIRST_PAUSE_S
        while True:
            try:
                async with _open(self._service, self._tls) as connection:
                    pause = FIRST_PAUSE_S
                    await self._attend(connection, on_event)
            except ConferenceError as error:
                log.warning("conference service %s: %s", self._service, error)
            self._queue = asyncio.Queue(MAX_QUEUED)
            self._is_flushed.set()
            on_event(Disconnected())
            await self._pause(pause * self._random.uniform(0.5, 1.5))
            pause = min(2 * pause, LONGEST_PAUSE_S)

    def perform(self, effect: CarrierEffect) -> None:
        """Queue what a session wants sent."""
        match effect:
            case Publish(token, data, expected):
                self._send(wire.PublishEntry(token, expected, data))
            case SendLobby(data):
                self._send(wire.LobbyData(data))
            case SendLive(data):
                self._send(wire.LiveData(data))
            case Replay(sequence):
                self._send(wire.ReplayFrom(sequence))
            case Announce(is_member):
                self._send(wire.AnnounceMember(is_member))

    async def flush(self) -> None:
        """Return when the queue is with the network, or after two seconds."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(2.0):
                await self._is_flushed.wait()

    async def open_media(self) -> MediaOffer:
        """A place in the relay. Raises RefusedError where there is none, and ServiceTimeoutError."""
        self._offer = asyncio.get_running_loop().create_future()
        self._send(wire.OpenMedia())
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                return await self._offer
        except TimeoutError as error:
            raise ServiceTimeoutError("the conference service gave no place for media") from error
        finally:
            self._offer = None

    def _send(self, message: wire.ToHub) -> None:
        try:
            self._queue.put_nowait(wire.encode(message))
            self._is_flushed.clear()
        except asyncio.QueueFull:
            log.warning("conference service %s: too much waits to be sent; dropped one", self._service)

    async def _attend(self, connection: ClientConnection, on_event: Callable[[CarrierEvent], None]) -> None:
        await _say(connection, wire.Hello(wire.VERSION, self._address))
        writer = asyncio.create_task(self._write(connection))
        intake = _Intake(self._limits)
        try:
            while True:
                for _ in range(IN_ONE_GO):
                    data = await _hear(connection)
                    if not intake.takes(data, self._clock()):
                        self.dropped += 1
                        continue
                    event = self._event(wire.decode(data))
                    if event is not None:
                        on_event(event)
                # While messages wait, receiving them never yields.
                await asyncio.sleep(0)
        finally:
            writer.cancel()
            await asyncio.gather(writer, return_exceptions=True)

    async def _write(self, connection: ClientConnection) -> None:
        queue = self._queue
        while True:
            data = await queue.get()
            try:
                await connection.send(data)
            except ConnectionClosed:
                return
            if queue.empty():
                self._is_flushed.set()

    def _event(self, message: wire.Message) -> CarrierEvent | None:
        match message:
            case wire.Ready(head):
                return Connected(head)
            case wire.LogEntry(sequence, data):
                return Entry(sequence, data)
            case wire.LobbyData(data):
                return Lobby(data)
            case wire.LiveData(data):
                return Live(data)
            case wire.PublishAnswer(token, is_accepted):
                return PublishResult(token, is_accepted)
            case wire.LeaderIs(is_you):
                return Leader(is_you)
            case wire.MediaPlace(offer):
                try:
                    place = MediaOffer.decode(offer)
                except RtpError as error:
                    raise ProtocolError(f"it offered no place for media: {error}") from error
                if self._offer is not None and not self._offer.done():
                    self._offer.set_result(place)
                return None
            case wire.NoMediaPlace(reason):
                if self._offer is not None and not self._offer.done():
                    refusal = f"the conference service has no place for media: {reason[:200]!r}"
                    self._offer.set_exception(RefusedError(refusal))
                return None
            case wire.Refused(reason):
                raise ProtocolError(f"it refused us: {reason[:200]!r}")
            case _:
                raise ProtocolError(f"it sent a {type(message).__name__}")


class _Intake:
    """What of one connection is read: a service can say as much as it likes, and must not keep us busy."""

    def __init__(self, limits: CarrierLimits) -> None:
        self._limits = limits
        self._lobby = Allowance(limits.lobby_burst, limits.lobby_per_s)
        self._lobby_bytes = Allowance(2 * limits.lobby_bytes, limits.lobby_bytes_per_s)
        self._live = Allowance(limits.live_burst, limits.live_per_s)
        self._live_bytes = Allowance(2 * limits.live_bytes_per_s, limits.live_bytes_per_s)
        self._others = Allowance(limits.other_burst, limits.other_per_s)

    def takes(self, data: bytes | str, now: float) -> bool:
        """Whether a message is to be read; what is not is dropped.

        Raises ProtocolError where dropping would not do, and the connection is to be given up.
        """
        kind, size = data[:1], len(data)
        limits = self._limits
        if kind == bytes([wire.LOBBY_DATA]):
            is_small = size <= limits.lobby_bytes
            return is_small and self._lobby.take(now) and self._lobby_bytes.take(now, size)
        if kind == bytes([wire.LIVE_DATA]):
            is_small = size <= limits.live_bytes
            return is_small and self._live.take(now) and self._live_bytes.take(now, size)
        if kind != bytes([wire.LOG_ENTRY]) and not self._others.take(now):
            raise ProtocolError("it says more than there is to say")
        return True


class HubInvitations:
    """The hub's store of sealed invitations (see `conference.base`)."""

    def __init__(self, service: str, tls: ssl.SSLContext) -> None:
        self._service = service
        self._tls = tls

    async def store(self, sealed: bytes) -> bytes:
        """Leave a sealed invitation; returns its SHA-256. Raises ConferenceError."""
        return (await self._ask(wire.PutBlob(sealed))).digest

    async def fetch(self, digest: bytes) -> bytes:
        """Get a sealed invitation. Raises ConferenceError."""
        data = (await self._ask(wire.GetBlob(digest))).data
        if data is None:
            raise NotFoundError(
                "the conference service does not know this meeting", hint="ask the host for a new link"
            )
        return data

    async def _ask(self, question: wire.PutBlob | wire.GetBlob) -> wire.Blob:
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT_S), _open(self._service, self._tls) as connection:
                await _say(connection, question)
                answer = wire.decode(await _hear(connection))
        except TimeoutError as error:
            raise ServiceTimeoutError(
                "the conference service did not answer", hint="try again; see: conclavectl status"
            ) from error
        if isinstance(answer, wire.Refused):
            raise ProtocolError(f"the conference service refused: {answer.reason[:200]!r}")
        if not isinstance(answer, wire.Blob):
            raise ProtocolError("the conference service did not answer the question")
        return answer


@contextlib.asynccontextmanager
async def _open(service: str, tls: ssl.SSLContext) -> AsyncIterator[ClientConnection]:
    hint = "check the address in the link, the network, and the service's certificate"
    try:
        connection = await connect(
            service,
            ssl=tls,
            max_size=wire.MAX_MESSAGE_BYTES,
            compression=None,
            open_timeout=OPEN_TIMEOUT_S,
            close_timeout=CLOSE_TIMEOUT_S,
            proxy=None,
        )
    except ssl.SSLCertVerificationError as error:
        raise UnreachableError(
            f"{service} has a certificate that this device does not trust: {error.verify_message}",
            hint="set the service's CA in the configuration: [service] ca_file",
        ) from error
    # ValueError: a host name that no resolver takes, such as one with an empty label.
    except (OSError, InvalidHandshake, InvalidMessage, InvalidURI, ValueError) as error:
        raise UnreachableError(f"{service} cannot be reached: {_plain(error)}", hint=hint) from error
    try:
        yield connection
    finally:
        await connection.close()


def _plain(error: Exception) -> str:
    """An error in the system's words: with several addresses asyncio only quotes the numbers."""
    numbers = dict.fromkeys(re.findall(r"\[Errno (\d+)\]", str(error)))
    known = ", ".join(os.strerror(int(number)).lower() for number in numbers)
    return known or re.sub(r"\[Errno -\d+\] ", "", str(error))


async def _say(connection: ClientConnection, message: wire.ToHub) -> None:
    try:
        await connection.send(wire.encode(message))
    except ConnectionClosed as error:
        raise UnreachableError(
            "the conference service closed the connection", hint="try again; see: conclavectl status"
        ) from error


async def _hear(connection: ClientConnection) -> bytes | str:
    try:
        return await connection.recv()
    except ConnectionClosed as error:
        raise UnreachableError(
            "the conference service closed the connection", hint="try again; see: conclavectl status"
        ) from error
