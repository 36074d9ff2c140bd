"""What a device remembers of a meeting's terms, and who can overrule that."""

from dataclasses import replace

from conclaved.meeting import OwnIdentity, Role
from conclaved.meeting.admission import Admission, issue
from conclaved.meeting.earlier import Earlier
from conclaved.meeting.meeting_context import MeetingContext
from conclaved.meeting.terms_rules import who_is_allowed_back_is_let_in_anew
from conclaved.mls import LeafNode
from tests.meeting.cast import (
    HOST,
    MEETING_ID,
    OTHER_HOST,
    THIRD_HOST,
    A,
    B,
    by_host,
    context,
    host_admission,
    leaf_of,
)

KICKED = by_host(OTHER_HOST.key, Role.HOST)
ACCOMPLICE = issue(OTHER_HOST.signer, MEETING_ID, THIRD_HOST.key, Role.HOST, issuer_admission=KICKED)


def remembering(terms: MeetingContext, *, since_a_restart: bool) -> Earlier:
    """One that knows these terms, from a session before this one or from the group it was in."""
    if since_a_restart:
        return Earlier(terms)
    earlier = Earlier()
    earlier.entered(terms, {0: leaf_of(HOST, host_admission()), 1: leaf_of(A, by_host(A.key))})
    return earlier


def led_by(who: OwnIdentity, admission: Admission) -> tuple[MeetingContext, dict[int, LeafNode]]:
    """A group with terms of its own, of a high serial, and one in it that was thrown out."""
    terms = context(serial=10).signed(who.signer, admission)
    return terms, {0: leaf_of(who, admission), 1: leaf_of(B, by_host(B.key))}


def test_one_let_in_by_a_host_after_that_was_thrown_out_overrules_nothing() -> None:
    kicked = frozenset({OTHER_HOST.key, B.key})
    known = context(kicked=kicked, serial=3).signed(HOST.signer, host_admission())
    for since_a_restart in (True, False):
        earlier = remembering(known, since_a_restart=since_a_restart)
        assert earlier.objection_to(*led_by(THIRD_HOST, ACCOMPLICE)) is not None


def test_nor_does_a_host_that_is_allowed_back_by_what_it_held_before() -> None:
    note = frozenset({(OTHER_HOST.key, 3)})
    known = context(kicked=frozenset({B.key}), allowed_back=note, serial=2)
    earlier = remembering(known.signed(HOST.signer, host_admission()), since_a_restart=False)
    assert earlier.objection_to(*led_by(OTHER_HOST, KICKED)) is not None


def test_a_host_that_nobody_threw_out_does() -> None:
    known = context(kicked=frozenset({B.key}), serial=3).signed(HOST.signer, host_admission())
    earlier = remembering(known, since_a_restart=False)
    assert earlier.objection_to(*led_by(OTHER_HOST, KICKED)) is None


def test_one_noted_with_a_higher_serial_before_is_not_noted_with_a_lower_one() -> None:
    before = context(kicked=frozenset({A.key}), allowed_back=frozenset({(A.key, 9)}), serial=2)
    after = replace(before.forgive(frozenset({A.key})), serial=before.next_serial)
    assert dict(after.allowed_back)[A.key] > 9
    assert who_is_allowed_back_is_let_in_anew(before, after) is None


def test_what_the_group_notes_with_a_higher_serial_is_carried_no_further() -> None:
    earlier = Earlier(context(allowed_back=frozenset({(A.key, 3)}), serial=6))
    now = context(allowed_back=frozenset({(A.key, 5)}), serial=4).signed(HOST.signer, host_admission())
    leaves = {0: leaf_of(HOST, host_admission())}
    assert earlier.objection_to(now, leaves) is None
    earlier.joined(now)
    earlier.entered(now, leaves)
    assert not earlier.is_carrying
