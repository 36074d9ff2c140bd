"""Members that the others go on without: how they notice, and how they find their way back."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from conclaved.meeting.alive import LOST_S, WINDOW_S
from conclaved.meeting.events import CarrierEvent, Effect, Entry, Leader, Live, Publish, SendLive
from conclaved.mls import Add, AuthenticatedContent, ContentType, PendingCommit
from conclaved.mls.framing import PrivateMessage
from conclaved.mls.mls_message import MlsMessage
from tests.meeting.insider import Insider
from tests.meeting.simulated_service import Client, Meeting, Room, agree, identity

INVITED = tuple(f"{name}.example.com" for name in ("a", "b", "c", "late"))


def meeting_of(*names: str) -> tuple[Meeting, list[Room]]:
    meeting = Meeting.invite(INVITED)
    rooms = [meeting.room(meeting.host)]
    rooms += [meeting.room(identity(f"{name}.example.com")) for name in names]
    meeting.service.run(4)
    agree(*rooms)
    return meeting, rooms


def nothing_for(victim: Room, *kinds: type) -> Callable[[Client, CarrierEvent], list[CarrierEvent]]:
    return lambda room, event: [] if room is victim and isinstance(event, kinds) else [event]


# -- everything withheld ----------------------------------------------------------------------------


@pytest.mark.parametrize("who", [0, 1])
def test_whoever_it_is_notices_that_everything_is_withheld_from_it(who: int) -> None:
    # The only host too: the lowest leaves send beacons beside it.
    meeting, rooms = meeting_of("a", "b")
    victim = rooms[who]
    meeting.service.filter = nothing_for(victim, Entry, Live)
    meeting.service.run(WINDOW_S + 0.2)
    assert not victim.may_send()
    assert "heard" in victim.view.behind


def test_a_host_from_which_a_joiners_commit_is_hidden_notices() -> None:
    meeting, (host, a) = meeting_of("a")
    meeting.service.filter = nothing_for(host, Entry, Live)
    insider = Insider.admit(meeting)
    insider.offer()
    meeting.service.run(WINDOW_S + 0.2)
    assert a.view.epoch > host.view.epoch
    assert not host.may_send()


# -- a commit that is bad for one -------------------------------------------------------------------


Bad = Callable[[Insider, PendingCommit], AuthenticatedContent]
BAD: dict[str, Bad] = {
    "a wrong path secret": Insider.with_bad_path,
    "a wrong confirmation tag": Insider.with_bad_tag,
}


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD.keys())
def test_the_victim_of_a_bad_commit_names_who_made_it_and_comes_back(bad: Bad) -> None:
    meeting, (host, a, b) = meeting_of("a", "b")
    insider = Insider.admit(meeting).join()
    meeting.service.run(2)
    # The commit answers an offer that the victim, who is to lead, knows of too.
    for room in (host, a, b):
        room.hear(Leader(room is a))
    newcomer = Insider.admit(meeting, who=identity("newcomer.example.com"))
    pending = insider.make_commit([Add(newcomer.offer())])
    meeting.service.settle()
    for_a = insider.live.protect(bad(insider, pending))
    for_others = insider.live.protect(pending.content)
    insider.pending = (for_others, pending)
    meeting.service.filter = lambda room, event: (
        [Entry(event.sequence, for_a)]
        if room is a and isinstance(event, Entry) and event.data == for_others
        else [event]
    )
    insider.publish(for_others)
    meeting.service.settle()
    assert host.view.epoch == b.view.epoch == a.view.epoch + 1
    meeting.service.run(8)
    agree(host, a, b)
    assert any("insider.example.com made a commit" in text for text in a.view.news)
    assert len(a.groups) == 2
    # It committed nothing of its own meanwhile, which would have looked like another side's.
    assert [room.view.alarms for room in (host, b)] == [(), ()]


def test_one_to_whom_the_service_gave_something_else_for_a_commit_commits_nothing_of_its_own() -> None:
    meeting, (host, a, b) = meeting_of("a", "b")
    sequence, before = len(meeting.service.log), b.state()
    meeting.service.filter = lambda room, event: (
        [Entry(event.sequence, b"else")]
        if room is b and isinstance(event, Entry) and event.sequence == sequence
        else [event]
    )
    late = Insider.admit(meeting).join()
    meeting.service.run(13)
    assert b.state()[:4] == before[:4]
    assert not b.may_send()
    assert [room.view.alarms for room in (host, a)] == [(), ()]
    meeting.service.run(8)
    agree(host, a, b)
    assert late.live.epoch == b.view.epoch


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD.keys())
def test_a_commit_that_is_bad_for_all_drives_nobody_away(bad: Bad) -> None:
    meeting, rooms = meeting_of("a", "b")
    insider = Insider.admit(meeting).join()
    meeting.service.run(2)
    before = [room.state() for room in rooms]
    insider.publish(insider.live.protect(bad(insider, insider.make_commit())))
    # And a later epoch, made up, would make each believe that the others had taken it.
    forged = of_epoch(insider.live.protect(insider.live.sign_application(b"any")), 99)
    for _ in range(80):
        insider.publish(forged)
        insider.live_message(forged)
        meeting.service.run(0.1)
    assert [room.state() for room in rooms] == before
    assert all(room.may_send() for room in rooms)
    late = Insider.admit(meeting, who=identity("late.example.com")).join()
    assert late.live.epoch == rooms[0].view.epoch


def test_bad_commits_hold_up_a_kick_for_seconds_only() -> None:
    meeting, rooms = meeting_of("a", "b")
    insider = Insider.admit(meeting).join()
    meeting.service.run(2)
    insider.is_following = False
    for tenth in range(60):
        insider.publish(insider.live.protect(insider.with_bad_tag(insider.make_commit())))
        if tenth == 5:
            rooms[0].kick("insider.example.com")
        meeting.service.run(0.1)
    assert "insider.example.com" not in rooms[0].names()
    agree(*rooms)


def test_a_log_gap_that_never_closes_is_left_behind_after_a_while() -> None:
    meeting, (host, a, b) = meeting_of("a", "b")
    hidden = len(meeting.service.log)
    meeting.service.filter = lambda room, event: (
        [] if room is a and isinstance(event, Entry) and event.sequence == hidden else [event]
    )
    for data in (b"hidden", b"shown"):
        meeting.service.take(host, Publish(0, data))
    meeting.service.run(LOST_S - 0.5)
    assert not a.may_send()
    assert len(a.groups) == 1
    meeting.service.run(5)
    agree(host, a, b)
    assert len(a.groups) == 2
    assert a.may_send()
    meeting.service.run(25)
    assert len(a.groups) == 2
    agree(host, a, b)


def test_two_who_took_different_commits_for_one_epoch_find_together_again() -> None:
    # Both are in an epoch of the same number. They hear that they cannot open what the other says.
    meeting, (host, a) = meeting_of("a")
    insider = Insider.admit(meeting).join()
    meeting.service.run(2)
    sequence = len(meeting.service.log)
    meeting.service.log.append(b"what each was told is another thing")
    for room in (host, a):
        room.hear(Entry(sequence, insider.live.protect(insider.make_commit().content)))
    meeting.service.settle()
    assert bytes(host.keys[-1].base_key) != bytes(a.keys[-1].base_key)
    meeting.service.run(WINDOW_S + 1)
    assert not a.may_send()
    meeting.service.run(60)
    agree(host, a)


# -- forged signs -----------------------------------------------------------------------------------


def of_epoch(data: bytes, epoch: int) -> bytes:
    """The same message with another epoch in its head."""
    content = MlsMessage.decode(data).content
    assert isinstance(content, PrivateMessage)
    return MlsMessage(replace(content, epoch=epoch)).encode()


@pytest.mark.parametrize(("where", "ahead"), [("live", 0), ("live", 1), ("log", 0), ("log", 1000)])
def test_forged_messages_of_a_later_epoch_stop_nobody_while_beacons_are_fresh(where: str, ahead: int) -> None:
    meeting, rooms = meeting_of("a", "b")
    beacon = next(effect.data for effect in reversed(meeting.service.sent) if isinstance(effect, SendLive))
    forged = of_epoch(beacon, rooms[0].view.epoch + ahead)[:-1] + b"\0"
    outsider = Insider.admit(meeting, who=identity("outsider.example.com"))
    before = [room.state()[:4] for room in rooms]
    for _ in range(170):
        if where == "live":
            outsider.live_message(forged)
        else:
            outsider.publish(forged)
        meeting.service.run(0.1)
        assert all(room.may_send() for room in rooms)
    assert [room.state()[:4] for room in rooms] == before


def test_forged_messages_do_not_drive_a_lone_host_out_of_its_group() -> None:
    meeting = Meeting.invite(INVITED)
    host = meeting.room(meeting.host)
    meeting.service.run(2)
    outsider = Insider.admit(meeting, who=identity("outsider.example.com"))
    founding = MlsMessage.decode(meeting.service.log[0]).content
    assert isinstance(founding, PrivateMessage)
    forged = MlsMessage(replace(founding, content_type=ContentType.APPLICATION, epoch=5)).encode()
    for _ in range(200):
        outsider.live_message(forged)
        meeting.service.run(0.1)
    assert host.groups == [[1]]
    assert host.is_in()


# -- clocks -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("skew_s", [90 * 60, -90 * 60])
def test_members_whose_clocks_differ_by_ninety_minutes_take_the_same_commits(skew_s: int) -> None:
    meeting = Meeting.invite(INVITED, valid_s=3 * 3600)
    host, a, b = rooms = [meeting.room(meeting.host), *(meeting.room(identity(name)) for name in INVITED[:2])]
    meeting.service.run(4)
    a.skew_s[0] = skew_s
    # Some of it is committed by the one whose clock is wrong.
    for leader in (host, a, b):
        for room in rooms:
            room.hear(Leader(room is leader))
        late = Insider.admit(meeting, who=identity(f"{leader.view.epoch}.example.net")).join()
        meeting.service.run(1)
        agree(*rooms)
        assert a.view.epoch == late.live.epoch
    late.commit(enters=True)
    meeting.service.settle()
    agree(*rooms)


# -- a hub that keeps no order ----------------------------------------------------------------------


@pytest.mark.parametrize("names_everybody", [False, True])
def test_a_hub_that_ignores_the_expected_place_makes_nobody_spin(names_everybody: bool) -> None:
    meeting, rooms = meeting_of("a", "b")
    service = meeting.service
    service.checks_expected = False
    commits: list[float] = []

    def count(client: Client, effect: Effect) -> bool:
        if isinstance(effect, Publish) and effect.expected is not None:
            commits.append(service.clock.now)
        return True

    service.upstream = count
    joiners = []
    for name in ("c", "late"):
        if names_everybody:
            for room in rooms:
                room.hear(Leader(True))
        joiners.append(meeting.room(identity(f"{name}.example.com")))
        service.run(5)
    rooms[0].kick("late.example.com")
    service.run(5)
    rooms[1].leave()
    service.run(30)
    agree(rooms[0], rooms[2], joiners[0])
    assert rooms[1].has_ended()
    assert joiners[1].has_ended()
    assert rooms[0].names() == {"host.example.com", "b.example.com", "c.example.com"}
    busiest = max(sum(1 for at in commits if start <= at < start + 1) for start in commits)
    assert busiest <= 2 * len(rooms)
    assert len(commits) <= 20
