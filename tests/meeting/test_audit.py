"""The record of a meeting: its form, its bounds, its signature."""

import json

import pytest

from conclaved.identity import JwsError, LocalIdentityError, jws
from conclaved.meeting import audit
from conclaved.meeting.audit import MAX_CAUSE, MAX_TOKEN_BYTES, TYPE, Entry, Event, Record
from tests.meeting.simulated_service import WALL, identity

WHO = identity("room.example.com")
EMPTY = Record(bytes(16), "Board", "wss://hub.example.com", "room.example.com")


def record(entries: int = 1, cause: str = "because") -> Record:
    made = EMPTY
    for _ in range(entries):
        made = made.with_entry(Entry(made.next_seq, WALL, Event.JOINED, 1, "a", "verified", "host", cause))
    return made


def test_a_record_is_one_object_whose_empty_fields_are_left_out() -> None:
    made = EMPTY.with_entry(Entry(1, WALL, Event.CODE_EPOCH, epoch=3, transcript="ab" * 32))
    assert json.loads(made.payload()) == {
        "version": 1,
        "meeting": "00" * 16,
        "title": "Board",
        "service": "wss://hub.example.com",
        "room": "room.example.com",
        "entries": [{"seq": 1, "time": WALL, "event": "code_epoch", "epoch": 3, "transcript": "ab" * 32}],
    }


def test_equal_records_have_equal_bytes() -> None:
    assert record(3) == record(3)
    assert record(3).payload() == record(3).payload()


def test_a_record_grows_without_changing_the_one_before() -> None:
    before = record(2)
    after = before.with_entry(Entry(before.next_seq, WALL, Event.LEFT))
    assert len(before.entries) == 2
    assert [entry.seq for entry in after.entries] == [1, 2, 3]


def test_beyond_the_limit_the_oldest_are_counted_and_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "MAX_ENTRIES", 3)
    assert [entry.seq for entry in record(5).entries] == [3, 4, 5]


def test_a_cause_without_end_is_cut() -> None:
    assert len(record(cause="x" * 10_000).entries[0].cause) == MAX_CAUSE


def test_the_signature_holds_and_is_of_no_other_kind() -> None:
    token = record(3).sign(WHO.signer, WHO.chain)
    signed = jws.verify(token, typ=TYPE)
    assert signed.payload == record(3).payload()
    assert signed.signature_key == WHO.key
    with pytest.raises(JwsError):
        jws.verify(token, typ="conclave-invitation+jws")


def test_a_record_of_the_greatest_length_can_be_signed() -> None:
    made = record()
    entries = tuple(made.entries[0] for _ in range(audit.MAX_ENTRIES))
    full = Record(made.meeting_id, made.title, made.service, made.room, entries)
    token = full.sign(WHO.signer, WHO.chain)
    assert jws.verify(token, typ=TYPE, max_bytes=MAX_TOKEN_BYTES).payload == full.payload()
    with pytest.raises(JwsError, match="longer than"):
        jws.verify(token, typ=TYPE)


def test_nobody_signs_with_anothers_certificate() -> None:
    with pytest.raises(LocalIdentityError):
        record().sign(WHO.signer, identity("other.example.com").chain)


def test_a_record_says_little_of_itself() -> None:
    assert repr(record(2)) == "Record(room.example.com, 2 entries)"
