"""The group rules that are about the meeting's terms: what a host may change in them.

Pure functions of the context before and after. Each names what it prevents and returns, in words,
how it is broken, or None.
"""

from collections.abc import Callable

from conclaved.meeting.capabilities import Capability
from conclaved.meeting.errors import AdmissionError
from conclaved.meeting.invitation import Invitation
from conclaved.meeting.meeting_context import MeetingContext


def it_stays_the_same_meeting(before: MeetingContext, after: MeetingContext) -> str | None:
    """Prevents: a host turning the meeting into another one, or back to an invitation that was replaced."""
    old, new = before.invitation, after.invitation
    if old.token == new.token:
        return None
    if (
        old.content.meeting_id == new.content.meeting_id
        and old.signer_key == new.signer_key
        and new.content.serial > old.content.serial
    ):
        return None
    return "a change to another meeting's invitation"


def its_terms_stay(before: MeetingContext, after: MeetingContext) -> str | None:
    """Prevents: even a host changing, under its members' feet, what they agreed to when they came.

    Who else is invited may change, as a host may admit anybody; how strict the meeting is, whether
    the link alone admits, and whether a recorder may come may not.
    """
    if _terms(before.invitation.content) == _terms(after.invitation.content):
        return None
    return "a new invitation with other terms"


def a_closed_link_stays_closed(before: MeetingContext, after: MeetingContext) -> str | None:
    """Prevents: one who was thrown out of an open meeting finding the link open again."""
    if not before.is_link_closed:
        return None
    if not after.is_link_closed:
        return "a closed link stays closed"
    return None if after.link_guests <= before.link_guests else "a closed link admits nobody new"


def who_is_allowed_back_is_let_in_anew(before: MeetingContext, after: MeetingContext) -> str | None:
    """Prevents: an old admission, a host's perhaps, coming to life again when its bearer may ask again.

    Whoever is taken off the list gets a serial that no admission before this change has, and keeps it.
    """
    old, new = dict(before.allowed_back), dict(after.allowed_back)
    if any(new.get(key, -1) < serial for key, serial in old.items()):
        return "one who was allowed back needs no new admission any more"
    if any(new.get(key, -1) < after.next_serial for key in before.kicked - after.kicked):
        return "one is allowed back by an old admission"
    return None


def its_serial_counts_changes(before: MeetingContext, after: MeetingContext) -> str | None:
    """Prevents: terms that stand for a later decision than those that a host makes after them.

    Who was away goes by the serial, to tell that a host has allowed somebody back.
    """
    if before.serial <= after.serial <= before.next_serial:
        return None
    return "terms with another serial than the next"


def its_terms_are_a_hosts(before: MeetingContext, after: MeetingContext) -> str | None:
    """Prevents: a founder who is no host keeping out whom it likes, the hosts first, by a list of its own.

    Who comes later has not seen who changed what: so it is a host's signature that a list stands on, and
    not on whoever made the group.
    """
    if before == after:
        return None
    try:
        after.check_word()
    except AdmissionError as error:
        return str(error)
    return None


TermsRule = Callable[[MeetingContext, MeetingContext], str | None]

TERMS_RULES: tuple[TermsRule, ...] = (
    it_stays_the_same_meeting,
    its_terms_stay,
    a_closed_link_stays_closed,
    who_is_allowed_back_is_let_in_anew,
    its_serial_counts_changes,
    its_terms_are_a_hosts,
)


def capabilities_to_change(before: MeetingContext, after: MeetingContext) -> frozenset[Capability]:
    """What one has to be able to do in order to propose this change of the terms."""
    needed = {Capability.BAN}
    if not before.kicked <= after.kicked:
        needed.add(Capability.UNBAN)
    if before.invitation.token != after.invitation.token:
        needed.add(Capability.ADD_PARTICIPANT)
    if before.is_ended != after.is_ended:
        needed.add(Capability.DESTROY_ROOM)
    return frozenset(needed)


def _terms(invitation: Invitation) -> tuple[object, ...]:
    return (
        invitation.level,
        invitation.is_open,
        invitation.link_public_key,
        invitation.service,
        invitation.service_ends,
    )
