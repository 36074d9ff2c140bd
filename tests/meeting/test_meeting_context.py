"""The meeting's terms in the group's context: one form, and a kick that cannot be walked around."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conclaved.meeting import GroupRuleError
from conclaved.meeting.meeting_context import MEETING_EXTENSION, MeetingContext
from conclaved.mls import Extension
from conclaved.mls.codec import opaque, uint8, vector
from tests.meeting.cast import CLOSED, OPEN, PATIENT, A, B, context

KEY_A, KEY_B = A.signer.public_key, B.signer.public_key
TOKEN = opaque(CLOSED.token.encode())
NOTHING = vector(())


def refused(*extensions: Extension) -> None:
    with pytest.raises(GroupRuleError):
        MeetingContext.of(extensions)


def of(data: bytes) -> Extension:
    return Extension(MEETING_EXTENSION, data)


def test_a_context_survives_its_extension() -> None:
    for each in (
        context(),
        context(kicked=frozenset({KEY_A, KEY_B})),
        context(OPEN, is_link_closed=True, link_guests=frozenset({KEY_A})),
        context(is_ended=True),
    ):
        assert MeetingContext.of((each.extension(),)) == each


def test_equal_contexts_have_equal_bytes_whatever_the_order_of_keys() -> None:
    one = context(kicked=frozenset([KEY_A, KEY_B]))
    other = context(kicked=frozenset([KEY_B, KEY_A]))
    assert one.extension() == other.extension()


def test_a_group_without_the_extension_is_no_meeting() -> None:
    refused()
    refused(Extension(0xF0AA, b""))


def test_the_extension_stands_alone_and_once() -> None:
    good = context().extension()
    refused(good, good)
    refused(good, Extension(0xF0AA, b""))


MALFORMED = {
    "empty": b"",
    "no invitation": opaque(b"") + NOTHING + uint8(0) + NOTHING + uint8(0),
    "forged invitation": opaque(CLOSED.token[:-4].encode() + b"AAAA")
    + NOTHING
    + uint8(0)
    + NOTHING
    + uint8(0),
    "not ASCII": opaque(b"\xc3\xa9") + NOTHING + uint8(0) + NOTHING + uint8(0),
    "rest": TOKEN + NOTHING + uint8(0) + NOTHING + uint8(0) + b"x",
    "cut": TOKEN + NOTHING + uint8(0) + NOTHING,
    "a third truth value": TOKEN + NOTHING + uint8(2) + NOTHING + uint8(0),
    "a third end": TOKEN + NOTHING + uint8(0) + NOTHING + uint8(2),
    "unsorted": TOKEN + vector([opaque(b"b"), opaque(b"a")]) + uint8(0) + NOTHING + uint8(0),
    "twice": TOKEN + vector([opaque(b"a"), opaque(b"a")]) + uint8(0) + NOTHING + uint8(0),
    "too many": TOKEN
    + vector(opaque(i.to_bytes(2, "big")) for i in range(10_001))
    + uint8(0)
    + NOTHING
    + uint8(0),
}


@pytest.mark.parametrize("data", MALFORMED.values(), ids=MALFORMED.keys())
def test_any_other_form_is_refused(data: bytes) -> None:
    refused(of(data))


@PATIENT
@given(st.binary(max_size=200))
def test_any_bytes_are_refused_without_another_exception(data: bytes) -> None:
    refused(of(data))
    refused(of(TOKEN + data)) if data != NOTHING + uint8(0) + NOTHING + uint8(0) else None


def test_a_kick_in_a_closed_meeting_lists_the_key_and_no_more() -> None:
    after = context().kick(frozenset({KEY_A}), frozenset({KEY_B}))
    assert after == context(kicked=frozenset({KEY_A}))


def test_a_kick_in_an_open_meeting_closes_the_link_and_keeps_the_guests_who_are_in() -> None:
    after = context(OPEN).kick(frozenset({KEY_A}), frozenset({KEY_A, KEY_B}))
    assert after.kicked == {KEY_A}
    assert after.is_link_closed
    assert after.link_guests == {KEY_B}
