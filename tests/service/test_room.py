"""What may be asked of a room from outside, and what the people in it can refuse."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from conclave_hal.panel import ActionKind, Lock, MeetingState, PanelAction
from conclaved.bus.room import MeetingRequest, RoomError, RoomErrorKind
from conclaved.conference.hub import Hub
from conclaved.media import MediaEngine
from tests.conference.hubs import Tls, listening, make_tls
from tests.pki import TestAuthority
from tests.service.rooms import DEADLINE_S, TestRoom, running_room

NOW = int(time.time())


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Tls:
    return make_tls(tmp_path_factory.mktemp("hub"))


@pytest.fixture
def hub() -> Hub:
    return Hub()


@pytest.fixture
async def service(hub: Hub, tls: Tls) -> AsyncIterator[str]:
    async with listening(hub, tls) as address:
        yield address


@pytest.fixture
async def here(tmp_path: Path, tls: Tls) -> AsyncIterator[TestRoom]:
    async with running_room(tmp_path, service_ca=tls.authority) as room:
        yield room


def weekly(service: str, **changes: object) -> MeetingRequest:
    return replace(MeetingRequest("Weekly", "standard", (), service), **changes)  # type: ignore[arg-type]


async def refused(asking: object) -> RoomError:
    with pytest.raises(RoomError) as caught:
        await asking  # type: ignore[misc]
    return caught.value


# -- a join that was asked for from outside -----------------------------------------------------


async def test_a_join_is_announced_muted_and_counted_down_before_the_service_hears_of_it(
    here: TestRoom, hub: Hub, service: str
) -> None:
    here.room.act(PanelAction(ActionKind.UNMUTE_CAMERA))
    link = await here.room.create_meeting(weekly(service))
    await here.room.join_meeting(link)
    assert here.room.meeting().state == "joining"
    view = await here.panel()
    assert (view.state, view.title) == (MeetingState.JOINING, "Weekly")
    assert (view.camera_muted, view.microphone_muted) == (True, True)
    async with asyncio.timeout(DEADLINE_S):
        while "press Leave" not in "".join((await here.panel()).notices):  # noqa: ASYNC110
            await asyncio.sleep(0)
    assert hub.status()["meetings"] == []


async def test_a_press_on_leave_refuses_the_join(here: TestRoom, hub: Hub, service: str) -> None:
    await here.room.join_meeting(await here.room.create_meeting(weekly(service)))
    here.room.act(PanelAction(ActionKind.LEAVE))
    view = await here.panel()
    assert (view.state, view.notices) == (MeetingState.LEFT, ("left the meeting",))
    assert hub.status()["meetings"] == []


async def test_a_refused_join_can_be_asked_for_again(here: TestRoom, service: str) -> None:
    link = await here.room.create_meeting(weekly(service))
    for _ in range(2):
        await here.room.join_meeting(link)
        assert here.room.meeting().state == "joining"
        here.room.act(PanelAction(ActionKind.LEAVE))
        assert here.room.meeting().state == "left"


async def test_a_room_that_is_joining_takes_no_second_link(here: TestRoom, service: str) -> None:
    link = await here.room.create_meeting(weekly(service))
    await here.room.join_meeting(link)
    before = here.room.meeting()
    error = await refused(here.room.join_meeting(link))
    assert error.kind is RoomErrorKind.ALREADY_IN_MEETING
    assert here.room.meeting() == before


async def test_after_the_countdown_the_room_is_in_and_a_press_on_leave_ends_it(
    tmp_path: Path, tls: Tls, service: str
) -> None:
    async with running_room(tmp_path, service_ca=tls.authority, countdown_s=0) as here:
        await here.room.join_meeting(await here.room.create_meeting(weekly(service)))
        async with asyncio.timeout(DEADLINE_S):
            async for _ in here.room.changes():
                if here.room.meeting().state == "in_meeting":
                    break
        assert [p.name for p in here.room.meeting().participants] == ["room.example.com"]
        assert here.room.meeting().security_code == ""
        here.room.act(PanelAction(ActionKind.UNMUTE_CAMERA))
        here.room.act(PanelAction(ActionKind.LEAVE))
        async with asyncio.timeout(DEADLINE_S):
            while here.room.meeting().state != "left":  # noqa: ASYNC110
                await asyncio.sleep(0)
        assert here.room.meeting().left_reason == "left the meeting"
        assert here.room.hardware().camera_muted


async def test_a_fault_of_the_device_ends_the_meeting_visibly_and_the_room_can_join_again(
    tmp_path: Path, tls: Tls, service: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(engine: MediaEngine, keys: object) -> None:
        raise RuntimeError("a bug")

    async with running_room(tmp_path, service_ca=tls.authority, countdown_s=0) as here:
        link = await here.room.create_meeting(weekly(service))
        with monkeypatch.context() as patch:
            patch.setattr(MediaEngine, "advance", broken)
            await here.room.join_meeting(link)
            async with asyncio.timeout(DEADLINE_S):
                while here.room.meeting().state != "left":  # noqa: ASYNC110
                    await asyncio.sleep(0)
        assert "this device could not go on" in here.room.meeting().left_reason
        assert (await here.panel()).lock is Lock.NONE
        await here.room.join_meeting(link)
        assert here.room.meeting().state == "joining"


# -- what cannot be done ------------------------------------------------------------------------


async def test_a_room_without_a_certificate_neither_invites_nor_joins(tmp_path: Path) -> None:
    async with running_room(tmp_path, domain="") as here:
        for asking in (here.room.create_meeting(weekly("wss://hub.example")), here.room.join_meeting("x")):
            error = await refused(asking)
            assert error.kind is RoomErrorKind.NOT_ENROLLED
            assert error.hint == "conclavectl identity enroll DOMAIN"


async def test_in_no_meeting_there_is_nothing_to_leave_and_nobody_to_admit(here: TestRoom) -> None:
    for asking in (here.room.leave_meeting(), here.room.admit("x"), here.room.deny("x")):
        assert (await refused(asking)).kind is RoomErrorKind.NOT_IN_MEETING


@pytest.mark.parametrize("link", ["", "nonsense", "https://h/m/short#x", "http://h/m/a#b"])
async def test_a_damaged_link_is_an_invalid_argument(here: TestRoom, link: str) -> None:
    error = await refused(here.room.join_meeting(link))
    assert error.kind is RoomErrorKind.INVALID_ARGUMENT
    assert error.hint
    assert here.room.meeting().state == "idle"


async def test_a_service_that_is_not_there_is_unreachable(here: TestRoom, tls: Tls) -> None:
    async with listening(Hub(), tls) as service:
        link = await here.room.create_meeting(weekly(service))
    for asking in (here.room.join_meeting(link), here.room.create_meeting(weekly(service))):
        error = await refused(asking)
        assert error.kind is RoomErrorKind.UNREACHABLE
        assert error.hint
    assert here.room.meeting().state == "idle"


async def test_a_service_that_does_not_know_the_meeting_is_not_found(
    here: TestRoom, service: str, tls: Tls
) -> None:
    link = await here.room.create_meeting(weekly(service))
    async with listening(Hub(), tls) as other:
        elsewhere = link.replace(service.removeprefix("wss://"), other.removeprefix("wss://"))
        assert (await refused(here.room.join_meeting(elsewhere))).kind is RoomErrorKind.NOT_FOUND


async def test_an_expired_invitation_is_refused(here: TestRoom, service: str) -> None:
    link = await here.room.create_meeting(weekly(service, not_before=NOW - 200, not_after=NOW - 100))
    error = await refused(here.room.join_meeting(link))
    assert error.kind is RoomErrorKind.REFUSED
    assert "expired" in str(error)
    assert here.room.meeting().state == "idle"


async def test_a_room_for_locked_meetings_refuses_a_standard_one(here: TestRoom, service: str) -> None:
    await here.room.set_minimum_level("locked")
    error = await refused(here.room.join_meeting(await here.room.create_meeting(weekly(service))))
    assert error.kind is RoomErrorKind.REFUSED
    assert "locked meetings only" in str(error)
    assert here.room.meeting().state == "idle"


async def test_an_invitation_by_somebody_nobody_vouches_for_is_refused(here: TestRoom, service: str) -> None:
    link = await here.room.create_meeting(weekly(service))
    await here.room.remove_anchor("public")
    error = await refused(here.room.join_meeting(link))
    assert error.kind is RoomErrorKind.REFUSED
    assert "conclavectl trust add" in error.hint


@pytest.mark.parametrize(
    ("pem", "kind"), [("nonsense", "verified"), ("", "provider"), (TestAuthority("X").root_pem, "friend")]
)
async def test_a_bad_anchor_is_refused_and_none_is_added(here: TestRoom, pem: str, kind: str) -> None:
    before = here.room.anchors()
    error = await refused(here.room.add_anchor(pem, "new", kind, ()))
    assert error.kind is RoomErrorKind.INVALID_ARGUMENT
    assert here.room.anchors() == before


async def test_an_unknown_anchor_cannot_be_removed(here: TestRoom) -> None:
    assert (await refused(here.room.remove_anchor("nobody"))).kind is RoomErrorKind.NOT_FOUND


async def test_an_unknown_level_changes_no_policy(here: TestRoom) -> None:
    await here.room.set_minimum_level("locked")
    assert (await refused(here.room.set_minimum_level("lax"))).kind is RoomErrorKind.INVALID_ARGUMENT
    assert here.room.policy().minimum_level == "locked"


async def test_a_room_that_lacks_something_says_what_to_do_about_it(tmp_path: Path) -> None:
    async with running_room(tmp_path, domain="") as here:
        await here.room.remove_anchor("public")
        device = here.room.device()
        assert device.health == "degraded"
        problems = "\n".join(device.problems)
        assert "conclavectl identity enroll DOMAIN" in problems
        assert "conclavectl trust add" in problems
