"""What may be asked of a room from outside, and what the people in it can refuse."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from conclave_hal.panel import ActionKind, Lock, MeetingState, PanelAction
from conclave_hal.switches import SwitchPosition
from conclaved.bus.room import MeetingRequest, PolicyChange, PolicyStatus, RoomError, RoomErrorKind
from conclaved.conference.hub import Hub
from conclaved.media import MediaEngine, StreamContext
from conclaved.meeting import SignedInvitation
from conclaved.service.attending import LOOK_AGAIN_S
from conclaved.service.settings import SettingsFile
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
    link = (await here.room.create_meeting(weekly(service))).link
    await here.room.join_meeting(link)
    assert here.room.meeting().state == "joining"
    view = await here.panel()
    assert (view.state, view.title) == (MeetingState.JOINING, "Weekly")
    assert (view.camera_muted, view.microphone_muted) == (True, True)
    async with asyncio.timeout(DEADLINE_S):
        while (await here.panel()).incoming is None:  # noqa: ASYNC110
            await asyncio.sleep(0)
    incoming = (await here.panel()).incoming
    assert incoming is not None
    assert (incoming.title, incoming.asked_by) == ("Weekly", "an admin")
    assert hub.status()["meetings"] == []


async def test_a_press_on_leave_refuses_the_join(here: TestRoom, hub: Hub, service: str) -> None:
    await here.room.join_meeting((await here.room.create_meeting(weekly(service))).link)
    here.room.act(PanelAction(ActionKind.LEAVE))
    view = await here.panel()
    assert (view.state, view.notices) == (MeetingState.LEFT, ())
    assert hub.status()["meetings"] == []


async def test_a_refused_join_can_be_asked_for_again(here: TestRoom, service: str) -> None:
    link = (await here.room.create_meeting(weekly(service))).link
    for _ in range(2):
        await here.room.join_meeting(link)
        assert here.room.meeting().state == "joining"
        here.room.act(PanelAction(ActionKind.LEAVE))
        assert here.room.meeting().state == "left"


async def test_a_room_that_is_joining_takes_no_second_link(here: TestRoom, service: str) -> None:
    link = (await here.room.create_meeting(weekly(service))).link
    await here.room.join_meeting(link)
    before = here.room.meeting()
    error = await refused(here.room.join_meeting(link))
    assert error.kind is RoomErrorKind.ALREADY_IN_MEETING
    assert str(error) == "the room is joining a meeting already"
    assert here.room.meeting() == before


async def test_after_the_countdown_the_room_is_in_and_a_press_on_leave_ends_it(
    tmp_path: Path, tls: Tls, service: str
) -> None:
    async with running_room(tmp_path, service_ca=tls.authority, countdown_s=0) as here:
        await here.room.join_meeting((await here.room.create_meeting(weekly(service))).link)
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
        link = (await here.room.create_meeting(weekly(service))).link
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


async def test_a_meeting_without_a_service_is_held_at_the_configured_one(
    tmp_path: Path, tls: Tls, service: str
) -> None:
    async with running_room(tmp_path, service_ca=tls.authority, conference_service=service) as here:
        created = await here.room.create_meeting(weekly(""))
    assert SignedInvitation.verify(created.invitation).content.service == service


async def test_without_a_configured_service_a_meeting_must_name_one(here: TestRoom) -> None:
    error = await refused(here.room.create_meeting(weekly("")))
    assert error.kind is RoomErrorKind.INVALID_ARGUMENT
    assert "--conference" in error.hint


# -- the countdown ------------------------------------------------------------------------------


class Watch:
    """In the place of time: what was waited for, and what happens meanwhile."""

    def __init__(self) -> None:
        self.waited: list[float] = []
        self.meanwhile: Callable[[float], None] = lambda seconds: None

    async def __call__(self, seconds: float) -> None:
        self.waited.append(seconds)
        self.meanwhile(seconds)
        await asyncio.sleep(0)


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not holds():  # noqa: ASYNC110
            await asyncio.sleep(0)


async def test_no_second_of_the_countdown_passes_while_the_panel_does_not_show_it(
    tmp_path: Path, tls: Tls, hub: Hub, service: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch = Watch()
    async with running_room(tmp_path, service_ca=tls.authority, countdown_s=2, pause=watch) as here:
        link = (await here.room.create_meeting(weekly(service))).link
        with monkeypatch.context() as patch:
            patch.setattr(here.hardware.devices.panel, "drawn", lambda: None)
            await here.room.join_meeting(link)
            await until(lambda: len(watch.waited) > 50)
            assert set(watch.waited) == {LOOK_AGAIN_S}
            assert hub.status()["meetings"] == []
            assert here.room.meeting().state == "joining"
        await until(lambda: here.room.meeting().state == "in_meeting")
        assert watch.waited.count(1.0) == 2


async def test_a_second_in_which_the_panel_goes_dark_does_not_count(
    tmp_path: Path, tls: Tls, service: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch = Watch()
    async with running_room(tmp_path, service_ca=tls.authority, countdown_s=2, pause=watch) as here:
        panel = here.hardware.devices.panel

        def go_dark_once(seconds: float) -> None:
            if seconds == 1.0 and watch.waited.count(1.0) == 1:
                monkeypatch.setattr(panel, "drawn", lambda: None)
            elif seconds == LOOK_AGAIN_S:
                monkeypatch.undo()

        watch.meanwhile = go_dark_once
        await here.room.join_meeting((await here.room.create_meeting(weekly(service))).link)
        await until(lambda: here.room.meeting().state == "in_meeting")
        assert watch.waited.count(1.0) == 3


async def test_a_room_without_a_panel_counts_all_the_same(tmp_path: Path, tls: Tls, service: str) -> None:
    watch = Watch()
    async with running_room(tmp_path, service_ca=tls.authority, countdown_s=1.5, hal="", pause=watch) as here:
        await here.room.join_meeting((await here.room.create_meeting(weekly(service))).link)
        await until(lambda: here.room.meeting().state == "in_meeting")
        assert watch.waited == [1.0, 1.0]


# -- while a meeting runs -----------------------------------------------------------------------


@pytest.fixture
async def meeting(tmp_path: Path, tls: Tls, service: str) -> AsyncIterator[TestRoom]:
    """A room in a meeting, with camera and microphone on."""
    async with running_room(tmp_path, service_ca=tls.authority, countdown_s=0) as here:
        await here.room.join_meeting((await here.room.create_meeting(weekly(service))).link)
        await until(lambda: here.room.meeting().state == "in_meeting")
        here.room.act(PanelAction(ActionKind.UNMUTE_CAMERA))
        here.room.act(PanelAction(ActionKind.UNMUTE_MICROPHONE))
        yield here


def gates(here: TestRoom) -> tuple[bool, bool]:
    """Whether nothing of the camera, and of the microphone, may leave."""
    engine = here.room._attending.engine
    assert engine is not None
    return tuple(engine._sending[c].is_muted for c in (StreamContext.CAMERA, StreamContext.MICROPHONE))  # type: ignore[return-value]


async def test_both_gates_are_closed_when_a_press_or_the_call_that_mutes_returns(meeting: TestRoom) -> None:
    assert gates(meeting) == (False, False)
    meeting.room.act(PanelAction(ActionKind.MUTE_MICROPHONE))
    assert gates(meeting) == (False, True)
    meeting.room.act(PanelAction(ActionKind.UNMUTE_MICROPHONE))
    assert gates(meeting) == (False, False)
    muting = meeting.room.mute(camera=True, microphone=True)
    with pytest.raises(StopIteration):
        muting.send(None)  # it returns without having waited for anything
    assert gates(meeting) == (True, True)


async def test_a_switch_that_blocks_closes_its_gate_whatever_the_camera_does(
    meeting: TestRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    never = asyncio.Event()

    async def hang(is_enabled: bool) -> None:
        await never.wait()

    monkeypatch.setattr(meeting.hardware.devices.video, "set_enabled", hang)
    meeting.room.act(PanelAction(ActionKind.MUTE_CAMERA))
    await meeting.mute_switch.move(SwitchPosition.BLOCKING)
    await until(lambda: gates(meeting) == (True, True))
    never.set()


async def test_a_stricter_policy_ends_a_meeting_that_it_does_not_allow(meeting: TestRoom) -> None:
    await meeting.room.set_policy(PolicyChange(minimum_level="locked"))
    await until(lambda: meeting.room.meeting().state == "left")
    assert "locked meetings only" in meeting.room.meeting().left_reason


async def test_a_policy_set_while_the_panel_counts_down_holds_in_the_meeting(
    tmp_path: Path, tls: Tls, service: str
) -> None:
    async with running_room(tmp_path, service_ca=tls.authority, countdown_s=1) as here:
        await here.room.join_meeting((await here.room.create_meeting(weekly(service))).link)
        await here.room.set_policy(PolicyChange(minimum_level="locked"))
        await until(lambda: here.room.meeting().state == "left")
        assert "locked meetings only" in here.room.meeting().left_reason


async def test_a_policy_that_cannot_be_stored_is_not_taken_and_ends_no_meeting(
    meeting: TestRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*words: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(SettingsFile, "save", full)
    error = await refused(meeting.room.set_policy(PolicyChange(minimum_level="locked")))
    assert error.kind is RoomErrorKind.FAILED
    assert "No space left" in str(error)
    assert meeting.room.policy().minimum_level == "standard"
    assert meeting.room.meeting().state == "in_meeting"


async def test_a_meeting_ends_by_the_time_that_the_room_believes(
    tmp_path: Path, tls: Tls, service: str
) -> None:
    ahead = 0.0
    async with running_room(
        tmp_path, service_ca=tls.authority, countdown_s=0, read_clock=lambda: time.time() + ahead
    ) as here:
        link = (await here.room.create_meeting(weekly(service, not_after=NOW + 3600))).link
        await here.room.join_meeting(link)
        await until(lambda: here.room.meeting().state == "in_meeting")
        ahead = 7200.0
        await until(lambda: here.room.meeting().state == "left")
        assert here.room.meeting().left_reason == "the meeting's time is over"


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
        link = (await here.room.create_meeting(weekly(service))).link
    for asking in (here.room.join_meeting(link), here.room.create_meeting(weekly(service))):
        error = await refused(asking)
        assert error.kind is RoomErrorKind.UNREACHABLE
        assert error.hint
    assert here.room.meeting().state == "idle"


async def test_a_service_that_does_not_know_the_meeting_is_not_found(
    here: TestRoom, service: str, tls: Tls
) -> None:
    link = (await here.room.create_meeting(weekly(service))).link
    async with listening(Hub(), tls) as other:
        elsewhere = link.replace(service.removeprefix("wss://"), other.removeprefix("wss://"))
        assert (await refused(here.room.join_meeting(elsewhere))).kind is RoomErrorKind.NOT_FOUND


async def test_an_expired_invitation_is_refused(here: TestRoom, service: str) -> None:
    link = (await here.room.create_meeting(weekly(service, not_before=NOW - 200, not_after=NOW - 100))).link
    error = await refused(here.room.join_meeting(link))
    assert error.kind is RoomErrorKind.REFUSED
    assert "expired" in str(error)
    assert here.room.meeting().state == "idle"


async def test_a_room_for_locked_meetings_refuses_a_standard_one(here: TestRoom, service: str) -> None:
    await here.room.set_policy(PolicyChange(minimum_level="locked"))
    error = await refused(here.room.join_meeting((await here.room.create_meeting(weekly(service))).link))
    assert error.kind is RoomErrorKind.REFUSED
    assert "locked meetings only" in str(error)
    assert here.room.meeting().state == "idle"


async def test_an_invitation_by_somebody_nobody_vouches_for_is_refused(here: TestRoom, service: str) -> None:
    link = (await here.room.create_meeting(weekly(service))).link
    await here.room.remove_anchor("public")
    error = await refused(here.room.join_meeting(link))
    assert error.kind is RoomErrorKind.REFUSED
    assert "conclavectl trust add" in error.hint


@pytest.mark.parametrize(
    ("pem", "kind"), [("nonsense", "verified"), ("", "provider"), (TestAuthority("X").root_pem, "friend")]
)
async def test_a_bad_anchor_is_refused_and_none_is_added(here: TestRoom, pem: str, kind: str) -> None:
    before = here.room.trust().anchors
    error = await refused(here.room.add_anchor(pem, "new", kind, ()))
    assert error.kind is RoomErrorKind.INVALID_ARGUMENT
    assert here.room.trust().anchors == before


async def test_to_remove_an_unknown_anchor_changes_nothing(here: TestRoom) -> None:
    before = here.room.trust().anchors
    assert not (await here.room.remove_anchor("nobody")).changed
    assert here.room.trust().anchors == before


async def test_an_unknown_level_changes_no_policy(here: TestRoom) -> None:
    await here.room.set_policy(PolicyChange(minimum_level="locked"))
    assert (
        await refused(here.room.set_policy(PolicyChange(minimum_level="lax")))
    ).kind is RoomErrorKind.INVALID_ARGUMENT
    assert here.room.policy().minimum_level == "locked"


async def test_a_policy_keeps_the_rules_that_are_not_changed(here: TestRoom) -> None:
    await here.room.set_policy(PolicyChange(requires_verified=True))
    await here.room.set_policy(PolicyChange(allows_service_ends=False))
    await here.room.set_policy(PolicyChange(minimum_level="locked"))
    assert here.room.policy() == PolicyStatus("locked", requires_verified=True, allows_service_ends=False)
    await here.room.set_policy(PolicyChange(requires_verified=False, minimum_level="standard"))
    assert here.room.policy() == PolicyStatus("standard", allows_service_ends=False)


async def test_a_room_that_lacks_something_says_what_to_do_about_it(tmp_path: Path) -> None:
    async with running_room(tmp_path, domain="") as here:
        await here.room.remove_anchor("public")
        device = here.room.device()
        assert device.health == "degraded"
        problems = "\n".join(device.problems)
        assert "conclavectl identity enroll DOMAIN" in problems
        assert "conclavectl trust add" in problems
