"""A room whose daemon ended in mid-meeting: it comes back by itself, and only then."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from conclave_hal.panel import ActionKind, MeetingState, PanelAction
from conclaved.bus.room import MeetingRequest, RoomErrorKind
from conclaved.conference.hub import Hub
from conclaved.service.attending import COMING_BACK, FIRST_PAUSE_S, LONGEST_PAUSE_S
from conclaved.service.resume_file import ResumeFile
from tests.conference.hubs import Tls, listening, make_tls
from tests.service.rooms import DEADLINE_S, TestRoom, running_room
from tests.service.test_room import refused


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Tls:
    return make_tls(tmp_path_factory.mktemp("hub"))


@pytest.fixture
def hub() -> Hub:
    return Hub(forget_s=0)


async def until(here: TestRoom, holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not holds():  # noqa: ASYNC110
            await asyncio.sleep(0)


async def until_state(here: TestRoom, state: str) -> None:
    await until(here, lambda: here.room.meeting().state == state)


@asynccontextmanager
async def in_meeting(folder: Path, tls: Tls, service: str) -> AsyncIterator[TestRoom]:
    """A room in a meeting of its own."""
    async with running_room(folder, service_ca=tls.authority, countdown_s=0) as here:
        link = (await here.room.create_meeting(MeetingRequest("Weekly", "standard", (), service))).link
        await here.room.join_meeting(link)
        await until_state(here, "in_meeting")
        yield here


def file_of(folder: Path) -> Path:
    return folder / "run/meeting.json"


async def broken_off(folder: Path, tls: Tls, service: str) -> None:
    """Leave the folder as a daemon leaves it that is killed in mid-meeting."""
    async with in_meeting(folder, tls, service):
        content = file_of(folder).read_bytes()
    file_of(folder).write_bytes(content)


class Pauses:
    """In the place of time: what was waited for, and a gate before each wait ends."""

    def __init__(self) -> None:
        self.asked: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.asked.append(seconds)
        await asyncio.sleep(0.001)


def restarted(
    folder: Path, tls: Tls, pause: Callable[[float], Awaitable[None]] = asyncio.sleep
) -> AbstractAsyncContextManager[TestRoom]:
    return running_room(folder, service_ca=tls.authority, pause=pause)


# -- what lies in the runtime directory ---------------------------------------------------------


async def test_in_a_meeting_what_it_takes_to_come_back_lies_there_and_is_gone_when_it_was_left(
    tmp_path: Path, tls: Tls, hub: Hub
) -> None:
    async with listening(hub, tls) as service, in_meeting(tmp_path, tls, service) as here:
        assert file_of(tmp_path).stat().st_mode & 0o777 == 0o600
        assert set(json.loads(file_of(tmp_path).read_text())) == {
            "version",
            "link",
            "invitation",
            "admission",
            "title",
            "not_after",
        }
        here.room.act(PanelAction(ActionKind.LEAVE))
        assert not file_of(tmp_path).exists()
        await until_state(here, "left")
        assert not file_of(tmp_path).exists()


async def test_before_the_room_is_in_nothing_lies_there(tmp_path: Path, tls: Tls, hub: Hub) -> None:
    async with (
        listening(hub, tls) as service,
        running_room(tmp_path, service_ca=tls.authority, countdown_s=60) as here,
    ):
        link = (await here.room.create_meeting(MeetingRequest("Weekly", "standard", (), service))).link
        await here.room.join_meeting(link)
        await here.panel()
        assert not file_of(tmp_path).exists()


async def test_a_daemon_that_is_stopped_in_order_has_left(tmp_path: Path, tls: Tls, hub: Hub) -> None:
    async with listening(hub, tls) as service:
        async with in_meeting(tmp_path, tls, service):
            assert file_of(tmp_path).exists()
        assert not file_of(tmp_path).exists()
        async with restarted(tmp_path, tls) as here:
            await here.panel()
            assert here.room.meeting().state == "idle"


# -- coming back --------------------------------------------------------------------------------


async def test_it_comes_back_by_itself_without_a_countdown_and_muted(
    tmp_path: Path, tls: Tls, hub: Hub
) -> None:
    async with listening(hub, tls) as service:
        await broken_off(tmp_path, tls, service)
        pauses = Pauses()
        async with restarted(tmp_path, tls, pauses) as here:
            await until_state(here, "in_meeting")
            status = here.room.meeting()
            assert (status.title, [p.name for p in status.participants]) == ("Weekly", ["room.example.com"])
            assert (here.hardware.camera_muted, here.hardware.microphone_muted) == (True, True)
            assert pauses.asked == []
            assert file_of(tmp_path).exists()
            here.room.act(PanelAction(ActionKind.LEAVE))
            await until_state(here, "left")
        assert not file_of(tmp_path).exists()


async def test_while_the_service_is_away_it_says_so_tries_ever_less_often_and_comes_back_when_it_can(
    tmp_path: Path, tls: Tls, hub: Hub
) -> None:
    async with listening(hub, tls) as service:
        await broken_off(tmp_path, tls, service)
    pauses = Pauses()
    async with restarted(tmp_path, tls, pauses) as here:
        await until(here, lambda: len(pauses.asked) >= 8)
        view = await here.panel()
        assert (view.state, view.title) == (MeetingState.JOINING, "Weekly")
        assert view.notices[0] == COMING_BACK
        assert "cannot be reached" in view.notices[1]
        assert (view.camera_muted, view.microphone_muted) == (True, True)
        assert file_of(tmp_path).exists()
        assert pauses.asked[0] <= 1.5 * FIRST_PAUSE_S
        assert all(0.5 * LONGEST_PAUSE_S <= each <= 1.5 * LONGEST_PAUSE_S for each in pauses.asked[6:])
        assert (await refused(here.room.join_meeting("x"))).kind is RoomErrorKind.ALREADY_IN_MEETING
        async with listening(hub, tls, int(service.rpartition(":")[2])):
            await until_state(here, "in_meeting")
            here.room.act(PanelAction(ActionKind.LEAVE))
            await until_state(here, "left")


async def test_a_service_that_was_restarted_without_its_invitations_is_no_obstacle(
    tmp_path: Path, tls: Tls, hub: Hub
) -> None:
    async with listening(hub, tls) as service:
        await broken_off(tmp_path, tls, service)
    async with (
        listening(Hub(), tls, int(service.rpartition(":")[2])),
        restarted(tmp_path, tls, Pauses()) as here,
    ):
        await until_state(here, "in_meeting")
        here.room.act(PanelAction(ActionKind.LEAVE))
        await until_state(here, "left")


async def test_a_press_on_leave_keeps_it_out_for_good(tmp_path: Path, tls: Tls, hub: Hub) -> None:
    async with listening(hub, tls) as service:
        await broken_off(tmp_path, tls, service)
    async with restarted(tmp_path, tls, Pauses()) as here:
        await until_state(here, "joining")
        here.room.act(PanelAction(ActionKind.LEAVE))
        assert here.room.meeting().state == "left"
        assert not file_of(tmp_path).exists()


async def test_after_the_invitation_s_end_it_gives_up(tmp_path: Path, tls: Tls, hub: Hub) -> None:
    async with listening(hub, tls) as service:
        await broken_off(tmp_path, tls, service)
    file = ResumeFile(file_of(tmp_path))
    before = file.load()
    assert before is not None
    file.save(replace(before, not_after=1))
    async with restarted(tmp_path, tls) as here:
        await until_state(here, "left")
        assert "cannot be reached" in here.room.meeting().left_reason
        assert not file_of(tmp_path).exists()


async def test_what_the_room_would_refuse_now_it_does_not_come_back_to(
    tmp_path: Path, tls: Tls, hub: Hub
) -> None:
    async with listening(hub, tls) as service:
        await broken_off(tmp_path, tls, service)
        (tmp_path / "state/settings.toml").write_text('policy.minimum_level = "locked"')
        async with restarted(tmp_path, tls) as here:
            await until_state(here, "left")
            assert "locked meetings only" in here.room.meeting().left_reason
            assert not file_of(tmp_path).exists()


# -- the file -----------------------------------------------------------------------------------

DAMAGED: dict[str, bytes] = {
    "empty": b"",
    "not JSON": b"{",
    "a list": b"[]",
    "no link": b'{"admission": "", "title": "", "not_after": 1}',
    "half a link": b'{"link": "https://h/m/", "admission": "", "title": "", "not_after": 1}',
    "not UTF-8": b"\xff",
}


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED.keys())
async def test_a_damaged_file_is_no_meeting_to_come_back_to(tmp_path: Path, content: bytes) -> None:
    file_of(tmp_path).parent.mkdir()
    file_of(tmp_path).write_bytes(content)
    assert ResumeFile(file_of(tmp_path)).load() is None
    assert not file_of(tmp_path).exists()


@pytest.mark.parametrize(
    "changes",
    [
        {"not_after": "soon"},
        {"title": 5},
        {"admission": "A"},
        {"link": None},
        {"terms": "A"},
        {"terms": "AAAA"},
        {"terms": 5},
    ],
)
async def test_a_field_of_another_kind_makes_the_file_a_damaged_one(
    tmp_path: Path, tls: Tls, hub: Hub, changes: dict[str, object]
) -> None:
    async with listening(hub, tls) as service:
        await broken_off(tmp_path, tls, service)
    file = ResumeFile(file_of(tmp_path))
    before = file.load()
    assert before is not None
    content = json.loads(file.path.read_text())
    file.path.write_text(json.dumps(content | changes))
    assert file.load() is None
    assert before.link.encode() not in repr(before)
