"""The group rules that are about leaves: who may be in the tree, and who may come into it.

Pure functions of the meeting's terms and of leaves. Each names what it prevents and returns, in
words, how it is broken, or None. `rules` says in which order a commit is held against them; a
joiner holds the whole tree against those in `TREE_RULES`.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from conclaved.identity import claimed_name
from conclaved.meeting.admission import (
    ADMISSION_EXTENSION,
    Admission,
    IssuerType,
    Role,
    chain,
    check,
    line,
    lineage,
    origin,
)
from conclaved.meeting.capabilities import Capability, may
from conclaved.meeting.errors import AdmissionError, GroupRuleError
from conclaved.meeting.meeting_context import MeetingContext
from conclaved.mls import LeafNode, X509Credential

# -- what stands on a leaf ------------------------------------------------------------------------


def admission_of(leaf: LeafNode) -> Admission:
    """The admission that a leaf carries. Raises GroupRuleError where it has none or a bad one."""
    found: bytes | None = None
    for extension in leaf.extensions:
        if extension.extension_type == ADMISSION_EXTENSION:
            if found is not None:
                raise GroupRuleError("a leaf carries two admissions", rule=every_leaf_is_admitted.__name__)
            found = extension.data
    if found is None:
        raise GroupRuleError("a leaf carries no admission", rule=every_leaf_is_admitted.__name__)
    try:
        return Admission.decode(found)
    except AdmissionError as error:
        raise GroupRuleError(str(error), rule=every_leaf_is_admitted.__name__) from error


def line_of(leaf: LeafNode) -> frozenset[bytes]:
    """The keys that a leaf of a checked tree has had, its present one among them."""
    return line(admission_of(leaf))


def is_host(leaf: LeafNode | None) -> bool:
    """Whether a leaf (of a checked tree) has the host role."""
    return leaf is not None and admission_of(leaf).role is Role.HOST


def is_successor(leaf: LeafNode) -> bool:
    """Whether a leaf (of a checked tree) stands on a succession."""
    return admission_of(leaf).issuer_type is IssuerType.SUCCESSION


def leaf_may(leaf: LeafNode | None, capability: Capability) -> bool:
    """Whether the role of a leaf (of a checked tree) has a capability."""
    return leaf is not None and may(admission_of(leaf).role, capability)


def name_on(leaf: LeafNode) -> str:
    """The name that a leaf's certificate claims, in lower case, or "".

    Nobody's trust stands behind it: it is a thing that all members see alike, no more.
    """
    credential = leaf.credential
    if not isinstance(credential, X509Credential) or not credential.certificates:
        return ""
    return _name_in(credential.certificates[0])


@lru_cache(maxsize=1024)
def _name_in(der: bytes) -> str:
    return claimed_name(der).lower()


# -- every leaf, at all times ---------------------------------------------------------------------


def every_leaf_is_admitted(context: MeetingContext, leaf: LeafNode) -> str | None:
    """Prevents: a member, or the service through a member, letting in whom no host admitted."""
    try:
        check(admission_of(leaf), leaf.signature_key, context.invitation)
    except (AdmissionError, GroupRuleError) as error:
        return str(error)
    return None


def nobody_kicked_is_in(context: MeetingContext, leaf: LeafNode) -> str | None:
    """Prevents: one who was thrown out coming back without a host, under that key or its successor."""
    return None if line_of(leaf).isdisjoint(context.kicked) else "a kicked key is in the group"


def a_closed_link_admits_nobody(context: MeetingContext, leaf: LeafNode) -> str | None:
    """Prevents: one who was thrown out of an open meeting coming back by the link under a new key."""
    if not context.is_link_closed or origin(admission_of(leaf)).issuer_type is not IssuerType.LINK:
        return None
    return "the meeting's link is closed" if line_of(leaf).isdisjoint(context.link_guests) else None


def service_ends_are_named(context: MeetingContext, leaf: LeafNode) -> str | None:
    """Prevents: a recorder that nobody agreed to when they followed the invitation."""
    if admission_of(leaf).role is not Role.SERVICE_END:
        return None
    if name_on(leaf) in context.invitation.content.service_ends:
        return None
    return "a service end whose name is not in the invitation"


def named_service_ends_are_nothing_else(context: MeetingContext, leaf: LeafNode) -> str | None:
    """Prevents: a recorder that sits among the people as one of them."""
    if admission_of(leaf).role is Role.SERVICE_END:
        return None
    if name_on(leaf) not in context.invitation.content.service_ends:
        return None
    return "what the invitation names as a service end is in as something else"


LeafRule = Callable[[MeetingContext, LeafNode], str | None]

TREE_RULES: tuple[LeafRule, ...] = (
    every_leaf_is_admitted,
    nobody_kicked_is_in,
    a_closed_link_admits_nobody,
    service_ends_are_named,
    named_service_ends_are_nothing_else,
)


def one_leaf_for_a_line(leaves: Iterable[LeafNode]) -> str | None:
    """Prevents: a member letting in others by statements that they succeed its key."""
    seen: set[bytes] = set()
    for keys in map(line_of, leaves):
        if not seen.isdisjoint(keys):
            return "two leaves stand on one admission"
        seen |= keys
    return None


# -- who comes in, or takes another admission -----------------------------------------------------


@dataclass(frozen=True, slots=True)
class Members:
    """What the rules about newcomers look at in those who are in. Derived once for many newcomers."""

    by_admission: Mapping[Admission, LeafNode]
    host_keys: frozenset[bytes]
    """The keys of those who may admit, the former ones too."""

    @classmethod
    def of(cls, leaves: Iterable[LeafNode]) -> "Members":
        """From the leaves of a checked tree."""
        by_admission = {admission_of(leaf): leaf for leaf in leaves}
        hosts = (a for a in by_admission if may(a.role, Capability.ADD_PARTICIPANT))
        return cls(by_admission, frozenset[bytes]().union(*map(line, hosts)))

    def has_any_of(self, keys: frozenset[bytes]) -> bool:
        """Whether one who is in has, or has had, one of these keys."""
        return any(not keys.isdisjoint(line(admission)) for admission in self.by_admission)

    def predecessor(self, admission: Admission) -> LeafNode | None:
        """The leaf of this very admission, or of the one that it succeeds; None if that is not in."""
        steps = (self.by_admission.get(step) for step in lineage(admission))
        return next((leaf for leaf in steps if leaf is not None), None)


def nobody_kicked_admits(context: MeetingContext, leaf: LeafNode, members: Members) -> str | None:
    """Prevents: one who was thrown out letting itself or others in, by admissions that it signed as a host.

    Before it was thrown out or after, for a newcomer or as a higher role for one who is in. Who comes
    back with the admission that it has in the group may; a host in the group admits, whoever admitted it
    once.
    """
    standing, hosts = members.by_admission.keys(), members.host_keys
    if is_by_a_kicked_one(context.kicked, admission_of(leaf), standing, hosts):
        return "an admission by one who was kicked"
    return None


def is_by_a_kicked_one(
    kicked: frozenset[bytes],
    admission: Admission,
    standing: Collection[Admission],
    host_keys: frozenset[bytes],
) -> bool:
    """Whether one who is on this list has issued an admission, or let in a host that did.

    Not so for those of `standing`, which were in when that one was thrown out, and their successors; nor
    beyond the first issuer among the `host_keys`.
    """
    if not kicked or any(step in standing for step in lineage(admission)):
        return False
    issued: Admission | None = admission
    while issued is not None:
        if issued.issuer_key in kicked:
            return True
        if issued.issuer_key in host_keys:
            return False
        issued = issued.issuer_admission
    return False


def no_admission_outlives_a_kick(context: MeetingContext, leaf: LeafNode, members: Members) -> str | None:
    """Prevents: one who is allowed back coming by what it held before, as a host perhaps, or letting in.

    Somebody has to let it in anew. Those who stand in the group by its former word may stay, and a host in
    the group admits, whoever admitted it once.
    """
    least, admission = dict(context.allowed_back), admission_of(leaf)
    if not least or any(step in members.by_admission for step in lineage(admission)):
        return None
    own = lineage(admission)
    for step in (*own, *chain(admission)[len(own) :]):
        if step not in own and step.signature_key in members.host_keys:
            return None
        if step.serial < least.get(step.signature_key, 0):
            return "an admission from before its bearer was thrown out"
    return None


def successors_take_a_place(context: MeetingContext, leaf: LeafNode, members: Members) -> str | None:
    """Prevents: a member admitting others by naming them its successors, when it has left, or as guests.

    Who comes in by a succession takes the place of the one that it succeeds, which is in, and bears its
    name. Everybody else asks in the lobby; but for hosts, whose word could make the new key a host as well:
    a meeting may have none but those who wait outside.
    """
    if not is_successor(leaf):
        return None
    place = members.predecessor(admission_of(leaf))
    if place is None and is_host(leaf) and not members.has_any_of(line_of(leaf)):
        return None
    if place is None:
        return "a successor of one who is not in"
    if place.signature_key != leaf.signature_key and name_on(place) != name_on(leaf):
        return "a successor with another name"
    return None


def is_let_in_anew(leaf: LeafNode, before: Admission) -> bool:
    """Whether a leaf stands on a host's statement, and on another one than it did before."""
    word = origin(admission_of(leaf))
    return word.issuer_type is IssuerType.HOST and word != before


def who_comes_back_has_its_name(members: Mapping[bytes, LeafNode], leaf: LeafNode) -> str | None:
    """Prevents: one whom a host let in under one name sitting there, after a rejoin, under another.

    A certificate that changes in its place is compared with the one before it, and shown. A leaf that is
    taken out and put in anew would be compared with nothing. So under another name it needs another word of
    a host, which has seen that name. `members` are those who are in, by key.
    """
    place = members.get(leaf.signature_key)
    if place is None or name_on(place) == name_on(leaf):
        return None
    return None if is_let_in_anew(leaf, origin(admission_of(place))) else "one comes back under another name"


NewcomerRule = Callable[[MeetingContext, LeafNode, Members], str | None]

NEWCOMER_RULES: tuple[NewcomerRule, ...] = (
    nobody_kicked_admits,
    no_admission_outlives_a_kick,
    successors_take_a_place,
)


# -- a leaf that changes in its place -------------------------------------------------------------


def keys_change_by_succession(old: LeafNode, new: LeafNode) -> str | None:
    """Prevents: a leaf passing into other hands than its owner wants, or with another's admission.

    The old key says that the new one takes its place, and embeds the very admission that it had: with
    another one, of another role perhaps, it could become what no host made it.
    """
    if old.signature_key == new.signature_key:
        return None
    admission = admission_of(new)
    if admission.issuer_type is IssuerType.SUCCESSION and admission.issuer_admission == admission_of(old):
        return None
    return "a leaf changes its key without a succession"


_RISES = frozenset(
    {(Role.GUEST, Role.MEMBER), (Role.GUEST, Role.HOST), (Role.MEMBER, Role.HOST)},
)


def roles_only_rise(old: LeafNode, new: LeafNode) -> str | None:
    """Prevents: a member that has several admissions changing what the others take it for.

    A host that quietly stops being one leaves the lobby to nobody; a service end that becomes a guest
    begins to send, and a guest that becomes a service end is no longer heard. Who wants less leaves, and
    comes again: that is seen.
    """
    before, after = admission_of(old).role, admission_of(new).role
    if before is after or (before, after) in _RISES:
        return None
    return f"a leaf turns from {before.word} into {after.word}"


# -- for those who look before there is a commit --------------------------------------------------


def check_tree(context: MeetingContext, leaves: Iterable[LeafNode]) -> None:
    """Hold leaves against the rules that hold for each at all times. Raises GroupRuleError.

    A joiner applies this to the whole tree.
    """
    leaves = tuple(leaves)
    for leaf in leaves:
        for rule in TREE_RULES:
            _enforce(rule(context, leaf), rule.__name__)
    _enforce(one_leaf_for_a_line(leaves), one_leaf_for_a_line.__name__)


def check_admitted(context: MeetingContext, leaves: Iterable[LeafNode]) -> None:
    """Look at admissions alone, one after the other: what can be seen before anything else is verified.

    Raises GroupRuleError at the first that does not hold.
    """
    for leaf in leaves:
        _enforce(every_leaf_is_admitted(context, leaf), every_leaf_is_admitted.__name__)


def check_joined(context: MeetingContext, leaves: Iterable[LeafNode]) -> None:
    """What a joiner demands of the group that a Welcome leads into. Raises GroupRuleError."""
    if context.is_ended:
        raise GroupRuleError("the meeting has been ended", rule="nobody_comes_in_at_the_end")
    try:
        context.check_word()
    except AdmissionError as error:
        raise GroupRuleError(str(error), rule="its_terms_are_a_hosts") from error
    check_tree(context, leaves)


def check_newcomer(context: MeetingContext, leaf: LeafNode, members: Iterable[LeafNode]) -> None:
    """Hold one who wants to come in against the rules for leaves and for newcomers.

    `members` are the leaves of those who are in. Raises GroupRuleError.
    """
    if context.is_ended:
        raise GroupRuleError("the meeting has been ended", rule="nobody_comes_in_at_the_end")
    check_tree(context, (leaf,))
    members = tuple(members)
    by_key = {member.signature_key: member for member in members}
    _enforce(who_comes_back_has_its_name(by_key, leaf), who_comes_back_has_its_name.__name__)
    # Most who come are admitted by a host, into a meeting that nobody was thrown out of.
    if context.kicked or context.allowed_back or is_successor(leaf):
        standing = Members.of(members)
        for rule in NEWCOMER_RULES:
            _enforce(rule(context, leaf, standing), rule.__name__)


def check_replacement(
    context: MeetingContext, old: LeafNode, new: LeafNode, members: Iterable[LeafNode]
) -> None:
    """Hold the Update of a leaf against the rules; `members` are the leaves before it.

    Raises GroupRuleError.
    """
    check_tree(context, (new,))
    for rule in (keys_change_by_succession, roles_only_rise):
        _enforce(rule(old, new), rule.__name__)
    if admission_of(old) != admission_of(new):
        standing = Members.of(members)
        for newcomer_rule in (nobody_kicked_admits, no_admission_outlives_a_kick):
            _enforce(newcomer_rule(context, new, standing), newcomer_rule.__name__)


def _enforce(reason: str | None, rule: str) -> None:
    if reason is not None:
        raise GroupRuleError(reason, rule=rule)
