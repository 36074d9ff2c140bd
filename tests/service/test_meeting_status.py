"""From a session's view to D-Bus and panel: pure, and never more hopeful than the session."""

from dataclasses import replace

import pytest

from conclave_hal.panel import Lock, MeetingState
from conclaved.bus.room import HardwareStatus, MeetingStatus
from conclaved.identity import Assurance
from conclaved.media import MediaStats
from conclaved.media.stats import ParticipantStats, ReceivedStats, SentStats, StreamStats
from conclaved.meeting import MeetingView, State
from conclaved.meeting.admission import Role
from conclaved.meeting.roster import Participant
from conclaved.service.meeting_status import frames_refused, lock_of, meeting_status, stream_statuses
from conclaved.service.panel_view import MOST_MISSING, Beside, panel_view
from conclaved.sframe import MediaKeyring, Refusal

HERE = Participant(
    leaf=0,
    name="here.example.com",
    assurance=Assurance.VERIFIED,
    role=Role.HOST,
    signature_key=b"\x04" * 65,
    is_self=True,
    is_heard=True,
    reason="",
    issuer="Public CA",
    admitted_by="the invitation",
    is_expected=True,
)
GUEST = replace(
    HERE,
    leaf=3,
    name="guest.provider.example",
    assurance=Assurance.PROVIDER,
    role=Role.GUEST,
    is_self=False,
    is_heard=False,
    is_expected=False,
    is_compared=True,
    reason="the provider's own CA vouches for it",
)
VIEW = MeetingView(
    state=State.IN_GROUP,
    meeting_id=b"\xab" * 16,
    title="Weekly",
    level="standard",
    service="wss://hub.example:443",
    epoch=9,
    suite="MLS_128_DHKEMP256_AES128GCM_SHA256_P256",
    code_epoch=7,
    code_reason="guest.provider.example (guest) joined",
    code_time=1_900_000_000,
    security_code="01234 56789 01234 56789 01234 56789",
    participants=(HERE, GUEST),
    is_host=True,
    news=("berlin.example.net left",),
)
HARDWARE = HardwareStatus(
    camera_muted=True,
    microphone_muted=False,
    shutter="unknown",
    mute_switch="blocking",
    panel_serial=1,
    panel_epoch=9,
    devices=(),
)


@pytest.mark.parametrize(
    ("state", "shown", "lock"),
    [
        (State.CONNECTING, "joining", "opening"),
        (State.FOUNDING, "joining", "opening"),
        (State.ASKING, "joining", "opening"),
        (State.OFFERING, "joining", "opening"),
        (State.IN_GROUP, "in_meeting", "locked"),
        (State.ENDED, "left", "none"),
    ],
)
def test_only_a_member_that_is_not_behind_is_locked(state: State, shown: str, lock: str) -> None:
    status = meeting_status(replace(VIEW, state=state))
    assert (status.state, status.lock) == (shown, lock)


def test_every_state_of_a_session_is_shown_as_one_the_panel_knows() -> None:
    for state in State:
        status = meeting_status(replace(VIEW, state=state))
        assert MeetingState(status.state)
        assert Lock(status.lock)


@pytest.mark.parametrize("change", [{"behind": "the hosts are not heard"}, {"alarms": ("two commits",)}])
def test_a_device_that_is_behind_or_alarmed_shows_a_broken_lock(change: dict[str, object]) -> None:
    assert lock_of(replace(VIEW, **change)) == "broken"  # type: ignore[arg-type]


def test_alarms_come_before_why_nothing_is_sent_and_news_are_no_alarms() -> None:
    status = meeting_status(replace(VIEW, behind="hosts are silent", alarms=("two commits",)))
    assert status.notices == ("two commits", "not sending: hosts are silent")
    assert status.news == ("berlin.example.net left",)


def test_a_meeting_without_a_host_says_that_nobody_can_let_anybody_in() -> None:
    members = tuple(replace(p, role=Role.MEMBER) for p in (HERE, GUEST))
    assert any("no host" in notice for notice in meeting_status(replace(VIEW, participants=members)).notices)
    assert meeting_status(VIEW).notices == ()
    assert meeting_status(replace(VIEW, participants=members[:1])).notices == ()


def test_only_who_is_kept_waiting_is_in_the_lobby() -> None:
    assert meeting_status(replace(VIEW, state=State.ASKING, is_kept_waiting=True)).state == "lobby"
    assert meeting_status(replace(VIEW, state=State.OFFERING, is_kept_waiting=True)).state == "joining"


def test_status_and_panel_say_whether_the_invitation_names_the_room() -> None:
    for is_invited in (True, False):
        status = meeting_status(replace(VIEW, state=State.ASKING, is_invited=is_invited))
        assert status.is_invited is is_invited
        assert panel_view(1, Beside("here.example.com"), status, HARDWARE).is_invited is is_invited


def test_participants_keep_name_assurance_and_who_let_them_in() -> None:
    here, guest = meeting_status(VIEW).participants
    assert (here.assurance, here.role, here.is_self) == ("verified", "host", True)
    assert (guest.name, guest.assurance, guest.role) == ("guest.provider.example", "provider", "guest")
    assert guest.reason == GUEST.reason
    assert not guest.is_heard


def test_a_status_shows_no_code_in_its_repr() -> None:
    assert "01234" not in repr(meeting_status(VIEW))


def test_streams_are_named_by_participant_and_sent_ones_are_our_own() -> None:
    camera = StreamStats(frames_opened=5, frames_failed=2)
    stats = MediaStats(
        is_running=True,
        is_sending=True,
        epoch=9,
        microphone=SentStats(),
        camera=SentStats(frames_sent=11),
        received=ReceivedStats(),
        keyring=MediaKeyring().counts,
        participants=(ParticipantStats(3, camera=camera),),
    )
    streams = {(s.name, s.kind): s for s in stream_statuses(VIEW, stats)}
    assert streams["here.example.com", "video"].frames_sent == 11
    assert streams["here.example.com", "video"].is_self
    guest = streams["guest.provider.example", "video"]
    assert (guest.frames_decrypted, guest.frames_undecodable) == (5, 2)
    assert streams["guest.provider.example", "audio"].frames_decrypted == 0


def test_what_no_key_opened_is_counted_and_nobody_is_named_for_it() -> None:
    counts = replace(MediaKeyring().counts, refused={Refusal.OWN: 2, Refusal.REMOVED_SENDER: 3})
    stats = MediaStats(True, True, 9, SentStats(), SentStats(), ReceivedStats(), counts, ())
    assert frames_refused(stats) == 5


def test_what_a_room_minds_and_whom_it_misses_reaches_bus_and_panel() -> None:
    minding = replace(VIEW, minds="a certificate has expired", leaving_in_s=12, missing=("boss.example.com",))
    status = meeting_status(minding)
    assert (status.minds, status.leaving_in_s, status.missing) == (
        minding.minds,
        12,
        ("boss.example.com",),
    )
    view = panel_view(1, Beside("here.example.com"), status, HARDWARE)
    assert (view.minds, view.leaving_in_s, view.missing) == (minding.minds, 12, ("boss.example.com",))


def test_what_stands_on_the_panel_of_missing_names_can_be_read() -> None:
    names = tuple(f"room-{number}.example.com" for number in range(3 * MOST_MISSING))
    status = replace(meeting_status(VIEW), missing=names)
    shown = panel_view(1, Beside("here.example.com"), status, HARDWARE).missing
    assert shown == (*names[:MOST_MISSING], f"and {2 * MOST_MISSING} more")


# -- the panel ----------------------------------------------------------------------------------


def test_the_panel_shows_what_the_bus_says() -> None:
    status = meeting_status(VIEW)
    view = panel_view(4, Beside("here.example.com"), status, HARDWARE)
    assert view.serial == 4
    assert view.state is MeetingState.IN_MEETING
    assert view.lock is Lock.LOCKED
    assert view.security_code == VIEW.security_code
    assert (view.epoch, view.code_epoch) == (9, 7)
    assert [p.assurance for p in view.participants] == ["verified", "provider"]
    assert view.participants[1].vouched_by == "the invitation"
    assert view.is_host
    assert view.code_time == VIEW.code_time > 0
    assert [(p.leaf, p.is_expected, p.is_compared) for p in view.participants] == [
        (0, True, False),
        (3, False, True),
    ]
    assert (view.notices, view.news) == (status.notices, status.news)


def test_hardware_and_software_mutes_stay_apart_on_the_panel_and_unknown_stays_unknown() -> None:
    view = panel_view(1, Beside(""), MeetingStatus(state="idle"), HARDWARE)
    assert (view.camera_muted, view.shutter) == (True, "unknown")
    assert (view.microphone_muted, view.mute_switch) == (False, "blocking")


def test_after_a_meeting_the_panel_says_why_it_ended_and_nothing_of_the_meeting() -> None:
    left = MeetingStatus(state="left", title="Weekly", left_reason="a host removed this room")
    view = panel_view(1, Beside("here.example.com"), left, HARDWARE)
    assert view.notices == ("a host removed this room",)
    assert (view.lock, view.security_code, view.participants) == (Lock.NONE, "", ())


def test_before_a_meeting_no_suite_is_claimed() -> None:
    assert panel_view(1, Beside(""), MeetingStatus(state="idle"), HARDWARE).sframe_suite == ""
