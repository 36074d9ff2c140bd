"""A conference service that drops, repeats, reorders, holds back, forgets and lies."""

import random
from collections import defaultdict
from collections.abc import Callable

import pytest

from conclaved.meeting import Level, Role, State
from conclaved.meeting.alive import OFFLINE_S, UNKNOWN_EPOCH_S, WINDOW_S
from conclaved.meeting.committing import BATCH_S, SIGNATURE_S, TAKEOVER_S
from conclaved.meeting.events import (
    CarrierEvent,
    Connected,
    Effect,
    Entry,
    Leader,
    Live,
    Lobby,
    Publish,
    PublishResult,
    SendLobby,
)
from tests.meeting.insider import Insider
from tests.meeting.simulated_service import (
    Client,
    Faults,
    Meeting,
    Room,
    agree,
    identity,
    in_group,
)


def meeting_of(*names: str) -> tuple[Meeting, list[Room]]:
    """The host's room and one for each name, all in."""
    meeting = Meeting.invite(tuple(f"{name}.example.com" for name in ("a", "b", "c", "d", "e")))
    rooms = [meeting.room(meeting.host)]
    rooms += [meeting.room(identity(f"{name}.example.com")) for name in names]
    meeting.service.run(4)
    agree(*rooms)
    return meeting, rooms


def only_for(victim: Room, *kinds: type) -> Callable[[Client, CarrierEvent], list[CarrierEvent]]:
    return lambda room, event: [] if room is victim and isinstance(event, kinds) else [event]


# -- drop, repeat, reorder ------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(6))
def test_a_meeting_converges_through_drops_repeats_and_delays(seed: int) -> None:
    meeting = Meeting.invite(tuple(f"{name}.example.com" for name in "abcd"))
    service, names = meeting.service, [f"{name}.example.com" for name in "abcd"]
    service.faults = Faults(random.Random(seed))
    rooms = [meeting.room(meeting.host)]
    for name in names:
        rooms.append(meeting.room(identity(name)))
        service.run(3)
    service.run(15)
    epochs: dict[int, set[bytes]] = defaultdict(set)
    for room in rooms:
        for keys in room.keys:
            epochs[keys.epoch].add(bytes(keys.base_key))
        assert [keys.epoch for keys in room.keys] == sorted({keys.epoch for keys in room.keys})
    assert all(len(keys) == 1 for keys in epochs.values())
    service.faults = None
    service.run(15)
    agree(*rooms)
    assert [room.view.behind for room in rooms] == [""] * 5
    assert len(rooms[0].names()) == 5
    assert [room.view.alarms for room in rooms] == [()] * 5


@pytest.mark.parametrize("seed", range(3))
def test_at_no_moment_do_two_rooms_show_one_code_over_two_groups(seed: int) -> None:
    meeting, rooms = meeting_of("a", "b")
    meeting.service.faults = Faults(random.Random(seed), drop=0.4, delay=0.5, longest_s=4)
    codes: dict[str, set[tuple[int, frozenset[bytes]]]] = defaultdict(set)
    for name in ("c", "d", "e"):
        rooms.append(meeting.room(identity(f"{name}.example.com")))
        for _ in range(20):
            meeting.service.run(0.2)
            for room in rooms:
                view = room.view
                if view.security_code:
                    added = next(k for k in room.keys if k.epoch == view.code_epoch)
                    codes[view.security_code].add((view.code_epoch, frozenset([bytes(added.base_key)])))
    assert codes
    assert all(len(groups) == 1 for groups in codes.values())


def test_a_second_commit_for_an_epoch_raises_the_alarm_and_changes_nothing() -> None:
    meeting, (host, a) = meeting_of("a")
    insider = Insider.admit(meeting).join()
    meeting.service.run(1)
    first, second = insider.make_commit(), insider.make_commit()
    data = [insider.live.protect(first.content), insider.live.protect(second.content)]
    insider.publish(data[0])
    meeting.service.settle()
    before = [room.state() for room in (host, a)]
    assert [room.view.alarms for room in (host, a)] == [(), ()]
    insider.publish(data[1])
    meeting.service.settle()
    assert [room.state() for room in (host, a)] == before
    for room in (host, a):
        assert len(room.view.alarms) == 1
        assert "second commit" in room.view.alarms[0]
        assert "signed by insider.example.com" in room.view.alarms[0]


def test_a_service_that_shows_each_side_another_commit_gets_no_common_epoch() -> None:
    meeting, (host, a) = meeting_of("a")
    insider = Insider.admit(meeting).join()
    meeting.service.run(1)
    for_host, for_a = insider.make_commit(), insider.make_commit()
    sequence = len(meeting.service.log)
    for room, commit in ((host, for_host), (a, for_a)):
        room.hear(Entry(sequence, insider.live.protect(commit.content)))
    meeting.service.settle()
    assert host.view.epoch == a.view.epoch
    assert bytes(host.keys[-1].base_key) != bytes(a.keys[-1].base_key)
    # Neither side hears the other's beacons: both drop the lock, or hear none at all.
    meeting.service.run(WINDOW_S + 1)
    assert not a.may_send()
    # And the codes differ as soon as anybody comes in on either side.
    late = meeting.room(identity("b.example.com"))
    meeting.service.run(6)
    in_sides = [room for room in (host, a) if late.view.security_code == room.view.security_code]
    assert len(in_sides) <= 1


# -- replays --------------------------------------------------------------------------------------


def test_a_replay_of_everything_that_was_ever_sent_changes_nothing() -> None:
    meeting, rooms = meeting_of("a", "b")
    service = meeting.service
    before = [room.state() for room in rooms]
    lobby_and_live = [e for e in service.sent if not isinstance(e, Publish)]
    assert lobby_and_live
    for effect in lobby_and_live:
        event = Lobby(effect.data) if isinstance(effect, SendLobby) else Live(effect.data)
        for room in rooms:
            room.hear(event)
    for sequence, data in enumerate(service.log):
        for room in rooms:
            room.hear(Entry(sequence, data))
    service.run(3)
    assert [room.state() for room in rooms] == before
    assert rooms[0].view.lobby == ()


def test_a_commit_that_is_in_the_log_twice_is_applied_once() -> None:
    meeting, rooms = meeting_of("a", "b")
    before = [room.state() for room in rooms]
    for data in list(meeting.service.log):
        meeting.service.take(rooms[0], Publish(0, data))
    meeting.service.settle()
    assert [room.state() for room in rooms] == before
    assert [room.view.alarms for room in rooms] == [()] * 3


def test_a_replayed_offer_does_not_throw_its_owner_out() -> None:
    meeting, (host, a) = meeting_of("a")
    offers = [e.data for e in meeting.service.sent if isinstance(e, SendLobby)]
    b = meeting.room(identity("b.example.com"))
    meeting.service.run(3)
    # The newest member leads now: it has not seen A come in.
    meeting.service.leader = b
    for room in (host, a, b):
        meeting.service.deliver(room, leader_event(room is b))
    before = [room.state() for room in (host, a, b)]
    for data in offers:
        b.hear(Lobby(data))
    meeting.service.run(3)
    assert [room.state() for room in (host, a, b)] == before


def test_a_replayed_offer_does_not_throw_out_its_owner_whose_leaf_has_changed_since() -> None:
    meeting, (host, b) = meeting_of("b")
    a = meeting.room(identity("a.example.com"))
    meeting.service.run(3)
    offers = [e.data for e in meeting.service.sent if isinstance(e, SendLobby)]
    # A commits something, so that its leaf is not the one of its offer any more.
    meeting.service.leader = a
    for room in (host, a, b):
        meeting.service.deliver(room, leader_event(room is a))
    c = meeting.room(identity("c.example.com"))
    meeting.service.run(3)
    agree(host, a, b, c)
    before = [room.state() for room in (host, a, b, c)]
    for data in offers:
        b.hear(Lobby(data))
    meeting.service.run(8)
    assert [room.state() for room in (host, a, b, c)] == before


def leader_event(is_self: bool) -> CarrierEvent:
    return Leader(is_self)


def test_replayed_beacons_do_not_keep_the_lock() -> None:
    meeting, (_, a) = meeting_of("a")
    beacons: list[CarrierEvent] = []

    def record(room: Client, event: CarrierEvent) -> list[CarrierEvent]:
        if room is a and isinstance(event, Live):
            beacons.append(event)
        return [event]

    meeting.service.filter = record
    meeting.service.run(6)
    assert beacons
    meeting.service.filter = only_for(a, Live)
    for _ in range(12):
        for event in beacons:
            a.hear(event)
        meeting.service.run(0.5)
    assert not a.may_send()


def test_a_commit_that_the_service_delivers_as_live_is_still_taken_from_the_log() -> None:
    meeting, (host, a) = meeting_of("a")

    def first_as_live(room: Client, event: CarrierEvent) -> list[CarrierEvent]:
        return [Live(event.data), event] if room is a and isinstance(event, Entry) else [event]

    meeting.service.filter = first_as_live
    late = meeting.room(identity("b.example.com"))
    meeting.service.run(5)
    agree(host, a, late)


# -- holding back ---------------------------------------------------------------------------------


def test_without_heartbeats_the_lock_drops_after_five_seconds_and_comes_back() -> None:
    meeting, (host, a) = meeting_of("a")
    assert a.may_send()
    meeting.service.filter = only_for(a, Live)
    meeting.service.run(WINDOW_S - 2.1)
    assert a.may_send()
    meeting.service.run(2.3)
    assert not a.may_send()
    assert "heard" in a.view.behind
    assert host.may_send()
    meeting.service.filter = lambda room, event: [event]
    meeting.service.run(5)
    assert a.may_send()
    assert a.view.behind == ""


def test_a_hidden_remove_drops_the_lock_within_the_window() -> None:
    meeting, (host, a, b) = meeting_of("a", "b")
    meeting.service.filter = only_for(a, Entry)
    host.kick("b.example.com")
    meeting.service.run(WINDOW_S + 0.5)
    assert b.ended is not None
    assert "b.example.com" in a.names()
    assert not a.may_send()
    meeting.service.filter = lambda room, event: [event]
    meeting.service.take(a, Publish(0, b"anything, so that the gap shows"))
    meeting.service.run(5)
    assert a.names() == host.names() == {"host.example.com", "a.example.com"}
    assert a.may_send()


def test_a_gap_in_the_log_drops_the_lock_after_two_seconds() -> None:
    meeting, (host, a) = meeting_of("a")
    hidden = len(meeting.service.log)

    def hide(room: Client, event: CarrierEvent) -> list[CarrierEvent]:
        return [] if room is a and isinstance(event, Entry) and event.sequence == hidden else [event]

    meeting.service.filter = hide
    meeting.service.take(host, Publish(0, b"hidden"))
    meeting.service.take(host, Publish(0, b"shown"))
    meeting.service.run(UNKNOWN_EPOCH_S - 0.5)
    assert a.may_send()
    meeting.service.run(1)
    assert not a.may_send()
    assert "log" in a.view.behind
    meeting.service.filter = lambda room, event: [event]
    meeting.service.run(2)
    assert a.may_send()


def test_a_lost_connection_drops_the_lock_after_two_seconds() -> None:
    meeting, (_, a) = meeting_of("a")
    meeting.service.disconnect(a)
    meeting.service.settle()
    now = meeting.service.clock.now
    a.tick(now + OFFLINE_S - 0.1)
    assert a.may_send()
    a.tick(now + OFFLINE_S)
    assert not a.may_send()
    meeting.service.connect(a)
    meeting.service.run(0.2)
    assert a.may_send()


def test_what_was_missed_while_offline_is_caught_up_with() -> None:
    meeting, (host, a) = meeting_of("a")
    meeting.service.disconnect(a)
    meeting.service.settle()
    b = meeting.room(identity("b.example.com"))
    meeting.service.run(3)
    assert a.view.epoch < host.view.epoch
    meeting.service.connect(a)
    meeting.service.run(3)
    agree(host, a, b)


def test_frames_of_an_unknown_epoch_drop_the_lock_after_two_seconds() -> None:
    meeting, (_, a) = meeting_of("a")
    meeting.service.filter = only_for(a, Live)
    meeting.service.run(1)
    start = meeting.service.clock.now
    for tenth in range(21):
        assert a.may_send()
        a.perform(a.session.unknown_epoch_heard(start + tenth / 10))
    assert not a.may_send()
    assert "key" in a.view.behind


def test_beacons_held_back_before_do_not_cover_a_hidden_remove_later() -> None:
    # Every second one is held back for a while; nobody notices, and none that is left is too old.
    meeting, (host, a, b) = meeting_of("a", "b")
    stash: list[CarrierEvent] = []
    count = 0

    def hold_every_other(room: Client, event: CarrierEvent) -> list[CarrierEvent]:
        nonlocal count
        if room is a and isinstance(event, Live):
            count += 1
            if count % 2:
                stash.append(event)
                return []
        return [event]

    meeting.service.filter = hold_every_other
    meeting.service.run(40)
    assert stash
    meeting.service.filter = lambda room, event: (
        [] if room is a and isinstance(event, Entry | Live) else [event]
    )
    host.kick("b.example.com")
    for half in range(11):
        if stash and half % 2:
            a.hear(stash.pop(0))
        meeting.service.run(0.5)
    assert b.ended is not None
    assert stash
    assert not a.may_send()


def test_a_member_that_cannot_follow_comes_back_by_itself() -> None:
    # A commit that the others took and this one could not: it hears of later epochs only.
    meeting, (host, a) = meeting_of("a")
    lost = len(meeting.service.log)

    def spoil(room: Client, event: CarrierEvent) -> list[CarrierEvent]:
        spoils = room is a and isinstance(event, Entry) and event.sequence == lost
        return [Entry(lost, b"spoilt")] if spoils and isinstance(event, Entry) else [event]

    meeting.service.filter = spoil
    late = meeting.room(identity("b.example.com"))
    meeting.service.run(5)
    assert not a.may_send()
    meeting.service.filter = lambda room, event: [event]
    meeting.service.run(40)
    agree(host, a, late)


# -- the leader -----------------------------------------------------------------------------------


@pytest.mark.parametrize("stalled", [0, 1, 2])
def test_if_the_leader_stalls_the_next_in_leaf_order_commits(stalled: int) -> None:
    meeting, rooms = meeting_of("a", "b")
    service = meeting.service
    service.leader = rooms[stalled]
    for room in rooms:
        service.deliver(room, leader_event(room is rooms[stalled]))
    service.settle()
    # Requests still reach it, offers do not: it never has any work.
    late = Insider.admit(meeting)
    service.filter = only_for(rooms[stalled], Lobby)
    late.offer()
    service.run(TAKEOVER_S + SIGNATURE_S - 0.1)
    assert not late.is_in()
    service.run(BATCH_S + 0.3)
    assert late.is_in()


def test_a_service_that_names_nobody_leader_holds_up_nobody_for_long() -> None:
    meeting = Meeting.invite(("a.example.com", "b.example.com"))
    meeting.service.names_leaders = False
    rooms = [meeting.room(meeting.host), meeting.room(identity("a.example.com"))]
    meeting.service.run(8)
    agree(*rooms)


def test_a_service_that_names_everybody_leader_gets_one_commit_an_epoch() -> None:
    meeting, rooms = meeting_of("a", "b")
    for room in rooms:
        room.hear(leader_event(True))
    late = meeting.room(identity("c.example.com"))
    meeting.service.run(4)
    agree(*rooms, late)


def test_if_the_leader_is_gone_the_others_go_on() -> None:
    meeting, rooms = meeting_of("a", "b")
    meeting.service.disconnect(rooms[0])
    meeting.service.settle()
    late = Insider.admit(meeting).join()
    assert rooms[1].view.epoch == rooms[2].view.epoch == late.live.epoch


def test_joins_that_come_together_go_into_one_commit() -> None:
    meeting, (host, a) = meeting_of("a")
    epoch = host.view.epoch
    insiders = [Insider.admit(meeting, who=identity(f"{i}.example.net")) for i in range(5)]
    for insider in insiders:
        insider.offer()
    meeting.service.run(1)
    assert host.view.epoch == a.view.epoch == epoch + 1
    assert len(host.names()) == 7
    assert {insider.live.epoch for insider in insiders} == {epoch + 1}


# -- founding, and a log that is lost -------------------------------------------------------------


def test_of_two_who_found_at_once_the_log_picks_one() -> None:
    meeting = Meeting.invite((), is_open=True)
    rooms = [
        meeting.room(who, connect=False)
        for who in (meeting.host, identity("a.example.com"), identity("b.example.com"))
    ]
    for room in rooms:
        meeting.service.connect(room)
    meeting.service.settle()
    assert sum(room.view.state is State.IN_GROUP for room in rooms) == 1
    meeting.service.run(8)
    agree(*rooms)


def test_two_who_each_believe_to_have_founded_do_not_both_stay() -> None:
    meeting = Meeting.invite((), is_open=True)
    meeting.service.checks_expected = False
    rooms = [meeting.room(who, connect=False) for who in (meeting.host, identity("a.example.com"))]
    for room in rooms:
        meeting.service.connect(room)
    meeting.service.run(8)
    agree(*rooms)


def test_in_a_locked_meeting_others_wait_for_a_host_to_found_it() -> None:
    meeting = Meeting.invite(("a.example.com",), level=Level.LOCKED)
    a = meeting.room(identity("a.example.com"))
    meeting.service.run(4)
    assert a.view.state is State.ASKING
    host = meeting.room(meeting.host)
    meeting.service.run(4)
    agree(host, a)


def test_a_meeting_whose_log_is_lost_is_founded_anew() -> None:
    meeting, rooms = meeting_of("a", "b")
    code = rooms[0].view.security_code
    meeting.service.lose_log()
    meeting.service.run(8)
    agree(*rooms)
    assert rooms[0].view.security_code != code
    assert all("lost" in " ".join(room.view.news) for room in rooms)


def test_garbage_in_the_logs_first_place_founds_nothing_and_breaks_nothing() -> None:
    meeting = Meeting.invite(("a.example.com",))
    meeting.service.log.append(b"garbage")
    host = meeting.room(meeting.host)
    meeting.service.run(4)
    assert host.view.state is State.OFFERING
    assert host.ended is None
    meeting.service.lose_log()
    meeting.service.run(4)
    assert host.is_in()


def test_a_publish_that_the_service_lost_is_sent_again() -> None:
    meeting, (host, a) = meeting_of("a")
    service = meeting.service
    lost: list[Effect] = []

    def lose(client: Client, effect: Effect) -> bool:
        if isinstance(effect, Publish) and not lost:
            lost.append(effect)
            return False
        return True

    service.upstream = lose
    late = Insider.admit(meeting)
    late.offer()
    service.run(2)
    assert lost
    assert not late.is_in()
    service.run(5)
    assert late.is_in()
    agree(host, a)


def test_a_commit_that_the_service_says_it_refused_and_did_not_costs_its_committer_a_rejoin() -> None:
    # With a second host the newcomer is not expected to say that it is alive.
    meeting, (host, _) = meeting_of("a")
    who = identity("other-host.example.com")
    a = meeting.room(who, admission=meeting.admission(who, Role.HOST))
    meeting.service.run(3)
    lies: list[CarrierEvent] = []

    def lie(client: Client, event: CarrierEvent) -> list[CarrierEvent]:
        if isinstance(event, PublishResult) and event.accepted and not lies:
            lies.append(event)
            return [PublishResult(event.token, accepted=False)]
        return [event]

    meeting.service.filter = lie
    late = meeting.room(identity("b.example.com"))
    meeting.service.run(2)
    assert lies
    assert any("misplaced" in text for text in host.view.news)
    meeting.service.run(3)
    agree(host, a)
    # Nobody has the Welcome of that commit any more: the newcomer offers itself anew.
    meeting.service.run(30)
    agree(host, a, late)
    assert len(host.names()) == 4


def test_a_commit_whose_entry_was_lost_is_entered_though_its_second_copy_is_refused() -> None:
    meeting, (host, a) = meeting_of("a")
    lost: list[CarrierEvent] = []

    def lose(client: Client, event: CarrierEvent) -> list[CarrierEvent]:
        if client is host and isinstance(event, Entry) and len(lost) < 2:
            lost.append(event)
            return []
        return [event]

    # Nor does what follows show the gap, until after the commit was published again.
    meeting.service.filter = lose
    late = meeting.room(identity("b.example.com"))
    meeting.service.run(12)
    assert len(lost) == 2
    agree(host, a, late)
    assert [len(room.groups) for room in (host, a, late)] == [1, 1, 1]
    assert host.view.news == ()


def test_a_second_copy_that_is_refused_for_something_else_in_its_place_is_given_up() -> None:
    meeting, (host, a) = meeting_of("a")
    lost: list[Effect] = []

    def lose_first(client: Client, effect: Effect) -> bool:
        if client is host and isinstance(effect, Publish) and not lost:
            lost.append(effect)
            return False
        return True

    def hide(room: Client, event: CarrierEvent) -> list[CarrierEvent]:
        # Only the host hears of the offer, and not of what stands where its commit was to be.
        is_hidden = room is a and isinstance(event, Lobby)
        is_hidden |= room is host and isinstance(event, Entry) and event.data == b"junk" and hides_junk
        return [] if is_hidden else [event]

    hides_junk = True
    meeting.service.upstream, meeting.service.filter = lose_first, hide
    late = meeting.room(identity("b.example.com"))
    meeting.service.run(4)
    assert lost
    meeting.service.take(a, Publish(0, b"junk"))
    meeting.service.run(3)
    assert not late.is_in()
    hides_junk = False
    meeting.service.run(8)
    agree(host, a, late)


def test_a_refused_commit_that_the_service_calls_accepted_does_no_harm() -> None:
    meeting, rooms = meeting_of("a", "b")
    meeting.service.filter = lambda room, event: (
        [PublishResult(event.token, accepted=True)] if isinstance(event, PublishResult) else [event]
    )
    for room in rooms:
        room.hear(leader_event(True))
    late = Insider.admit(meeting).join()
    meeting.service.run(6)
    agree(*rooms)
    assert rooms[0].view.epoch == late.live.epoch


def test_a_head_that_the_service_makes_up_does_no_harm() -> None:
    meeting, rooms = meeting_of("a")
    before = [room.state() for room in rooms]
    for room in rooms:
        room.hear(Connected(2**63))
    meeting.service.run(3)
    assert [room.state() for room in rooms] == before
    assert in_group(*rooms)


def test_a_service_keeps_nobody_from_leaving() -> None:
    meeting, (_, a) = meeting_of("a")
    meeting.service.upstream = lambda client, effect: False
    a.leave()
    meeting.service.settle()
    meeting.service.run(10)
    assert a.ended is not None
