"""Who is muted, told inside the group: soon, to all who are in, and to nobody else."""

from itertools import product

import pytest

from conclaved.meeting import CameraState, MediaState, MicrophoneState, RemoteError
from conclaved.meeting.alive import Beacon
from conclaved.meeting.committing import Committing
from conclaved.meeting.events import CarrierEvent, Lane, Live, SendLive, StartJob
from conclaved.meeting.media_state import PACE_S, REPEAT_S, Statement, ToldStates, stale_after_s
from conclaved.meeting.telling import GAP_S, PATIENCE_S
from conclaved.mls import Remove
from tests.meeting.insider import LEAVE, Insider
from tests.meeting.simulated_service import Client, Meeting, Room, agree, identity

A, B = identity("a.example.com"), identity("b.example.com")
LIVE = MediaState(MicrophoneState.LIVE, CameraState.LIVE)
MUTED = MediaState(MicrophoneState.MUTED, CameraState.MUTED)
CLOSED = MediaState(MicrophoneState.LIVE, CameraState.CLOSED)
NOT_KNOWN = MediaState()
EVERY = [MediaState(*pair) for pair in product(MicrophoneState, CameraState)]


def says(room: Room, state: MediaState) -> None:
    room.perform(room.session.media_is(state, room.service.clock.now))
    room.service.settle()


def shown(room: Room, name: str) -> MediaState:
    """What a room's roster shows of one."""
    participant = next(p for p in room.view.participants if p.name == name)
    return MediaState(participant.microphone, participant.camera)


def two() -> tuple[Meeting, Room, Room]:
    meeting = Meeting.invite(("a.example.com", "b.example.com"))
    host, a = meeting.room(meeting.host), meeting.room(A)
    meeting.service.run(2)
    agree(host, a)
    return meeting, host, a


def live_messages(meeting: Meeting) -> int:
    return sum(isinstance(message, SendLive) for message in meeting.service.sent)


@pytest.mark.parametrize("state", EVERY)
def test_a_statement_is_read_as_it_was_written_and_is_as_long_as_a_beacon(state: MediaState) -> None:
    statement = Statement(bytes(8), 7, state)
    assert Statement.decode(statement.encode()) == statement
    assert len(statement.encode()) == len(Beacon(bytes(8), 7).encode())


@pytest.mark.parametrize(
    "data",
    [
        Statement(bytes(8), 1, LIVE).encode()[:-1],
        Statement(bytes(8), 1, LIVE).encode() + b"\0",
        Statement(bytes(8), 1, LIVE).encode()[:-2] + b"\3\0",
        Statement(bytes(8), 1, LIVE).encode()[:-2] + b"\0\4",
        b"\2",
    ],
)
def test_what_no_device_sends_is_malformed(data: bytes) -> None:
    with pytest.raises(RemoteError, match="malformed"):
        Statement.decode(data)


@pytest.mark.parametrize("data", [b"", b"\3", Beacon(bytes(8), 1).encode()])
def test_other_messages_are_not_taken_for_statements(data: bytes) -> None:
    assert Statement.decode(data) is None


def test_the_service_sees_messages_of_one_length_whatever_they_say() -> None:
    _meeting, host, _a = two()
    group = host.session._member.group
    assert group is not None
    lengths = set()
    for content in (
        *(Statement(bytes(8), 1, state).encode() for state in EVERY),
        Beacon(bytes(8), 1).encode(),
    ):
        signed = group.sign_application(content)
        # An ECDSA signature's own length is chance.
        lengths.add(len(group.protect(signed, padding=0)) - len(signed.signature))
    assert len(lengths) == 1


def test_until_a_member_has_said_so_nothing_is_known_of_it() -> None:
    _meeting, host, _a = two()
    assert shown(host, "a.example.com") == NOT_KNOWN


def test_a_change_is_shown_to_the_others_at_once_and_in_the_own_roster() -> None:
    _meeting, host, a = two()
    says(a, MUTED)
    assert shown(a, "a.example.com") == shown(host, "a.example.com") == MUTED
    before = host.changes
    a.service.run(GAP_S)
    says(a, CLOSED)
    assert shown(host, "a.example.com") == CLOSED
    assert host.changes > before


def test_a_switch_that_flutters_is_heard_once_it_rests() -> None:
    meeting, host, a = two()
    says(a, MUTED)
    sent = live_messages(meeting)
    for state in (LIVE, MUTED, LIVE, MUTED, LIVE):
        says(a, state)
    assert live_messages(meeting) == sent
    meeting.service.run(GAP_S + 0.1)
    assert shown(host, "a.example.com") == LIVE


def waiting(room: Room) -> list[StartJob]:
    """The words that wait for their turn at the room's key, taken from its jobs."""
    words = [job for job in room.jobs if job.lane in (Lane.WORD, Lane.VOICE)]
    room.jobs = [job for job in room.jobs if job not in words]
    return words


def sends_no_beacons(room: Room) -> None:
    """So that every job in the lane of the voice is a word."""
    room.session._voice.beacon_at = float("inf")


def test_a_word_that_waits_for_the_key_says_what_holds_when_its_turn_has_come() -> None:
    meeting, host, a = two()
    says(a, LIVE)
    a.service.run(GAP_S)
    sends_no_beacons(a)
    a.holds_jobs = True
    says(a, MUTED)
    says(a, CLOSED)
    says(a, MediaState(MicrophoneState.MUTED, CameraState.CLOSED))
    (word,) = waiting(a)
    sent = live_messages(meeting)
    a.work_on(word)
    a.service.settle()
    assert live_messages(meeting) == sent + 1
    assert shown(host, "a.example.com") == MediaState(MicrophoneState.MUTED, CameraState.CLOSED)
    a.service.run(2 * GAP_S)
    assert not waiting(a)


def test_what_changes_while_a_word_is_signed_is_said_after_it() -> None:
    _, host, a = two()
    says(a, LIVE)
    a.service.run(GAP_S)
    sends_no_beacons(a)
    a.holds_jobs = True
    says(a, MUTED)
    (word,) = waiting(a)
    signed = word.run()
    says(a, CLOSED)
    a.perform(a.session.job_done(word.job_id, signed, a.service.clock.now))
    a.service.run(2 * GAP_S)
    assert shown(host, "a.example.com") == MUTED
    (word,) = waiting(a)
    a.work_on(word)
    a.service.settle()
    assert shown(host, "a.example.com") == CLOSED


def test_that_something_is_live_does_not_wait_behind_all_else_with_the_word_before_it() -> None:
    _, host, a = two()
    says(a, MUTED)
    a.service.run(GAP_S)
    sends_no_beacons(a)
    a.holds_jobs = True
    says(a, MediaState(MicrophoneState.MUTED, CameraState.CLOSED))
    assert [job.lane for job in a.jobs] == [Lane.WORD]
    says(a, LIVE)
    assert [job.lane for job in a.jobs] == [Lane.WORD, Lane.VOICE]
    late, urgent = waiting(a)
    a.work_on(urgent)
    a.service.settle()
    assert shown(host, "a.example.com") == LIVE
    a.work_on(late)
    a.service.settle()
    assert shown(host, "a.example.com") == LIVE


def test_a_word_waits_for_a_commit_unless_it_says_that_something_is_live(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _meeting, host, a = two()
    says(a, LIVE)
    a.service.run(GAP_S)
    monkeypatch.setattr(Committing, "is_at_work", property(lambda commits: True))
    says(a, MUTED)
    assert shown(host, "a.example.com") == LIVE
    a.service.run(PATIENCE_S + 1)
    assert shown(host, "a.example.com") == MUTED
    says(a, LIVE)
    assert shown(host, "a.example.com") == LIVE


def test_a_joiner_learns_soon_how_those_are_who_are_in() -> None:
    meeting, host, a = two()
    says(host, LIVE)
    says(a, MUTED)
    b = meeting.room(B)
    says(b, CLOSED)
    meeting.service.run(1 + GAP_S + 3 * PACE_S)
    agree(host, a, b)
    assert (shown(b, "host.example.com"), shown(b, "a.example.com")) == (LIVE, MUTED)
    assert shown(host, "b.example.com") == shown(a, "b.example.com") == CLOSED


def test_members_answer_a_joiner_one_after_the_other() -> None:
    meeting, host, a = two()
    says(host, LIVE)
    says(a, LIVE)
    meeting.service.run(GAP_S)
    b = meeting.room(B)
    while not b.is_in():
        meeting.service.run(0.02, 0.02)
    now, at = meeting.service.clock.now, a.session._telling.due_at
    assert shown(b, "host.example.com") == LIVE
    assert shown(b, "a.example.com") == NOT_KNOWN
    assert at is not None
    assert now < at <= now + PACE_S


def test_a_word_that_was_lost_is_said_again() -> None:
    meeting, host, a = two()
    says(a, MUTED)
    meeting.service.run(GAP_S)
    meeting.service.filter = lambda client, event: [] if isinstance(event, Live) else [event]
    says(a, LIVE)
    meeting.service.filter = lambda client, event: [event]
    assert shown(host, "a.example.com") == MUTED
    meeting.service.run(REPEAT_S + 0.2)
    assert shown(host, "a.example.com") == LIVE


def test_nobody_is_shown_as_muted_on_an_old_word() -> None:
    meeting, host, a = two()
    says(a, MUTED)
    # Its word is kept back from now on, and its beacons are not.
    a.session._telling.look = lambda now: None  # type: ignore[method-assign]
    meeting.service.run(stale_after_s(2) - 2)
    assert shown(host, "a.example.com") == MUTED
    meeting.service.run(4)
    assert shown(host, "a.example.com") == NOT_KNOWN


def test_an_old_word_does_not_take_the_place_of_a_newer_one() -> None:
    meeting, host, a = two()
    held: list[Live] = []

    def hold(client: Client, event: CarrierEvent) -> list[CarrierEvent]:
        if client is host and isinstance(event, Live):
            held.append(event)
            return []
        return [event]

    meeting.service.filter = hold
    says(a, MUTED)
    meeting.service.run(GAP_S)
    says(a, LIVE)
    meeting.service.filter = lambda client, event: [event]
    for event in reversed(held):
        meeting.service.hand_over(host, event)
    assert shown(host, "a.example.com") == LIVE


def test_words_that_were_kept_for_later_are_as_old_as_they_come_late() -> None:
    told, session = ToldStates(lambda: None), b"1" * 8
    told.heard(3, Statement(session, 0, MUTED), 100.0, is_present_epoch=True)
    kept = [Statement(session, round(1000 * REPEAT_S * turn), MUTED) for turn in range(1, 4)]
    begun = 100.0 + stale_after_s(2) + kept[-1].elapsed_ms / 1000
    for turn, statement in enumerate(kept):
        now = begun + turn
        told.heard(3, statement, now, is_present_epoch=True)
        told.expire(now, 2)
        assert told.states == {}


def test_a_beacon_shows_how_late_a_word_is_that_was_late_from_the_first() -> None:
    told, session = ToldStates(lambda: None), b"1" * 8
    told.alive(3, session, 60_000, 160.0)
    told.heard(3, Statement(session, 0, MUTED), 160.0, is_present_epoch=True)
    told.expire(160.0, 2)
    assert told.states == {}


def insider_with_two() -> tuple[Room, Insider]:
    meeting, host, _a = two()
    insider = Insider.admit(meeting).join()
    meeting.service.run(1)
    return host, insider


def say(insider: Insider, content: bytes) -> None:
    group = insider.live
    tell(insider, group.protect(group.sign_application(content)))


def tell(insider: Insider, data: bytes) -> None:
    for client in insider.service.rooms:
        if client is not insider:
            insider.service.hand_over(client, Live(data))
    insider.service.settle()


def test_a_malformed_word_changes_nothing_and_is_counted() -> None:
    host, insider = insider_with_two()
    say(insider, Statement(bytes(8), 1, MUTED).encode())
    assert shown(host, "insider.example.com") == MUTED
    before, counted = host.state(), len(host.bad_inputs)
    say(insider, Statement(bytes(8), 2, LIVE).encode() + b"\0")
    assert host.state() == before
    assert [str(error) for error in host.bad_inputs[counted:]] == [
        "a malformed word about camera and microphone"
    ]


def test_a_forged_word_changes_nothing_and_is_counted() -> None:
    host, insider = insider_with_two()
    group = insider.live
    data = bytearray(group.protect(group.sign_application(Statement(bytes(8), 1, MUTED).encode())))
    data[-1] ^= 1
    before, counted = host.state(), len(host.bad_inputs)
    tell(insider, bytes(data))
    assert host.state() == before
    assert len(host.bad_inputs) > counted


def test_nobody_speaks_for_another() -> None:
    host, insider = insider_with_two()
    say(insider, Statement(bytes(8), 1, MUTED).encode())
    assert shown(host, "a.example.com") == NOT_KNOWN
    assert shown(host, "host.example.com") == NOT_KNOWN


def test_what_one_said_who_left_does_not_speak_for_who_comes_back() -> None:
    host, insider = insider_with_two()
    say(insider, Statement(bytes(8), 1, MUTED).encode())
    leaf = insider.leaf
    insider.propose(Remove(leaf), LEAVE)
    insider.group = None
    insider.service.run(1)
    assert "insider.example.com" not in host.names()
    insider.join()
    assert insider.leaf == leaf
    assert shown(host, "insider.example.com") == NOT_KNOWN


def test_what_one_said_does_not_speak_for_it_when_it_has_lost_its_state_and_comes_back() -> None:
    host, insider = insider_with_two()
    say(insider, Statement(bytes(8), 1, MUTED).encode())
    leaf, insider.group = insider.leaf, None
    insider.join()
    assert insider.leaf == leaf
    assert shown(host, "insider.example.com") == NOT_KNOWN


def test_another_session_is_believed_in_the_present_epoch_only() -> None:
    told = ToldStates(lambda: None)
    told.heard(3, Statement(b"1" * 8, 9, LIVE), 0.0, is_present_epoch=True)
    told.heard(3, Statement(b"2" * 8, 1, MUTED), 0.0, is_present_epoch=False)
    assert told.states == {3: LIVE}
    told.heard(3, Statement(b"1" * 8, 10, CLOSED), 0.0, is_present_epoch=False)
    assert told.states == {3: CLOSED}
    told.heard(3, Statement(b"2" * 8, 1, MUTED), 0.0, is_present_epoch=True)
    assert told.states == {3: MUTED}


def test_one_who_is_alone_says_nothing() -> None:
    meeting = Meeting.invite(())
    host = meeting.room(meeting.host)
    says(host, MUTED)
    meeting.service.run(2 * REPEAT_S)
    assert live_messages(meeting) == 0
