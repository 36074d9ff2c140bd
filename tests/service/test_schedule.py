"""The invitations that a room keeps, and what of them its panel shows today."""

import asyncio
import os
import stat
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from conclave_hal.panel import ActionKind, PanelAction
from conclaved.bus.room import CreatedMeeting, MeetingRequest, PolicyChange, RoomError, RoomErrorKind
from conclaved.conference.hub import Hub
from conclaved.identity import Assurance, SoftwareSigner, Verdict
from conclaved.meeting import Invitation, Level, Link, LinkSecret, SignedInvitation
from conclaved.service.invitations import _seal
from conclaved.service.schedule import MOST, Schedule, clock_time, day_of
from tests.conference.hubs import Tls, listening, make_tls
from tests.pki import TestAuthority
from tests.service.rooms import DEADLINE_S, TestRoom, running_room

SIGNER = SoftwareSigner.generate()
CHAIN = TestAuthority("Office CA").issue(SIGNER.public_key, dns=["ana.example.com"])
SECRET = LinkSecret(bytes(range(32)))
VERIFIED = Verdict(Assurance.VERIFIED, None, "ana.example.com", "", "office", 2**40)


@pytest.fixture(autouse=True)
def in_kathmandu() -> Iterator[None]:
    """A room where neither hours nor minutes are UTC's: five and three quarters ahead of it."""
    before = os.environ.get("TZ")
    os.environ["TZ"] = "NPT-5:45"
    time.tzset()
    yield
    os.environ.pop("TZ")
    if before is not None:
        os.environ["TZ"] = before
    time.tzset()


NOON = 1_900_044_900
"""12:00 in Kathmandu."""


def invited(
    title: str = "Weekly", starts_at: int = NOON, seconds: int = 3600, *, number: int = 1, serial: int = 1
) -> tuple[Link, SignedInvitation]:
    content = Invitation(
        meeting_id=number.to_bytes(16, "big"),
        serial=serial,
        title=title,
        service="wss://hub.example.com:8443",
        level=Level.STANDARD,
        invited=(),
        service_ends=(),
        is_open=False,
        link_public_key=SECRET.link_key().public_key,
        not_before=starts_at,
        not_after=starts_at + seconds,
    )
    invitation = SignedInvitation.verify(content.sign(SIGNER, CHAIN))
    import hashlib

    digest = hashlib.sha256(_seal(SECRET, invitation.token)).digest()
    return Link("hub.example.com", 8443, digest, SECRET), invitation


class Kept:
    """A schedule, its clock, and how often it said that today is another."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.now: int | None = NOON
        self.verdict = VERIFIED
        self.told = 0
        self.waited: list[float] = []
        self.schedule = self.again()

    def again(self) -> Schedule:
        """As after a restart."""
        return Schedule(
            self.folder, lambda chain, key: self.verdict, lambda: self.now, self._tell, pause=self._pause
        )

    def _tell(self) -> None:
        self.told += 1

    async def _pause(self, seconds: float) -> None:
        self.waited.append(seconds)
        assert self.now is not None
        self.now += int(seconds)
        if len(self.waited) > 200:
            raise asyncio.CancelledError
        await asyncio.sleep(0)


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    return Kept(tmp_path / "invitations")


def test_the_day_begins_and_ends_at_the_device_s_own_midnight() -> None:
    start, end = day_of(NOON)
    assert (NOON - start, end - start) == (12 * 3600, 24 * 3600)
    assert clock_time(NOON) == "12:00"


def test_an_invitation_of_today_is_shown_with_its_times_and_whether_it_is_now(kept: Kept) -> None:
    kept.schedule.add(*invited(starts_at=NOON - 600))
    kept.schedule.add(*invited("Board", NOON + 7200, number=2))
    weekly, board = kept.schedule.today()
    assert (weekly.title, weekly.host, weekly.time, weekly.is_now) == (
        *("Weekly", "ana.example.com"),
        *("11:50-12:50", True),
    )
    assert (board.title, board.time, board.is_now) == ("Board", "14:00-15:00", False)


def test_what_is_tomorrow_or_over_is_not_shown(kept: Kept) -> None:
    kept.schedule.add(*invited(starts_at=day_of(NOON)[1]))
    kept.schedule.add(*invited("Soon over", NOON - 3000, number=2))
    kept.now = NOON + 600
    assert kept.schedule.today() == ()


def test_a_standing_invitation_comes_last_and_shows_no_time(kept: Kept) -> None:
    kept.schedule.add(*invited("Room of Ana", NOON - 86_400, 90 * 86_400, number=3))
    kept.schedule.add(*invited("Weekly", NOON + 3600))
    assert [(i.title, i.time) for i in kept.schedule.today()] == [
        ("Weekly", "13:00-14:00"),
        ("Room of Ana", ""),
    ]


def test_the_name_of_a_host_that_nobody_vouches_for_stands_in_quotation_marks(kept: Kept) -> None:
    kept.verdict = replace(VERIFIED, assurance=Assurance.PROVIDER)
    kept.schedule.add(*invited())
    assert kept.schedule.today()[0].host == "“ana.example.com”"


def test_it_is_kept_over_a_restart_in_a_file_that_nobody_else_reads(kept: Kept) -> None:
    kept.schedule.add(*invited())
    (file,) = kept.folder.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(kept.folder.stat().st_mode) == 0o700
    assert kept.again().today() == kept.schedule.today() != ()


def test_a_damaged_file_costs_its_invitation_and_no_more(
    kept: Kept, caplog: pytest.LogCaptureFixture
) -> None:
    link, invitation = invited()
    kept.schedule.add(link, invitation)
    kept.schedule.add(*invited("Board", number=2))
    damaged = kept.folder / f"{kept.schedule.today()[0].invitation_id}.json"
    damaged.write_text('{"link": "' + link.encode() + '", "invitation": "x"}')
    assert len(kept.again().today()) == 1
    assert damaged.name in caplog.text
    assert link.encode().partition("#")[2] not in caplog.text


def test_one_that_has_ended_is_erased(kept: Kept) -> None:
    kept.schedule.add(*invited())
    kept.now = NOON + 3600
    assert kept.schedule.statuses() == ()
    assert list(kept.folder.iterdir()) == []


def test_a_later_invitation_to_the_meeting_replaces_the_earlier_one_and_never_the_other_way(
    kept: Kept,
) -> None:
    kept.schedule.add(*invited())
    assert kept.schedule.add(*invited("Weekly, later", NOON + 3600, serial=2)).changed
    assert [i.title for i in kept.schedule.today()] == ["Weekly, later"]
    with pytest.raises(RoomError) as refused:
        kept.schedule.add(*invited())
    assert refused.value.kind is RoomErrorKind.REFUSED
    assert [i.title for i in kept.again().today()] == ["Weekly, later"]


def test_what_is_there_already_is_no_change(kept: Kept) -> None:
    way = invited()
    assert kept.schedule.add(*way).changed
    assert not kept.schedule.add(*way).changed


def test_a_dry_run_says_what_would_change_and_keeps_nothing(kept: Kept) -> None:
    report = kept.schedule.add(*invited(), dry_run=True)
    assert (report.changed, report.changes[0].after) == (True, '"Weekly"')
    assert (kept.schedule.today(), kept.folder.exists(), kept.told) == ((), False, 0)


def test_an_ended_one_is_refused(kept: Kept) -> None:
    with pytest.raises(RoomError, match="has ended"):
        kept.schedule.add(*invited(starts_at=NOON - 7200))


def test_a_room_keeps_so_many_and_no_more(kept: Kept) -> None:
    way = invited()
    kept.schedule.add(*way)
    one = next(iter(kept.schedule._kept.values()))
    kept.schedule._kept.update({f"{n:016x}": one for n in range(MOST)})
    with pytest.raises(RoomError, match=f"{MOST} invitations"):
        kept.schedule.add(*invited("One more", number=9))


def test_one_that_was_taken_away_is_gone_from_the_disk_too(kept: Kept) -> None:
    kept.schedule.add(*invited())
    invitation_id = kept.schedule.today()[0].invitation_id
    assert kept.schedule.remove(invitation_id).changed
    assert kept.schedule.today() == kept.again().today() == ()
    assert not kept.schedule.remove(invitation_id).changed


def test_no_repr_shows_the_link(kept: Kept) -> None:
    kept.schedule.add(*invited())
    (one,) = kept.schedule._kept.values()
    assert SECRET.secret.hex() not in repr(one)
    assert one.link.encode().partition("#")[2] not in repr((one, kept.schedule.statuses()))


def test_without_a_believed_clock_nothing_is_of_today(kept: Kept) -> None:
    kept.schedule.add(*invited())
    kept.now = None
    assert kept.schedule.today() == ()


async def test_the_panel_hears_when_a_meeting_begins_and_when_it_ends(kept: Kept) -> None:
    kept.schedule.add(*invited(starts_at=NOON + 90, seconds=45))
    told = kept.told
    with pytest.raises(asyncio.CancelledError):
        await kept.schedule.run()
    assert kept.told == told + 2
    assert kept.waited[:3] == [60.0, 30.0, 45.0]


# -- in a room ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Tls:
    return make_tls(tmp_path_factory.mktemp("hub"))


@pytest.fixture
async def here(tmp_path: Path, tls: Tls) -> AsyncIterator[TestRoom]:
    async with (
        listening(Hub(), tls) as address,
        running_room(tmp_path, service_ca=tls.authority, conference_service=address) as room,
    ):
        yield room


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not holds():  # noqa: ASYNC110
            await asyncio.sleep(0)


async def given(here: TestRoom, *, with_token: bool = True) -> CreatedMeeting:
    """The room was given an invitation for now, and its panel shows it."""
    created = await here.room.create_meeting(MeetingRequest("Weekly", "standard", (), ""))
    await here.room.add_invitation(created.link, created.invitation if with_token else "")
    return created


@pytest.mark.parametrize("with_token", [True, False])
async def test_people_join_by_a_press_at_once_and_muted(here: TestRoom, with_token: bool) -> None:
    await given(here, with_token=with_token)
    (shown,) = (await here.panel()).invitations
    assert (shown.title, shown.host, shown.is_now) == ("Weekly", "room.example.com", True)
    here.room.act(PanelAction(ActionKind.JOIN, invitation_id=shown.invitation_id))
    assert here.room.meeting().joining_in_s == 0
    await until(lambda: here.room.meeting().state == "in_meeting")
    hardware = here.room.hardware()
    assert (hardware.camera_muted, hardware.microphone_muted) == (True, True)


async def test_a_press_for_an_invitation_that_was_taken_away_joins_nothing(here: TestRoom) -> None:
    await given(here)
    (shown,) = (await here.panel()).invitations
    await here.room.remove_invitation(shown.invitation_id)
    here.room.act(PanelAction(ActionKind.JOIN, invitation_id=shown.invitation_id))
    assert here.room.meeting().state == "idle"


async def test_a_press_while_the_room_is_in_a_meeting_says_why_nothing_happens(here: TestRoom) -> None:
    await given(here)
    (shown,) = await here.room.invitations()
    join = PanelAction(ActionKind.JOIN, invitation_id=shown.invitation_id)
    here.room.act(join)
    await until(lambda: here.room.meeting().state == "in_meeting")
    here.room.act(join)
    assert "not done: the room is in a meeting" in (await here.panel()).notices


async def test_what_the_policy_has_come_to_forbid_is_refused_on_the_panel(here: TestRoom) -> None:
    await given(here)
    (shown,) = await here.room.invitations()
    await here.room.set_policy(PolicyChange(minimum_level="locked"))
    here.room.act(PanelAction(ActionKind.JOIN, invitation_id=shown.invitation_id))
    await until(lambda: here.room.meeting().state == "left")
    view = await here.panel()
    assert "locked meetings only" in view.refused
    assert view.notices == ()


async def test_an_invitation_that_the_room_would_not_follow_is_not_kept(here: TestRoom) -> None:
    await here.room.set_policy(PolicyChange(minimum_level="locked"))
    with pytest.raises(RoomError) as refused:
        await given(here)
    assert refused.value.kind is RoomErrorKind.REFUSED
    assert await here.room.invitations() == ()
