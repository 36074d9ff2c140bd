"""The hub over real TLS WebSockets: it orders, carries, forgets, and refuses what is no message."""

import asyncio
import hashlib
import http.client
import ssl
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from websockets.frames import Frame, Opcode

from conclaved.conference import wire
from conclaved.conference.hub import IN_ONE_GO, INVITATION_BURST, Hub
from conclaved.conference.limits import HubLimits
from conclaved.rtp.offer import MediaOffer
from tests.conference.hubs import ADDRESS, DEADLINE_S, Tls, bare, device, listening

BURST = 200


def numbers(hub: Hub) -> dict[str, Any]:
    """What the hub says of its one meeting."""
    meetings = hub.status()["meetings"]
    assert isinstance(meetings, list)
    (meeting,) = meetings
    assert isinstance(meeting, dict)
    return meeting


async def until(check: Callable[[], bool]) -> None:
    """Wait for the hub's own loop to have got so far; it is this loop."""
    async with asyncio.timeout(DEADLINE_S):
        while not check():  # noqa: ASYNC110
            await asyncio.sleep(0)


# -- the log ------------------------------------------------------------------------------------


async def test_exactly_one_of_two_commits_for_a_position_wins(service: str, tls: Tls) -> None:
    async with device(service, tls) as ana, device(service, tls) as ben:
        await asyncio.gather(
            ana.say(wire.PublishEntry(1, 0, b"ana's")), ben.say(wire.PublishEntry(2, 0, b"ben's"))
        )
        answers = [await ana.hear(wire.PublishAnswer), await ben.hear(wire.PublishAnswer)]
        assert sorted(answer.is_accepted for answer in answers) == [False, True]
        winner = b"ana's" if answers[0].is_accepted else b"ben's"
        for one in (ana, ben):
            await one.barrier()
            await one.say(wire.ReplayFrom(0))
            assert await one.hear(wire.LogEntry) == wire.LogEntry(0, winner)


async def test_an_entry_without_a_position_is_appended_wherever_the_log_is(service: str, tls: Tls) -> None:
    async with device(service, tls) as ana:
        await ana.say(wire.PublishEntry(1, 0, b"commit"), wire.PublishEntry(2, None, b"proposal"))
        assert await ana.hear(wire.LogEntry) == wire.LogEntry(0, b"commit")
        assert await ana.hear(wire.LogEntry) == wire.LogEntry(1, b"proposal")


async def test_who_comes_late_learns_the_head_and_is_replayed_what_it_missed(service: str, tls: Tls) -> None:
    async with device(service, tls) as ana:
        await ana.say(*(wire.PublishEntry(i, i, bytes([i])) for i in range(4)))
        await ana.barrier()
        async with device(service, tls) as ben:
            assert ben.heard == [wire.Ready(4)]
            await ben.say(wire.ReplayFrom(2))
            assert [await ben.hear(wire.LogEntry) for _ in range(2)] == [
                wire.LogEntry(2, b"\2"),
                wire.LogEntry(3, b"\3"),
            ]


async def test_a_replay_longer_than_the_queue_arrives_whole(tls: Tls) -> None:
    hub = Hub(max_queued=4, clock=lambda: 0.0)
    async with listening(hub, tls) as service, device(service, tls) as ana:
        for i in range(50):
            await ana.say(wire.PublishEntry(i, i, bytes([i])))
            await ana.hear(wire.LogEntry)
        async with device(service, tls) as ben:
            await ben.say(wire.ReplayFrom(0))
            assert [(await ben.hear(wire.LogEntry)).sequence for _ in range(50)] == list(range(50))


async def test_a_replay_from_beyond_the_head_is_empty(service: str, tls: Tls) -> None:
    async with device(service, tls) as ana:
        await ana.say(wire.ReplayFrom(2**64 - 1))
        await ana.barrier()
        assert not any(isinstance(message, wire.LogEntry) for message in ana.heard)


async def test_meetings_at_other_addresses_hear_nothing(service: str, tls: Tls) -> None:
    async with device(service, tls) as ana, device(service, tls, bytes(32)) as stranger:
        await ana.say(wire.PublishEntry(1, 0, b"x"), wire.LobbyData(b"x"), wire.LiveData(b"x"))
        await ana.barrier()
        await stranger.barrier()
        assert stranger.heard == [wire.Ready(0)]


async def test_lobby_and_live_messages_reach_the_others_and_not_the_sender(service: str, tls: Tls) -> None:
    async with device(service, tls) as ana, device(service, tls) as ben:
        await ana.say(wire.LobbyData(b"let me in"), wire.LiveData(b"alive"))
        await ana.barrier()
        assert await ben.hear(wire.LobbyData) == wire.LobbyData(b"let me in")
        assert await ben.hear(wire.LiveData) == wire.LiveData(b"alive")
        assert ana.heard == [wire.Ready(0)]


async def test_the_log_is_forgotten_when_no_member_is_left(hub: Hub, service: str, tls: Tls) -> None:
    async with device(service, tls) as ana, device(service, tls) as visitor:
        await ana.say(wire.PublishEntry(1, 0, b"x"), wire.AnnounceMember(True))
        await ana.barrier()
        assert numbers(hub)["log_entries"] == 1
        await ana.say(wire.AnnounceMember(False))
        assert await visitor.hear(wire.Ready) == wire.Ready(0)
        assert numbers(hub)["log_entries"] == 0


async def test_a_log_whose_last_member_only_went_away_is_forgotten_too(
    hub: Hub, service: str, tls: Tls
) -> None:
    async with device(service, tls) as visitor:
        async with device(service, tls) as ana:
            await ana.say(wire.PublishEntry(1, 0, b"x"), wire.AnnounceMember(True))
            await ana.barrier()
        assert await visitor.hear(wire.Ready) == wire.Ready(0)
        assert numbers(hub)["log_entries"] == 0


async def test_a_member_that_comes_back_in_time_finds_the_log(tls: Tls) -> None:
    hub = Hub(forget_s=3600)
    async with listening(hub, tls) as service:
        async with device(service, tls) as ana:
            await ana.say(wire.PublishEntry(1, 0, b"x"), wire.AnnounceMember(True))
            await ana.barrier()
        async with device(service, tls) as again:
            assert again.heard == [wire.Ready(1)]


async def test_a_meeting_that_everybody_left_leaves_no_trace(hub: Hub, service: str, tls: Tls) -> None:
    async with device(service, tls) as ana:
        await ana.say(wire.AnnounceMember(True), wire.AnnounceMember(False))
        await ana.barrier()
    await until(lambda: hub.status()["meetings"] == [])


# -- the leader ---------------------------------------------------------------------------------


async def test_the_first_member_leads_and_hands_over_when_it_leaves(service: str, tls: Tls) -> None:
    async with device(service, tls) as ana, device(service, tls) as ben:
        await ana.say(wire.AnnounceMember(True))
        assert (await ana.hear(wire.LeaderIs)).is_you
        assert not (await ben.hear(wire.LeaderIs)).is_you
        await ben.say(wire.AnnounceMember(True))
        await ben.barrier()
        await ana.say(wire.AnnounceMember(False))
        assert (await ben.hear(wire.LeaderIs)).is_you
        assert not (await ana.hear(wire.LeaderIs)).is_you


async def test_the_lead_passes_on_when_the_leader_vanishes(service: str, tls: Tls) -> None:
    async with device(service, tls) as ben:
        async with device(service, tls) as ana:
            await ana.say(wire.AnnounceMember(True))
            assert (await ana.hear(wire.LeaderIs)).is_you
            await ben.hear(wire.LeaderIs)
            await ben.say(wire.AnnounceMember(True))
            await ben.barrier()
        assert (await ben.hear(wire.LeaderIs)).is_you


async def test_nobody_leads_who_is_no_member(service: str, tls: Tls) -> None:
    async with device(service, tls) as ana:
        await ana.barrier()
        assert ana.heard == [wire.Ready(0)]


# -- invitations --------------------------------------------------------------------------------


async def test_a_sealed_invitation_is_kept_under_its_hash(service: str, tls: Tls) -> None:
    digest = hashlib.sha256(b"sealed").digest()
    async with bare(service, tls) as host:
        await host.say(wire.PutBlob(b"sealed"))
        assert await host.hear(wire.Blob) == wire.Blob(digest, None)
    async with bare(service, tls) as guest:
        await guest.say(wire.GetBlob(digest))
        assert await guest.hear(wire.Blob) == wire.Blob(digest, b"sealed")


async def test_an_unknown_invitation_is_answered_and_is_not_there(service: str, tls: Tls) -> None:
    async with bare(service, tls) as guest:
        await guest.say(wire.GetBlob(bytes(32)))
        assert await guest.hear(wire.Blob) == wire.Blob(bytes(32), None)


async def test_with_a_state_directory_invitations_outlive_the_hub(tls: Tls, tmp_path: Path) -> None:
    digest = hashlib.sha256(b"sealed").digest()
    async with listening(Hub(state=tmp_path), tls) as service, bare(service, tls) as host:
        await host.say(wire.PutBlob(b"sealed"))
        await host.hear(wire.Blob)
    async with listening(Hub(state=tmp_path), tls) as service, bare(service, tls) as guest:
        await guest.say(wire.GetBlob(digest))
        assert await guest.hear(wire.Blob) == wire.Blob(digest, b"sealed")


async def test_an_invitation_that_the_disk_does_not_take_is_refused_in_words(
    tls: Tls, tmp_path: Path
) -> None:
    hub = Hub(state=tmp_path / "state")
    (tmp_path / "state").rmdir()
    async with listening(hub, tls) as service, bare(service, tls) as host:
        await host.say(wire.PutBlob(b"sealed"))
        await host.until_closed()
        assert "no room for an invitation" in host.refusal()
    assert hub.status()["invitations"] == 0


# -- media --------------------------------------------------------------------------------------


async def test_each_place_in_the_relay_has_keys_of_its_own(service: str, tls: Tls) -> None:
    async with device(service, tls) as ana, device(service, tls) as ben:
        offers = []
        for one in (ana, ben, ana):
            await one.say(wire.OpenMedia())
            offers.append(MediaOffer.decode((await one.hear(wire.MediaPlace)).offer))
        assert len({offer.send_key for offer in offers} | {offer.receive_key for offer in offers}) == 6


# -- what is refused ----------------------------------------------------------------------------

REFUSED_FIRST: dict[str, tuple[bytes | str, str]] = {
    "text": ("hello", "text"),
    "malformed": (b"\xff\xff", "malformed"),
    "empty": (b"", "malformed"),
    "not a Hello": (wire.encode(wire.LiveData(b"x")), "no Hello"),
    "a short address": (wire.encode(wire.Hello(wire.VERSION, bytes(31))), "no Hello"),
    "another version": (wire.encode(wire.Hello(2, ADDRESS)), "version 2"),
    "a message of the hub's own": (wire.encode(wire.Ready(0)), "no Hello"),
    "a huge invitation": (wire.encode(wire.PutBlob(bytes(wire.MAX_BLOB_BYTES + 1))), "impossible size"),
}


@pytest.mark.parametrize(("data", "why"), REFUSED_FIRST.values(), ids=REFUSED_FIRST.keys())
async def test_a_bad_first_message_is_refused_with_the_reason_and_counted(
    hub: Hub, service: str, tls: Tls, data: bytes | str, why: str
) -> None:
    async with bare(service, tls) as stranger:
        await stranger.connection.send(data)
        await stranger.until_closed()
        assert why in stranger.refusal()
    assert hub.refused == 1
    assert hub.status()["meetings"] == []


REFUSED_LATER: dict[str, bytes | str] = {
    "text": "hello",
    "malformed": b"\x03\x7f",
    "a second Hello": wire.encode(wire.Hello(wire.VERSION, ADDRESS)),
    "a message of the hub's own": wire.encode(wire.LogEntry(0, b"forged")),
}


@pytest.mark.parametrize("data", REFUSED_LATER.values(), ids=REFUSED_LATER.keys())
async def test_a_bad_message_ends_its_sender_s_connection_and_nobody_else_s(
    hub: Hub, service: str, tls: Tls, data: bytes | str
) -> None:
    async with device(service, tls) as ana, device(service, tls) as mallory:
        await ana.say(wire.AnnounceMember(True), wire.PublishEntry(1, 0, b"kept"))
        await ana.barrier()
        await mallory.connection.send(data)
        await mallory.until_closed()
        assert mallory.refusal()
        await ana.barrier()
        assert hub.refused == 1
        assert numbers(hub)["log_entries"] == 1


async def test_an_oversized_message_is_refused_and_counted(hub: Hub, service: str, tls: Tls) -> None:
    async with device(service, tls) as ana, bare(service, tls) as mallory:
        await mallory.say(wire.PutBlob(bytes(wire.MAX_MESSAGE_BYTES)))
        assert await mallory.until_closed() == 1009
        await until(lambda: hub.refused == 1)
        await ana.barrier()


async def test_messages_beyond_the_allowance_are_dropped_and_counted(tls: Tls) -> None:
    now = 0.0
    hub = Hub(clock=lambda: now, limits=HubLimits(client_burst=BURST, client_per_s=BURST))
    async with listening(hub, tls) as service, device(service, tls) as ana, device(service, tls) as flooder:
        for i in range(BURST + 30):
            await flooder.say(wire.LiveData(i.to_bytes(2, "big")))
        await until(lambda: hub.refused == 30)
        now = 1.0
        await flooder.say(wire.LobbyData(b"after a pause"))
        await ana.hear(wire.LobbyData)
        carried = [m for m in ana.heard if isinstance(m, wire.LiveData)]
        assert len(carried) == BURST


async def test_many_connections_flood_no_more_than_what_all_share_and_silence_nobody(tls: Tls) -> None:
    limits = HubLimits(own_burst=2, shared_burst=5, own_per_s=0, shared_per_s=0)
    hub = Hub(clock=lambda: 0.0, limits=limits)
    async with listening(hub, tls) as service, device(service, tls) as ana, device(service, tls) as ben:
        for _ in range(3):
            async with device(service, tls) as flooder:
                await flooder.say(*[wire.LobbyData(b"junk")] * 10)
                await flooder.barrier()
        await ben.say(wire.LiveData(b"alive"))
        await ana.hear(wire.LiveData)
        assert ana.heard.count(wire.LobbyData(b"junk")) == 3 * 2 + 5
        assert hub.refused == 3 * 8 - 5


async def test_large_messages_are_carried_only_as_far_as_their_bytes_are_allowed(tls: Tls) -> None:
    limits = HubLimits(own_bytes=100, own_bytes_per_s=0, shared_bytes=1000, shared_bytes_per_s=0)
    hub = Hub(clock=lambda: 0.0, limits=limits)
    async with listening(hub, tls) as service, device(service, tls) as ana, device(service, tls) as ben:
        await ana.say(*[wire.LobbyData(bytes(600))] * 3, wire.LobbyData(bytes(100)), wire.LiveData(b"alive"))
        await ben.hear(wire.LiveData)
        sizes = [len(message.data) for message in ben.heard if isinstance(message, wire.LobbyData)]
        assert sizes == [600, 100]
        assert hub.refused == 2


async def test_while_a_client_floods_the_hub_everybody_else_has_their_turn(tls: Tls) -> None:
    loop = asyncio.get_running_loop()
    turns = 0
    taken: list[int] = []

    def turn() -> None:
        nonlocal turns
        turns += 1
        if len(taken) < 1000:
            loop.call_soon(turn)

    limits = HubLimits(client_burst=5000)
    hub = Hub(capture=lambda data: taken.append(turns), clock=lambda: 0.0, limits=limits)
    async with listening(hub, tls) as service, device(service, tls) as flooder:
        message = Frame(Opcode.BINARY, wire.encode(wire.LiveData(b"junk"))).serialize(mask=True)
        loop.call_soon(turn)
        flooder.connection.transport.write(message * 1000)
        await until(lambda: len(taken) >= 1000)
    assert max(Counter(taken).values()) <= IN_ONE_GO


async def test_what_a_client_says_in_the_lobby_silences_it_nowhere_else(tls: Tls) -> None:
    limits = HubLimits(client_burst=5, client_per_s=0, own_burst=3, own_per_s=0, shared_burst=0)
    hub = Hub(clock=lambda: 0.0, limits=limits)
    async with listening(hub, tls) as service, device(service, tls) as ana, device(service, tls) as ben:
        await ben.say(
            *[wire.LobbyData(b"again")] * 20, wire.LiveData(b"alive"), wire.PublishEntry(1, 0, b"x")
        )
        await ana.hear(wire.LogEntry)
        assert ana.heard.count(wire.LobbyData(b"again")) == 3
        assert wire.LiveData(b"alive") in ana.heard


async def test_what_is_not_carried_to_others_is_not_taken_from_what_all_share(tls: Tls) -> None:
    hub = Hub(clock=lambda: 0.0, limits=HubLimits(own_burst=0, shared_burst=1))
    async with listening(hub, tls) as service, device(service, tls) as ana:
        await ana.say(
            *[wire.ReplayFrom(0)] * 10, wire.PublishEntry(1, 0, b"x"), wire.PublishEntry(2, 1, b"y")
        )
        await ana.barrier()
        assert [m for m in ana.heard if isinstance(m, wire.PublishAnswer)] == [wire.PublishAnswer(1, True)]


async def test_a_client_that_does_not_read_is_cut_off_and_the_others_go_on(tls: Tls) -> None:
    hub = Hub(max_queued=8, clock=lambda: 0.0)
    async with listening(hub, tls) as service, device(service, tls) as ana, device(service, tls) as ben:
        async with bare(service, tls, max_queue=1) as sleeper:
            await sleeper.say(wire.Hello(wire.VERSION, ADDRESS))
            await until(lambda: numbers(hub)["clients"] == 3)
            sent = 0
            while numbers(hub)["clients"] == 3 and sent < BURST:
                await ana.say(wire.LiveData(bytes(1 << 19)))
                await ben.hear(wire.LiveData)
                sent += 1
            await until(lambda: numbers(hub)["clients"] == 2)
            sleeper.connection.transport.abort()
        await ana.barrier()


async def test_who_finds_the_relay_full_is_told_so_and_stays(
    hub: Hub, service: str, tls: Tls, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("conclaved.conference.relay.MAX_CLIENTS", 1)
    async with device(service, tls) as ana, device(service, tls) as late:
        await ana.barrier()
        await late.say(wire.OpenMedia())
        assert "at most 1 media clients" in (await late.hear(wire.NoMediaPlace)).reason
        await late.say(wire.PublishEntry(1, 0, b"kept"))
        assert (await late.hear(wire.PublishAnswer)).is_accepted
        assert hub.refused == 1
        await ana.barrier()


async def test_invitations_beyond_the_allowance_are_refused_and_push_out_nobody_s(tls: Tls) -> None:
    now = 0.0
    hub = Hub(clock=lambda: now)

    async def leave(content: bytes) -> str:
        async with bare(service, tls) as stranger:
            await stranger.say(wire.PutBlob(content))
            await stranger.until_closed()
            return stranger.refusal()

    async with listening(hub, tls) as service:
        for i in range(INVITATION_BURST):
            assert await leave(b"%d" % i) == ""
        assert "too many invitations" in await leave(b"one more")
        assert hub.status()["invitations"] == INVITATION_BURST
        now = 1.0
        assert await leave(b"after a pause") == ""


# -- the page behind a link ---------------------------------------------------------------------


def _get(service: str, tls: ssl.SSLContext, path: str) -> tuple[int, dict[str, str], str]:
    connection = http.client.HTTPSConnection(service.removeprefix("wss://"), context=tls, timeout=DEADLINE_S)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read().decode()
    finally:
        connection.close()


async def test_a_browser_at_the_link_sees_what_it_is_and_nothing_of_the_link(service: str, tls: Tls) -> None:
    # A browser sends no fragment. One that did would not get it back.
    path = f"/m/{'h' * 43}#{'s' * 43}"
    status, headers, body = await asyncio.to_thread(_get, service, tls.device, path)
    assert status == 200
    assert "conclavectl meeting join LINK" in body
    assert "s" * 43 not in body + str(headers)
    assert "h" * 43 not in body + str(headers)
    assert headers["Content-Security-Policy"] == "default-src 'none'"
    assert headers["Referrer-Policy"] == "no-referrer"


# -- its numbers, and the audit -----------------------------------------------------------------


async def test_the_operator_s_numbers_hold_no_whole_address(hub: Hub, service: str, tls: Tls) -> None:
    async with device(service, tls):
        assert ADDRESS.hex() not in str(hub.status())


async def test_the_capture_holds_every_message_as_the_hub_saw_it(tls: Tls, tmp_path: Path) -> None:
    seen: list[bytes] = []
    async with listening(Hub(capture=seen.append), tls) as service, device(service, tls) as ana:
        await ana.say(wire.LiveData(b"beacon"))
        await ana.barrier()
    assert wire.encode(wire.LiveData(b"beacon")) in seen
