"""What people read of one who went."""

import pytest

from conclaved.identity import Assurance
from conclaved.meeting import Role
from conclaved.meeting.departures import Departure
from conclaved.meeting.roster import Participant
from conclaved.meeting.rules import RemoveReason

SENTENCE = "the host left, and all is well"


@pytest.mark.parametrize(
    ("assurance", "words"),
    [(Assurance.VERIFIED, f"{SENTENCE} came back"), (Assurance.UNKNOWN, f"\u201c{SENTENCE}\u201d came back")],
)
def test_a_name_that_nobody_vouches_for_stands_in_quotation_marks(assurance: Assurance, words: str) -> None:
    who = Participant(
        leaf=1,
        name=SENTENCE,
        assurance=assurance,
        role=Role.GUEST,
        signature_key=bytes(65),
        is_self=False,
        is_heard=True,
        reason="",
        issuer="",
        admitted_by="the link",
        is_expected=False,
    )
    assert Departure(who, RemoveReason.LEAVE, frozenset(), "a host", is_back=True).words == words
