"""Two rooms in one meeting: what the host's people and admins may do, from the panel and from outside."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from conclave_hal.panel import ActionKind, PanelAction
from conclave_provisioning.enrollment import Certificate, Enrollment
from conclaved.bus.room import EnrollmentRequest, MeetingRequest, RoomError, RoomErrorKind
from conclaved.conference.hub import Hub
from conclaved.identity import Signer, jws
from conclaved.meeting.meeting_context import MEETING_EXTENSION, MeetingContext
from conclaved.mls import Extension
from tests.conference.hubs import listening, make_tls
from tests.service.rooms import DEADLINE_S, PUBLIC_CA, TestRoom, running_room

HOST, GUEST = "host.example.com", "guest.example.com"


async def until(room: TestRoom, holds: Callable[[], bool]) -> None:
    """Wait until it holds, looking at each change of the room."""
    async with asyncio.timeout(DEADLINE_S):
        changes = room.room.changes()
        while not holds():
            await anext(changes)


def names(room: TestRoom) -> list[str]:
    return [participant.name for participant in room.room.meeting().participants]


def line_of(room: TestRoom, name: str) -> tuple[int, str]:
    """The leaf and the key id of a participant."""
    return next((p.leaf, p.key_id) for p in room.room.meeting().participants if p.name == name)


def leaf_of(room: TestRoom, name: str) -> int:
    return next(p.leaf for p in room.room.meeting().participants if p.name == name)


class Pair:
    """The host's room and an invited one."""

    def __init__(self, host: TestRoom, guest: TestRoom, link: str) -> None:
        self.host, self.guest, self.link = host, guest, link

    async def until(self, holds: Callable[[TestRoom], bool]) -> None:
        """Wait until it holds in both rooms."""
        for room in (self.host, self.guest):
            await until(room, partial(holds, room))

    async def guest_joins(self) -> None:
        await self.guest.room.join_meeting(self.link)


@pytest.fixture
async def pair(tmp_path: Path) -> AsyncIterator[Pair]:
    """Both are in, and each shows the other."""
    (tmp_path / "hub").mkdir()
    tls = make_tls(tmp_path / "hub")
    async with AsyncExitStack() as stack:
        service = await stack.enter_async_context(listening(Hub(), tls))
        host, guest = [
            await stack.enter_async_context(
                running_room(tmp_path / name, service_ca=tls.authority, domain=name, countdown_s=0)
            )
            for name in (HOST, GUEST)
        ]
        created = await host.room.create_meeting(MeetingRequest("Weekly", "standard", (GUEST,), service))
        await host.room.join_meeting(created.link)
        await until(host, lambda: names(host) == [HOST])
        two = Pair(host, guest, created.link)
        await two.guest_joins()
        await two.until(lambda room: len(names(room)) == 2)
        yield two


async def refused(asking: object) -> RoomError:
    with pytest.raises(RoomError) as caught:
        await asking  # type: ignore[misc]
    return caught.value


async def test_both_see_who_is_expected_and_when_the_code_came(pair: Pair) -> None:
    for room in (pair.host, pair.guest):
        status = room.room.meeting()
        assert all(participant.is_expected for participant in status.participants)
        assert status.code_time > 0
        assert (await room.panel()).code_time == status.code_time


async def test_a_tick_on_the_panel_is_kept_until_the_code_is_another(pair: Pair) -> None:
    leaf, epoch = leaf_of(pair.host, GUEST), pair.host.room.meeting().code_epoch
    tick = PanelAction(ActionKind.COMPARED, leaf=leaf, name=GUEST, code_epoch=epoch)
    pair.host.room.act(tick)
    compared = {p.name: p.is_compared for p in pair.host.room.meeting().participants}
    assert compared == {HOST: False, GUEST: True}
    pair.host.room.act(PanelAction(ActionKind.NOT_COMPARED, leaf=leaf, name=GUEST, code_epoch=epoch))
    assert not any(p.is_compared for p in pair.host.room.meeting().participants)


async def test_a_tick_for_a_code_that_has_gone_is_dropped(pair: Pair) -> None:
    epoch = pair.host.room.meeting().code_epoch
    late = PanelAction(ActionKind.COMPARED, leaf=leaf_of(pair.host, GUEST), name=GUEST, code_epoch=epoch + 1)
    pair.host.room.act(late)
    assert not any(p.is_compared for p in pair.host.room.meeting().participants)


async def test_a_host_throws_out_from_its_panel(pair: Pair) -> None:
    pair.host.room.act(PanelAction(ActionKind.KICK, leaf=leaf_of(pair.host, GUEST), name=GUEST))
    await until(pair.guest, lambda: pair.guest.room.meeting().state == "left")
    assert "removed" in pair.guest.room.meeting().left_reason
    await until(pair.host, lambda: names(pair.host) == [HOST])


async def test_a_host_throws_out_from_outside(pair: Pair) -> None:
    await pair.host.room.kick(*line_of(pair.host, GUEST))
    await until(pair.guest, lambda: pair.guest.room.meeting().state == "left")


async def test_who_was_thrown_out_is_refused_until_a_host_allows_it_back(pair: Pair) -> None:
    host, guest = pair.host.room, pair.guest.room
    await host.kick(*line_of(pair.host, GUEST))
    await until(pair.guest, lambda: guest.meeting().state == "left")
    await until(pair.host, lambda: bool(host.meeting().removed))
    (removed,) = host.meeting().removed
    assert removed.name == GUEST
    (shown,) = (await pair.host.panel()).removed
    assert (shown.key_id, shown.name) == (removed.key_id, GUEST)

    await pair.guest_joins()
    await until(pair.guest, lambda: guest.meeting().state == "left")
    assert "removed this room" in guest.meeting().left_reason
    assert (host.meeting().lobby, names(pair.host)) == ((), [HOST])

    pair.host.room.act(PanelAction(ActionKind.ALLOW_BACK, removed.key_id))
    await until(pair.host, lambda: not host.meeting().removed)
    await pair.guest_joins()
    await until(pair.guest, lambda: guest.meeting().state == "in_meeting")


async def test_who_was_thrown_out_is_noted_for_the_next_use_of_the_link(pair: Pair, tmp_path: Path) -> None:
    keys = {line_of(pair.host, GUEST)[1]}
    await pair.host.room.kick(*line_of(pair.host, GUEST))
    await until(pair.host, lambda: names(pair.host) == [HOST])
    await pair.host.room.leave_meeting()
    (path,) = (tmp_path / HOST).rglob("*.terms")
    terms = MeetingContext.of((Extension(MEETING_EXTENSION, path.read_bytes()),))
    assert {hashlib.sha256(key).hexdigest()[:16] for key in terms.kicked} == keys
    assert not list((tmp_path / GUEST).rglob("*.terms"))


async def test_only_who_was_removed_is_allowed_back(pair: Pair) -> None:
    assert (await refused(pair.host.room.allow_back("00112233445566aa"))).kind is RoomErrorKind.NOT_FOUND


async def test_who_is_made_a_host_is_one_everywhere_and_may_end_the_meeting(pair: Pair) -> None:
    guest = leaf_of(pair.host, GUEST)
    pair.host.room.act(PanelAction(ActionKind.HAND_OVER, leaf=guest, name=GUEST))
    await pair.until(lambda room: [p.role for p in room.room.meeting().participants] == ["host", "host"])
    assert (await pair.guest.panel()).is_host
    await pair.guest.room.end_for_all()
    await pair.until(lambda room: room.room.meeting().state == "left")
    for room in (pair.host, pair.guest):
        assert room.room.meeting().left_reason == f"{GUEST} ended the meeting for all"


async def test_a_host_ends_the_meeting_from_its_panel_and_no_room_comes_back_to_it(pair: Pair) -> None:
    pair.host.room.act(PanelAction(ActionKind.END_FOR_ALL))
    await pair.until(lambda room: room.room.meeting().state == "left")
    for room in (pair.host, pair.guest):
        assert not room.resume_file.exists()
        (notice,) = (await room.panel()).notices
        assert notice == f"{HOST} ended the meeting for all"


@pytest.mark.parametrize("is_new_key", [False, True])
async def test_a_room_that_enrolls_in_mid_meeting_goes_on_with_its_new_certificate(
    pair: Pair, monkeypatch: pytest.MonkeyPatch, is_new_key: bool
) -> None:
    async def enroll(enrollment: Enrollment, domain: str, signer: Signer, **_: object) -> Certificate:
        chain = tuple(PUBLIC_CA.issue(signer.certificate_public_key, dns=[domain]))
        return Certificate(domain, chain, 0, 1)

    monkeypatch.setattr(Enrollment, "enroll", enroll)
    code_epoch, resumption = pair.host.room.meeting().code_epoch, pair.guest.resume_file.read_bytes()
    await pair.guest.room.enroll(
        EnrollmentRequest(GUEST, "https://ca.example/dir", "http-01", is_new_key=is_new_key)
    )
    await pair.until(lambda room: room.room.meeting().code_epoch > code_epoch)
    for room in (pair.host, pair.guest):
        status = room.room.meeting()
        assert f"{GUEST} renewed its certificate" in status.code_reason
        assert [(p.name, p.assurance) for p in status.participants] == [
            (HOST, "verified"),
            (GUEST, "verified"),
        ]
        assert status.lock == "locked"
    # What it takes to come back is that of the key that the room has now.
    assert (pair.guest.resume_file.read_bytes() != resumption) is is_new_key


def said_in(token: str) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """A record, its signature checked, and what happened to whom."""
    record = json.loads(jws.verify(token, typ="conclave-audit+jws", max_bytes=len(token)).payload)
    return record, [(entry["event"], entry.get("name", "")) for entry in record["entries"]]


async def test_a_room_signs_a_record_of_its_meeting_and_keeps_it(pair: Pair) -> None:
    host = pair.host.room
    code, running = host.meeting().security_code, await host.audit("")
    record, events = said_in(running)
    assert (record["title"], record["room"]) == ("Weekly", HOST)
    assert ("joined", GUEST) in events
    assert code.split()[0] not in running
    await host.end_for_all()
    await until(pair.host, lambda: host.meeting().state == "left")
    record, events = said_in(await host.audit(""))
    assert events[-1][0] == "ended"
    (name,) = await host.list_audits()
    assert said_in(await host.audit(name)) == (record, events)


async def test_a_record_that_is_not_there_is_not_found(pair: Pair) -> None:
    for which in ("../policy", "20300317T174640Z-00010203"):
        assert (await refused(pair.host.room.audit(which))).kind is RoomErrorKind.NOT_FOUND


async def test_a_last_host_that_leaves_hands_over(pair: Pair) -> None:
    await pair.host.room.leave_meeting()
    await until(pair.guest, lambda: names(pair.guest) == [GUEST])
    assert pair.guest.room.meeting().is_host


async def test_a_press_on_a_line_that_has_become_another_s_throws_nobody_out(pair: Pair) -> None:
    pair.host.room.act(PanelAction(ActionKind.KICK, leaf=leaf_of(pair.host, GUEST), name="rude.example.com"))
    assert names(pair.host) == [HOST, GUEST]
    assert (await pair.host.panel()).notices == ()


async def test_who_is_no_host_is_told_so(pair: Pair) -> None:
    host = line_of(pair.guest, HOST)
    room = pair.guest.room
    for asking in (room.kick(*host), room.hand_over(*host), room.end_for_all(), room.allow_back("x")):
        assert (await refused(asking)).kind is RoomErrorKind.NOT_PERMITTED
    assert names(pair.guest) == [HOST, GUEST]


async def test_nobody_in_particular_is_not_found(pair: Pair) -> None:
    _, key_id = line_of(pair.host, GUEST)
    for asking in (pair.host.room.kick(99, key_id), pair.host.room.hand_over(99, key_id)):
        assert (await refused(asking)).kind is RoomErrorKind.NOT_FOUND


async def test_a_leaf_that_another_key_stands_at_is_neither_thrown_out_nor_made_a_host(pair: Pair) -> None:
    (leaf, _), (_, other) = line_of(pair.host, GUEST), line_of(pair.host, HOST)
    for asking in (pair.host.room.kick(leaf, other), pair.host.room.hand_over(leaf, other)):
        assert (await refused(asking)).kind is RoomErrorKind.NOT_FOUND
    assert names(pair.host) == [HOST, GUEST]
    assert not pair.guest.room.meeting().is_host


async def test_a_press_without_effect_says_why_on_the_panel(pair: Pair) -> None:
    pair.host.room.act(PanelAction(ActionKind.ADMIT, "nobody"))
    (notice,) = (await pair.host.panel()).notices
    assert notice.startswith("not done: ")
