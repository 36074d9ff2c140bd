"""What a room writes down about a meeting, and what never."""

import re

from conclaved.meeting import Level, OwnRules
from conclaved.meeting.audit import Entry, Event
from tests.meeting.insider import Insider
from tests.meeting.simulated_service import PROVIDER_CA, Meeting, Room, agree, identity
from tests.meeting.test_changed_certificates import swap
from tests.meeting.test_renewing import change, renewed

A, B, GUEST = "a.example.com", "b.example.com", "guest.provider.example"


def of(room: Room, *events: Event) -> list[Entry]:
    return [entry for entry in room.session.record.entries if entry.event in events]


def three() -> tuple[Meeting, Room, Room, Room]:
    meeting = Meeting.invite((A, B))
    host, a, b = (meeting.room(who) for who in (meeting.host, identity(A), identity(B)))
    meeting.service.run(4)
    agree(host, a, b)
    return meeting, host, a, b


def test_who_was_there_and_who_came() -> None:
    _, host, a, b = three()
    joined = [(e.name, e.cause) for e in of(host, Event.JOINED)]
    assert joined[0] == ("host.example.com", "this room began the meeting")
    assert set(joined[1:]) == {(A, "admitted by host.example.com"), (B, "admitted by host.example.com")}
    assert not of(host, Event.PRESENT)
    assert "host.example.com" in {e.name for e in of(a, Event.PRESENT)}
    assert (A, "this room joined") in [(e.name, e.cause) for e in of(a, Event.JOINED)]
    assert all(e.assurance == "verified" and e.role for e in of(b, Event.JOINED, Event.PRESENT))


def test_code_epochs_have_one_fingerprint_in_all_records() -> None:
    meeting, host, a, b = three()
    meeting.room(identity("late.example.com"))
    codes = [{e.epoch: e.transcript for e in of(room, Event.CODE_EPOCH)} for room in (host, a, b)]
    shared = set.intersection(*(set(each) for each in codes))
    assert shared
    assert all(len({each[epoch] for each in codes}) == 1 for epoch in shared)
    assert all(re.fullmatch("[0-9a-f]{64}", each[epoch]) for each in codes for epoch in shared)


def test_another_group_has_another_fingerprint() -> None:
    (_, one, *_), (_, other, *_) = three(), three()
    assert of(one, Event.CODE_EPOCH)[-1].transcript != of(other, Event.CODE_EPOCH)[-1].transcript


def test_how_somebody_went() -> None:
    meeting, host, a, b = three()
    b.leave()
    meeting.service.run(2)
    insider = Insider.admit(meeting).join()
    meeting.service.run(1)
    host.kick("insider.example.com")
    meeting.service.run(2)
    assert insider.is_in()
    for room in (host, a):
        assert [(e.event, e.name, e.cause) for e in of(room, Event.LEFT, Event.REMOVED)] == [
            (Event.LEFT, B, ""),
            (Event.REMOVED, "insider.example.com", "by host.example.com"),
        ]
        assert "may not come back" in of(room, Event.TERMS)[-1].cause


def test_who_comes_back_in_the_same_commit_was_not_gone() -> None:
    meeting, host, a, b = three()
    admission, who = b.session.admission, b.session._own.identity
    meeting.service.crash(b)
    back = meeting.room(who, admission=admission)
    meeting.service.run(2)
    agree(host, a, back)
    assert not of(a, Event.VANISHED)
    last = of(a, Event.JOINED)[-1]
    assert (last.name, last.cause) == (B, "came back")
    assert f"{B} came back" in a.view.news


def test_who_is_cleared_away_has_vanished_by_somebodys_observation() -> None:
    meeting, host, a, b = three()
    meeting.service.crash(b)
    meeting.service.run(25)
    agree(host, a)
    gone = of(a, Event.VANISHED)[-1]
    assert gone.name == B
    assert gone.cause in ("by host.example.com", f"by {A}")


def test_a_renewal_and_a_change_into_another_name() -> None:
    meeting, host, a, b = three()
    change(b, renewed(b.session._own.identity, name=B, is_new_key=True))
    meeting.service.run(3)
    insider = Insider.admit(meeting).join()
    meeting.service.run(1)
    swap(meeting, insider, "ceo.example.com")
    agree(host, a, b)
    assert [(e.name, e.cause) for e in of(a, Event.RENEWED)] == [(B, f"{B} renewed its certificate and key")]
    (doubted,) = of(a, Event.DOUBTED)
    assert doubted.assurance == "unknown"
    assert "insider.example.com" in doubted.cause


def test_what_the_people_of_this_room_decided_in_the_lobby() -> None:
    meeting, host, a, _ = three()
    meeting.room(identity(GUEST, PROVIDER_CA))
    meeting.room(identity("other.provider.example", PROVIDER_CA))
    meeting.service.run(3)
    host.admit(GUEST)
    host.deny("other.provider.example")
    meeting.service.run(3)
    decided = [(e.event, e.name, e.assurance) for e in of(host, Event.ADMITTED, Event.DENIED)]
    assert decided == [
        (Event.ADMITTED, GUEST, "provider"),
        (Event.DENIED, "other.provider.example", "provider"),
    ]
    assert not of(a, Event.ADMITTED, Event.DENIED)
    assert of(a, Event.JOINED)[-1].role == "guest"


def test_the_policy_of_this_room_and_how_it_ended_the_meeting() -> None:
    meeting, _, a, _ = three()
    assert [e.cause for e in of(a, Event.POLICY)] == ["this room's policy: standard or locked meetings"]
    a.perform(a.session.rules_changed(OwnRules(Level.LOCKED), meeting.service.clock.now))
    assert "locked meetings only" in of(a, Event.POLICY)[-1].cause
    meeting.service.run(6)
    assert a.ended is not None
    assert a.session.record.entries[-1].event is Event.ENDED
    assert a.session.record.entries[-1].cause == a.ended.reason


def test_alarms_and_a_new_way_in() -> None:
    meeting, host, a, b = three()
    meeting.service.lose_log(host)
    meeting.service.run(10)
    agree(host, a, b)
    assert "lost the meeting's log" in of(a, Event.REJOINING)[-1].cause
    assert {e.name for e in of(a, Event.PRESENT, Event.JOINED) if e.seq > of(a, Event.REJOINING)[-1].seq} >= {
        A,
        "host.example.com",
    }
    a.session._member.alarms.second_commit(2, bytes(65), "insider.example.com", 0, is_gone=False)
    a.tick(meeting.service.clock.now)
    a.tick(meeting.service.clock.now)
    assert [(e.epoch, "second commit" in e.cause) for e in of(a, Event.ALARM)] == [(2, True)]


def test_times_are_this_rooms_and_numbers_count_from_one() -> None:
    meeting, host, _, _ = three()
    entries = host.session.record.entries
    assert [e.seq for e in entries] == list(range(1, len(entries) + 1))
    assert all(0 <= e.time - meeting.service.clock.wall() + 10 <= 10 for e in entries)


def test_no_secret_stands_in_a_record() -> None:
    meeting, host, a, b = three()
    payload = b"".join(room.session.record.payload() for room in (host, a, b))
    for room in (host, a, b):
        digits = room.view.security_code
        assert digits.encode() not in payload
        assert digits.replace(" ", "").encode() not in payload
        for keys in room.keys:
            assert bytes(keys.base_key).hex().encode() not in payload
        group = room.session._member.group
        assert group is not None
        assert group.confirmed_transcript_hash.hex().encode() not in payload
    assert meeting.link.secret.hex().encode() not in payload


def test_the_room_is_called_by_its_certificates_name() -> None:
    _, host, a, _ = three()
    assert host.session.record.room == "host.example.com"
    assert a.session.record.room == A
    assert a.session.record.service == "wss://hub.example.com:443"
