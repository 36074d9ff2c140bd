"""The meeting's terms in the group's context: one form, and a kick that cannot be walked around."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conclaved.meeting import AdmissionError, GroupRuleError, Role
from conclaved.meeting.admission import issue
from conclaved.meeting.meeting_context import MAX_SERIAL, MEETING_EXTENSION, MeetingContext
from conclaved.meeting.terms_rules import a_closed_link_stays_closed
from conclaved.mls import Extension
from conclaved.mls.codec import opaque, optional, uint8, uint32, vector
from tests.meeting.cast import (
    CLOSED,
    MEETING_ID,
    OPEN,
    OTHER_HOST,
    PATIENT,
    A,
    B,
    by_host,
    context,
    host_admission,
    invitation,
    signed,
)

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
        signed(context(kicked=frozenset({KEY_A}))),
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


def encoded(
    *,
    token: bytes = TOKEN,
    kicked: bytes = NOTHING,
    is_closed: int = 0,
    guests: bytes = NOTHING,
    back: bytes = NOTHING,
    is_ended: int = 0,
    serial: int = 0,
    word: bytes = optional(None),
) -> bytes:
    """The extension's bytes, field by field."""
    return token + kicked + uint8(is_closed) + guests + back + uint8(is_ended) + uint32(serial) + word


def keys(*numbers: int) -> bytes:
    return vector(opaque(number.to_bytes(65, "big")) for number in numbers)


def notes(*of: tuple[int, int]) -> bytes:
    return vector(opaque(number.to_bytes(65, "big")) + uint32(serial) for number, serial in of)


MALFORMED = {
    "empty": b"",
    "no invitation": encoded(token=opaque(b"")),
    "forged invitation": encoded(token=opaque(CLOSED.token[:-4].encode() + b"AAAA")),
    "not ASCII": encoded(token=opaque(b"\xc3\xa9")),
    "rest": encoded() + b"x",
    "cut": encoded()[:-1],
    "a third truth value": encoded(is_closed=2),
    "a third end": encoded(is_ended=2),
    "unsorted": encoded(kicked=keys(2, 1)),
    "twice": encoded(guests=keys(1, 1)),
    "too many": encoded(kicked=keys(*range(10_001))),
    "back twice": encoded(back=notes((1, 2), (1, 3))),
    "back unsorted": encoded(back=notes((2, 1), (1, 1))),
    "no key back": encoded(back=vector([opaque(b"key") + uint32(1)])),
    "no key": encoded(kicked=vector([opaque(b"key")])),
    "a word without an admission": encoded(word=optional(opaque(b"") + opaque(b""))),
}


def test_the_form_is_what_these_tests_take_it_for() -> None:
    assert encoded() == context().extension().data
    assert MeetingContext.of((of(encoded(kicked=keys(1, 2))),)).kicked
    assert MeetingContext.of((of(encoded(serial=7)),)).serial == 7
    assert len(MeetingContext.of((of(encoded(back=notes((1, 5), (2, 4)))),)).allowed_back) == 2


@pytest.mark.parametrize("data", MALFORMED.values(), ids=MALFORMED.keys())
def test_any_other_form_is_refused(data: bytes) -> None:
    refused(of(data))


@PATIENT
@given(st.binary(max_size=200))
def test_any_bytes_are_refused_without_another_exception(data: bytes) -> None:
    refused(of(data))
    refused(of(TOKEN + data)) if TOKEN + data != encoded() else None


def test_a_kick_in_a_closed_meeting_lists_the_key_and_no_more() -> None:
    after = context().kick(frozenset({KEY_A}), frozenset({KEY_B}))
    assert after == context(kicked=frozenset({KEY_A}))


def test_a_kick_in_an_open_meeting_closes_the_link_and_keeps_the_guests_who_are_in() -> None:
    after = context(OPEN).kick(frozenset({KEY_A}), frozenset({KEY_A, KEY_B}))
    assert after.kicked == {KEY_A}
    assert after.is_link_closed
    assert after.link_guests == {KEY_B}


# -- the word of a host ---------------------------------------------------------------------------

TERMS = context(kicked=frozenset({KEY_A}))


def unsupported(terms: MeetingContext) -> None:
    with pytest.raises(AdmissionError):
        terms.check_word()
    with pytest.raises(AdmissionError):
        MeetingContext.of((terms.extension(),)).check_word()


def test_terms_that_a_host_has_changed_back_are_not_plain() -> None:
    assert not context(serial=1).is_plain
    unsupported(context(serial=1))


def test_the_serial_grows_by_one_and_ends() -> None:
    assert context().next_serial == 1
    assert context(serial=MAX_SERIAL).next_serial == MAX_SERIAL


def test_plain_terms_need_nobodys_word() -> None:
    context().check_word()
    assert context().is_plain


@pytest.mark.parametrize(
    "terms",
    [
        TERMS,
        context(OPEN, is_link_closed=True),
        context(OPEN, link_guests=frozenset({KEY_A})),
        context(is_ended=True),
    ],
)
def test_all_other_terms_need_a_hosts(terms: MeetingContext) -> None:
    unsupported(terms)
    signed(terms).check_word()
    signed(terms, OTHER_HOST).check_word()


def test_a_members_word_is_none() -> None:
    unsupported(TERMS.signed(B.signer, by_host(KEY_B)))


def test_a_word_by_one_who_was_not_admitted_is_none() -> None:
    unsupported(TERMS.signed(B.signer, issue(B.signer, MEETING_ID, KEY_B, Role.HOST)))


def test_a_borrowed_admission_gives_no_word() -> None:
    unsupported(TERMS.signed(B.signer, host_admission()))


@pytest.mark.parametrize(
    "change",
    [
        {"kicked": frozenset({KEY_A, KEY_B})},
        {"is_ended": True},
        {"is_link_closed": True},
        {"link_guests": frozenset({KEY_B})},
        {"invitation": invitation(serial=8)},
    ],
)
def test_a_word_holds_for_the_terms_that_were_signed_and_no_others(change: dict[str, object]) -> None:
    unsupported(replace(signed(TERMS), **change))  # type: ignore[arg-type]


def test_one_who_is_on_the_list_does_not_stand_behind_it() -> None:
    unsupported(signed(context(kicked=frozenset({OTHER_HOST.signer.public_key})), OTHER_HOST))


def test_a_kick_takes_the_word_away_until_it_is_given_anew() -> None:
    assert signed(TERMS).kick(frozenset({KEY_B}), frozenset()).word is None


def test_a_later_kick_adds_nobody_to_a_closed_link() -> None:
    """A guest that has changed its key meanwhile would make every kick invalid."""
    first, second, third = A.key, OTHER_HOST.key, B.key
    before = replace(context(OPEN), is_link_closed=True, link_guests=frozenset({first, second}), serial=1)
    after = replace(before.kick(frozenset({second}), frozenset({first, third})), serial=2)
    assert after.link_guests == {first}
    assert a_closed_link_stays_closed(before, after) is None
