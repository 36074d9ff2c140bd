"""A device's way to the hub: comes back by itself, believes nothing, says clearly what is wrong."""

import asyncio
import ssl
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.frames import Frame, Opcode

from conclaved.conference import wire
from conclaved.conference.errors import (
    NotFoundError,
    ProtocolError,
    RefusedError,
    ServiceTimeoutError,
    UnreachableError,
)
from conclaved.conference.hub import Hub
from conclaved.conference.hub_client import IN_ONE_GO, HubClient, HubInvitations, client_context
from conclaved.conference.limits import CarrierLimits
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
from tests.conference.hubs import ADDRESS, DEADLINE_S, Tls, device, listening, make_tls
from tests.pebble import free_ports

E = TypeVar("E")


class Carried:
    """A running HubClient, and what it told."""

    def __init__(self, client: HubClient) -> None:
        self.client = client
        self.events: asyncio.Queue[CarrierEvent] = asyncio.Queue()

    async def next(self, kind: type[E]) -> E:
        """The next event of that kind."""
        async with asyncio.timeout(DEADLINE_S):
            while True:
                event = await self.events.get()
                if isinstance(event, kind):
                    return event


class Pauses:
    """In the place of time: a client waits here between two tries until the test lets it go on."""

    def __init__(self) -> None:
        self.asked: list[float] = []
        self.begun = asyncio.Event()
        self.go_on = asyncio.Event()

    async def __call__(self, seconds: float) -> None:
        self.asked.append(seconds)
        self.begun.set()
        await self.go_on.wait()
        self.go_on.clear()
        self.begun.clear()


@asynccontextmanager
async def carried(
    service: str,
    tls: ssl.SSLContext,
    pauses: Pauses | None = None,
    *,
    limits: CarrierLimits | None = None,
    clock: Callable[[], float] = lambda: 0.0,
) -> AsyncIterator[Carried]:
    limits = limits or CarrierLimits()
    one = Carried(HubClient(service, ADDRESS, tls, limits=limits, pause=pauses or Pauses(), clock=clock))
    running = asyncio.create_task(one.client.run(one.events.put_nowait))
    try:
        yield one
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        assert running.cancelled(), "run() ends by cancellation only"


async def test_every_effect_arrives_as_the_others_event(service: str, tls: Tls) -> None:
    async with carried(service, tls.device) as ana, carried(service, tls.device) as ben:
        assert await ana.next(Connected) == Connected(0)
        assert await ben.next(Connected) == Connected(0)
        for effect in (Announce(True), Publish(5, b"commit", 0), SendLobby(b"lobby"), SendLive(b"live")):
            ana.client.perform(effect)
        assert await ana.next(Leader) == Leader(True)
        assert await ana.next(PublishResult) == PublishResult(5, True)
        assert await ana.next(Entry) == Entry(0, b"commit")
        assert await ben.next(Leader) == Leader(False)
        assert await ben.next(Entry) == Entry(0, b"commit")
        assert await ben.next(Lobby) == Lobby(b"lobby")
        assert await ben.next(Live) == Live(b"live")
        ben.client.perform(Replay(0))
        assert await ben.next(Entry) == Entry(0, b"commit")


async def test_what_is_asked_for_before_the_connection_is_sent_when_it_is_there(
    service: str, tls: Tls
) -> None:
    async with device(service, tls) as other, carried(service, tls.device) as ana:
        ana.client.perform(SendLive(b"early"))
        assert await other.hear(wire.LiveData) == wire.LiveData(b"early")


async def test_flush_returns_once_all_is_with_the_network(service: str, tls: Tls) -> None:
    async with device(service, tls) as other, carried(service, tls.device) as ana:
        await ana.next(Connected)
        ana.client.perform(SendLive(b"last words"))
        await ana.client.flush()
        assert await other.hear(wire.LiveData) == wire.LiveData(b"last words")


async def test_a_client_comes_back_by_itself_after_the_hub_restarts(tls: Tls) -> None:
    (port,) = free_ports(1)
    pauses = Pauses()
    async with carried(f"wss://127.0.0.1:{port}", tls.device, pauses) as ana:
        async with asyncio.timeout(DEADLINE_S):
            await pauses.begun.wait()
        for _ in range(2):
            async with listening(Hub(), tls, port):
                pauses.go_on.set()
                assert await ana.next(Connected) == Connected(0)
            await ana.next(Disconnected)
            async with asyncio.timeout(DEADLINE_S):
                await pauses.begun.wait()


async def test_pauses_grow_with_each_failure_and_begin_anew_after_a_success(tls: Tls) -> None:
    (port,) = free_ports(1)
    pauses = Pauses()
    async with carried(f"wss://127.0.0.1:{port}", tls.device, pauses) as ana:
        for _ in range(9):
            async with asyncio.timeout(DEADLINE_S):
                await pauses.begun.wait()
            pauses.begun.clear()
            pauses.go_on.set()
        async with asyncio.timeout(DEADLINE_S):
            await pauses.begun.wait()
        async with listening(Hub(), tls, port):
            pauses.go_on.set()
            await ana.next(Connected)
        async with asyncio.timeout(DEADLINE_S):
            await pauses.begun.wait()
    bounds = [(min(0.25 * 2**i, 5) * 0.5, min(0.25 * 2**i, 5) * 1.5) for i in range(10)]
    assert all(low <= asked <= high for asked, (low, high) in zip(pauses.asked, bounds, strict=False))
    assert pauses.asked[-1] <= 0.25 * 1.5


async def test_what_was_queued_for_a_lost_connection_is_not_sent_on_the_next(tls: Tls) -> None:
    (port,) = free_ports(1)
    pauses = Pauses()
    async with carried(f"wss://127.0.0.1:{port}", tls.device, pauses) as ana:
        async with asyncio.timeout(DEADLINE_S):
            await pauses.begun.wait()
        async with listening(Hub(), tls, port) as service, device(service, tls) as other:
            pauses.go_on.set()
            await ana.next(Connected)
            ana.client.perform(SendLive(b"now"))
            assert (await other.hear(wire.LiveData)).data == b"now"
        await ana.next(Disconnected)


# -- a hub that lies ----------------------------------------------------------------------------


@asynccontextmanager
async def hostile(tls: Tls, *answers: bytes | str) -> AsyncIterator[str]:
    """A service that answers every connection with these messages."""

    async def answer(connection: ServerConnection) -> None:
        await connection.recv()
        for data in answers:
            await connection.send(data)
        await connection.wait_closed()

    async with serve(answer, "127.0.0.1", 0, ssl=tls.server, compression=None) as server:
        yield f"wss://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}"


NONSENSE: dict[str, bytes | str] = {
    "text": "hello",
    "malformed": b"\x41\x00",
    "empty": b"",
    "a device's message": wire.encode(wire.Hello(1, ADDRESS)),
    "an unasked invitation": wire.encode(wire.Blob(bytes(32), b"x")),
    "a malformed place for media": wire.encode(wire.MediaPlace(b"nonsense")),
    "a refusal": wire.encode(wire.Refused("go away")),
}


@pytest.mark.parametrize("data", NONSENSE.values(), ids=NONSENSE.keys())
async def test_nonsense_from_the_hub_ends_the_connection_and_not_the_meeting(
    tls: Tls, data: bytes | str
) -> None:
    pauses = Pauses()
    async with (
        hostile(tls, wire.encode(wire.Ready(0)), data) as service,
        carried(service, tls.device, pauses) as ana,
    ):
        for _ in range(2):
            await ana.next(Connected)
            await ana.next(Disconnected)
            pauses.go_on.set()


# -- a hub that says too much -------------------------------------------------------------------

FEW = CarrierLimits(
    lobby_burst=3, lobby_per_s=1, lobby_bytes=200, live_burst=3, live_per_s=1, live_bytes=200, other_burst=3
)
AFTER = wire.encode(wire.LogEntry(0, b"after all that"))


async def _events_until(one: Carried, last: CarrierEvent) -> list[CarrierEvent]:
    found: list[CarrierEvent] = []
    async with asyncio.timeout(DEADLINE_S):
        while not found or found[-1] != last:
            found.append(await one.events.get())
    return found


FLOODS: dict[str, tuple[wire.Message, CarrierEvent]] = {
    "lobby": (wire.LobbyData(b"junk"), Lobby(b"junk")),
    "live": (wire.LiveData(b"junk"), Live(b"junk")),
}


@pytest.mark.parametrize(("said", "heard"), FLOODS.values(), ids=FLOODS.keys())
async def test_what_goes_beyond_a_limit_is_dropped_and_counted_and_the_rest_arrives(
    tls: Tls, said: wire.Message, heard: CarrierEvent
) -> None:
    flood = [wire.encode(said)] * 1000
    others = [wire.encode(message) for message, _ in FLOODS.values() if message != said]
    async with (
        hostile(tls, *flood, *others, AFTER) as service,
        carried(service, tls.device, limits=FEW) as ana,
    ):
        events = await _events_until(ana, Entry(0, b"after all that"))
        assert events.count(heard) == 3
        assert len(events) == 5
        assert ana.client.dropped == 997


async def test_what_was_used_up_grows_again_with_time(tls: Tls) -> None:
    times = iter([0.0] * 5 + [2.0] * 5 + [2.0])
    flood = [wire.encode(wire.LobbyData(b"junk"))] * 10
    async with (
        hostile(tls, *flood, AFTER) as service,
        carried(service, tls.device, limits=FEW, clock=lambda: next(times)) as ana,
    ):
        events = await _events_until(ana, Entry(0, b"after all that"))
        assert events.count(Lobby(b"junk")) == 5


TOO_LARGE = {"lobby": wire.LobbyData(bytes(200)), "live": wire.LiveData(bytes(200))}


@pytest.mark.parametrize("said", TOO_LARGE.values(), ids=TOO_LARGE.keys())
async def test_what_is_too_large_is_dropped_unread(tls: Tls, said: wire.Message) -> None:
    async with (
        hostile(tls, wire.encode(said), AFTER) as service,
        carried(service, tls.device, limits=FEW) as ana,
    ):
        assert await _events_until(ana, Entry(0, b"after all that")) == [Entry(0, b"after all that")]
        assert ana.client.dropped == 1


async def test_the_size_of_all_lobby_messages_together_is_limited(tls: Tls) -> None:
    limits = CarrierLimits(lobby_bytes=100, lobby_bytes_per_s=0)
    flood = [wire.encode(wire.LobbyData(bytes(62)))] * 10
    async with hostile(tls, *flood, AFTER) as service, carried(service, tls.device, limits=limits) as ana:
        events = await _events_until(ana, Entry(0, b"after all that"))
        assert events.count(Lobby(bytes(62))) == 3


async def test_more_answers_than_there_are_questions_end_the_connection(tls: Tls) -> None:
    pauses = Pauses()
    async with (
        hostile(tls, *[wire.encode(wire.LeaderIs(True))] * 4) as service,
        carried(service, tls.device, pauses, limits=FEW) as ana,
    ):
        events = await _events_until(ana, Disconnected())
        assert events == [Leader(True)] * 3 + [Disconnected()]


async def test_while_a_flood_lasts_everything_else_in_the_daemon_has_its_turn(tls: Tls) -> None:
    loop = asyncio.get_running_loop()
    turns = 0
    heard: list[int] = []

    def turn() -> None:
        nonlocal turns
        turns += 1
        if len(heard) < 1000:
            loop.call_soon(turn)

    flood = b"".join(_frame(wire.encode(wire.LogEntry(n, b""))) for n in range(1000))

    async def answer(connection: ServerConnection) -> None:
        await connection.recv()
        connection.transport.write(flood)
        await connection.wait_closed()

    async with serve(answer, "127.0.0.1", 0, ssl=tls.server, compression=None) as server:
        service = f"wss://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}"
        client = HubClient(service, ADDRESS, tls.device)
        running = asyncio.create_task(client.run(lambda event: heard.append(turns)))
        loop.call_soon(turn)
        async with asyncio.timeout(DEADLINE_S):
            while len(heard) < 1000:  # noqa: ASYNC110 -- turns are what is counted
                await asyncio.sleep(0)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert max(Counter(heard).values()) <= IN_ONE_GO


def _frame(data: bytes) -> bytes:
    return Frame(Opcode.BINARY, data).serialize(mask=False)


# -- media, invitations -------------------------------------------------------------------------


async def test_a_place_in_the_relay_is_asked_for_and_given(service: str, tls: Tls) -> None:
    async with carried(service, tls.device) as ana:
        await ana.next(Connected)
        offer = await ana.client.open_media()
        assert offer.host == "127.0.0.1"


async def test_a_full_relay_is_a_refusal_and_the_connection_stays(
    service: str, tls: Tls, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with carried(service, tls.device) as ana, carried(service, tls.device) as ben:
        await ana.next(Connected)
        await ben.next(Connected)
        await ana.client.open_media()
        monkeypatch.setattr("conclaved.conference.relay.MAX_CLIENTS", 1)
        with pytest.raises(RefusedError, match="at most 1 media clients"):
            await ben.client.open_media()
        ben.client.perform(SendLobby(b"still here"))
        assert await ana.next(Lobby) == Lobby(b"still here")


async def test_a_service_that_gives_no_place_is_a_timeout(tls: Tls, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("conclaved.conference.hub_client.ANSWER_TIMEOUT_S", 0.01)
    async with hostile(tls, wire.encode(wire.Ready(0))) as service, carried(service, tls.device) as ana:
        await ana.next(Connected)
        with pytest.raises(ServiceTimeoutError):
            await ana.client.open_media()


async def test_an_invitation_is_stored_and_fetched(service: str, tls: Tls) -> None:
    store = HubInvitations(service, tls.device)
    assert await store.fetch(await store.store(b"sealed")) == b"sealed"


async def test_an_invitation_that_is_not_there_says_whom_to_ask(service: str, tls: Tls) -> None:
    with pytest.raises(NotFoundError) as caught:
        await HubInvitations(service, tls.device).fetch(bytes(32))
    assert caught.value.hint == "ask the host for a new link"


async def test_a_refused_invitation_names_the_service_s_reason(service: str, tls: Tls) -> None:
    with pytest.raises(ProtocolError, match="impossible size"):
        await HubInvitations(service, tls.device).store(bytes(wire.MAX_BLOB_BYTES + 1))


# -- who is at the other end --------------------------------------------------------------------


async def fails(service: str, tls: ssl.SSLContext) -> UnreachableError:
    with pytest.raises(UnreachableError) as caught:
        await HubInvitations(service, tls).fetch(bytes(32))
    return caught.value


async def test_a_certificate_of_an_unknown_ca_is_named_with_what_to_do(service: str) -> None:
    error = await fails(service, client_context(None))
    assert "a certificate that this device does not trust" in str(error)
    assert error.hint == "set the service's CA in the configuration: [service] ca_file"


async def test_a_certificate_for_another_host_is_refused(tmp_path: Path) -> None:
    tls = make_tls(tmp_path, dns="other.example", ip="127.0.0.9")
    async with listening(Hub(), tls) as service:
        error = await fails(service, tls.device)
    assert "mismatch" in str(error)


async def test_tls_older_than_1_3_is_refused(tls: Tls) -> None:
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.load_verify_locations(tls.authority)
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    async with listening(Hub(), tls) as service:
        await fails(service, old)


UNREACHABLE: dict[str, Callable[[], str]] = {
    "nobody listens": lambda: f"wss://127.0.0.1:{free_ports(1)[0]}",
    "no such host": lambda: "wss://nowhere.invalid:443",
    "no host name at all": lambda: "wss://a..b:443",
}


@pytest.mark.parametrize("address", UNREACHABLE.values(), ids=UNREACHABLE.keys())
async def test_an_address_that_leads_nowhere_is_unreachable_with_a_hint(
    tls: Tls, address: Callable[[], str]
) -> None:
    error = await fails(address(), tls.device)
    assert "cannot be reached" in str(error)
    assert "check the address in the link" in error.hint


async def test_what_speaks_no_websocket_is_unreachable(tls: Tls) -> None:
    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example ESMTP\r\n")
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0, ssl=tls.server)
    async with server:
        port = server.sockets[0].getsockname()[1]
        assert "cannot be reached" in str(await fails(f"wss://127.0.0.1:{port}", tls.device))


@pytest.mark.parametrize("content", [None, "not PEM"], ids=["missing", "not PEM"])
def test_an_unusable_ca_file_is_named_with_where_to_set_it(tmp_path: Path, content: str | None) -> None:
    authority = tmp_path / "ca.pem"
    if content is not None:
        authority.write_text(content)
    with pytest.raises(UnreachableError) as caught:
        client_context(authority)
    assert str(authority) in str(caught.value)
    assert "ca_file" in caught.value.hint
