"""Coming onto the bus, losing it, coming back."""

import asyncio
import signal

import pytest

from conclaved.bus import BusGoneError, NameTakenError, connection, run, serve
from conclaved.bus.errors import BusTimeoutError
from conclaved.bus.room import Topic
from tests.bus.bus import PrivateBus
from tests.bus.fake_room import IN_MEETING, FakeRoom
from tests.bus.peer import Peer


async def test_a_second_room_on_one_bus_is_told_that_the_name_is_taken(bus: PrivateBus) -> None:
    async with serve(FakeRoom(), address=bus.address):
        with pytest.raises(NameTakenError, match=r"org\.conclave\.Room1 is taken") as caught:
            async with serve(FakeRoom(), address=bus.address):
                pass
    assert "systemctl status conclaved" in caught.value.hint


async def test_the_name_is_free_again_after_serving(bus: PrivateBus) -> None:
    for _ in range(2):
        async with serve(FakeRoom(), address=bus.address):
            pass


@pytest.mark.parametrize("address", ["unix:path=/nonexistent/bus", "nonsense", "unix:guid=12"])
async def test_an_address_without_a_bus_is_a_typed_error(address: str) -> None:
    with pytest.raises(Exception, match=address) as caught:
        async with serve(FakeRoom(), address=address):
            pass
    assert type(caught.value).__name__ in ("BusGoneError", "BusRefusedError")


async def test_a_peer_that_hangs_up_during_authentication_is_a_typed_error(tmp_path: object) -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n")
        writer.close()

    path = f"{tmp_path}/s"
    server = await asyncio.start_unix_server(hang_up, path)
    async with server:
        with pytest.raises(BusGoneError, match="hung up"):
            async with serve(FakeRoom(), address=f"unix:path={path}"):
                pass


async def test_the_loss_of_the_bus_is_noticed(bus: PrivateBus) -> None:
    async with serve(FakeRoom(), address=bus.address) as server:
        await bus.stop()
        async with asyncio.timeout(10):
            with pytest.raises(BusGoneError):
                await server.wait_lost()


async def test_the_room_comes_back_when_the_bus_does(bus: PrivateBus) -> None:
    delays: list[float] = []
    served: asyncio.Queue[None] = asyncio.Queue()

    async def pause(delay_s: float) -> None:
        delays.append(delay_s)
        if len(delays) == 3:
            await bus.start()

    running = asyncio.create_task(
        run(FakeRoom(), address=bus.address, served=lambda server: served.put_nowait(None), pause=pause)
    )
    try:
        async with asyncio.timeout(10):
            await served.get()
            await bus.stop()
            await served.get()
        peer = await Peer.connect(bus.address)
        assert await peer.get("Meeting", "State") == "idle"
        await peer.close()
    finally:
        running.cancel()
        await asyncio.wait({running})
    assert delays == [1.0, 2.0, 5.0]


async def test_a_first_attempt_that_fails_is_not_repeated() -> None:
    with pytest.raises(BusGoneError):
        await run(FakeRoom(), address="unix:path=/nonexistent/bus")


async def test_a_room_whose_changes_break_is_off_the_bus(
    bus: PrivateBus, caplog: pytest.LogCaptureFixture
) -> None:
    room = FakeRoom()
    async with serve(room, address=bus.address) as server:
        room.set(Topic.MEETING, object())
        async with asyncio.timeout(10):
            with pytest.raises(BusGoneError):
                await server.wait_lost()
    assert "can no longer be told" in caplog.text


async def test_what_changes_while_the_room_comes_onto_the_bus_is_signalled(
    bus: PrivateBus, peer: Peer
) -> None:
    await peer.listen()
    room = FakeRoom()
    async with serve(room, address=bus.address):
        # The telling task has not run yet: nobody listens to the room's changes.
        room.set(Topic.MEETING, IN_MEETING)
        _, changed = await peer.next_heard()
        assert changed["State"] == "in_meeting"


async def test_a_sign_of_life_goes_through_the_bus(bus: PrivateBus) -> None:
    async with serve(FakeRoom(), address=bus.address) as server, asyncio.timeout(10):
        await server.give_sign_of_life()


async def test_a_bus_that_hangs_gives_none(bus: PrivateBus, monkeypatch: pytest.MonkeyPatch) -> None:
    async with serve(FakeRoom(), address=bus.address) as server:
        monkeypatch.setattr(connection, "ANSWER_WITHIN_S", 0.1)
        bus.signal(signal.SIGSTOP)
        try:
            with pytest.raises(BusTimeoutError):
                await server.give_sign_of_life()
        finally:
            bus.signal(signal.SIGCONT)


async def test_too_many_calls_at_once_are_no_hang(bus: PrivateBus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "MAX_CALLS", 0)
    async with serve(FakeRoom(), address=bus.address) as server, asyncio.timeout(10):
        await server.give_sign_of_life()
