"""Live messages that cross a commit on their way."""

from conclaved.meeting.alive import BEACON_INTERVAL_S, WINDOW_S
from conclaved.meeting.events import CarrierEvent, Entry, Live
from conclaved.meeting.hearing import EARLY_S
from conclaved.mls import Remove
from tests.meeting.insider import LEAVE, Insider
from tests.meeting.simulated_service import Client, Meeting, Room, agree, identity

A, B = identity("a.example.com"), identity("b.example.com")


def three_and_an_insider() -> tuple[Meeting, Room, Room, Room, Insider]:
    """The insider is none of those who are expected to send beacons."""
    meeting = Meeting.invite(("a.example.com", "b.example.com"))
    rooms = meeting.room(meeting.host), meeting.room(A), meeting.room(B)
    meeting.service.run(3)
    insider = Insider.admit(meeting).join()
    meeting.service.run(2)
    agree(*rooms)
    return meeting, *rooms, insider


def test_somebody_who_comes_and_goes_all_the_time_makes_nobody_fall_behind() -> None:
    meeting, host, a, b, insider = three_and_an_insider()
    for _ in range(2 * round(WINDOW_S)):
        if insider.group is not None:
            insider.propose(Remove(insider.leaf), LEAVE)
            insider.group = None
        meeting.service.run(0.5)
        insider.offer()
        meeting.service.run(0.5)
        assert all(room.may_send() for room in (host, a, b)), host.view.behind


def test_a_beacon_of_the_epoch_before_counts_as_a_sign_of_life_and_not_for_this_epoch() -> None:
    meeting, host, _a, _b, insider = three_and_an_insider()
    slow: list[Live] = []

    def late(client: Client, event: CarrierEvent) -> list[CarrierEvent]:
        if client is host and isinstance(event, Live):
            slow.append(event)
            return []
        return [event]

    meeting.service.filter = late
    for _ in range(4):
        meeting.service.run(BEACON_INTERVAL_S)
        insider.commit(enters=True)
        meeting.service.settle()
        for event in slow:
            meeting.service.hand_over(host, event)
        slow.clear()
        assert host.may_send(), host.view.behind
        assert not any(p.is_heard for p in host.view.participants if not p.is_self)


def test_a_beacon_of_the_next_epoch_is_heard_when_its_commit_has_come() -> None:
    meeting, host, a, _b, insider = three_and_an_insider()
    held: list[Entry] = []

    def hold(client: Client, event: CarrierEvent) -> list[CarrierEvent]:
        if client is host and isinstance(event, Entry):
            held.append(event)
            return []
        return [event]

    meeting.service.filter = hold
    insider.commit(enters=True)
    meeting.service.settle()
    epoch = host.view.epoch
    assert a.view.epoch == epoch + 1
    a.session._voice.beacon_at = 0.0
    a.tick(meeting.service.clock.now)
    meeting.service.settle()
    meeting.service.filter = lambda client, event: [event]
    for event in held:
        meeting.service.hand_over(host, event)
    meeting.service.settle()
    assert host.view.epoch == epoch + 1
    assert next(p.is_heard for p in host.view.participants if p.name == "a.example.com")


def test_what_is_early_for_long_is_forgotten() -> None:
    meeting, host, _a, _b, insider = three_and_an_insider()
    meeting.service.filter = lambda client, event: (
        [] if client is host and isinstance(event, Entry) else [event]
    )
    insider.commit(enters=True)
    meeting.service.run(EARLY_S + BEACON_INTERVAL_S)
    assert len(host.session._hearing._early) <= 3
    meeting.service.run(2 * WINDOW_S)
    assert not host.may_send()


def test_a_beacon_of_one_who_has_left_counts_for_nobody_who_took_its_place() -> None:
    meeting, host, _a, _b, insider = three_and_an_insider()
    old = insider.live
    said = [old.protect(old.sign_application(b"\x01" + bytes(8) + i.to_bytes(8, "big"))) for i in range(3)]
    insider.propose(Remove(insider.leaf), LEAVE)
    insider.is_following = False
    meeting.service.run(1)
    other = identity("other.example.com")
    again = Insider.admit(meeting, who=other).join()
    assert again.leaf == old.own_leaf_index
    heard = host.session._watch.heard
    counted: list[int] = []

    def count(leaf: int, beacon: object, now: float) -> None:
        counted.append(leaf)
        heard(leaf, beacon, now)  # type: ignore[arg-type]

    host.session._watch.heard = count  # type: ignore[method-assign]
    for data in said:
        meeting.service.hand_over(host, Live(data))
    assert counted == []
