"""Who is thrown out, who may come back, and when all have to go: a host's changes of the group's terms.

What is listed are keys; people have names. A host's device remembers the name behind each key that it
saw thrown out, and knows its bearer again under a new key. It remembers too under which names it let
keys in: who had several let in before comes back with none of them. A name counts only as far as somebody
vouched for it: whoever came in under a name that nobody vouches for does not keep its true bearer out.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from conclaved.identity import Assurance, Verdict
from conclaved.meeting.admission import IssuerType, origin
from conclaved.meeting.earlier import Earlier, not_noted
from conclaved.meeting.errors import LocalError
from conclaved.meeting.membership import Membership
from conclaved.meeting.own_side import OwnSide
from conclaved.meeting.roster import Participant, key_id
from conclaved.meeting.rules import RemoveReason, admission_of, line_of
from conclaved.mls import GroupContextExtensions, LeafNode, Proposal, Remove

Propose = Callable[[Callable[[], Proposal], bytes], None]
"""(how to make a proposal, authenticated data): makes it, signs it and publishes it."""

MAX_LET_IN = 4096
CARRIED_OUT_S = 5.0
"""Within this time the group carries out a kick; else this device sends to nobody."""

_KEPT_OUT = {
    Assurance.VERIFIED: frozenset(Assurance),
    Assurance.PROVIDER: frozenset(Assurance) - {Assurance.VERIFIED},
}
"""Of one thrown out under a name of this assurance, under which assurances the name is kept out."""


@dataclass(frozen=True, slots=True)
class Removed:
    """One who was thrown out, as hosts see it."""

    key_id: str
    """16 hexadecimal digits of the hash of its key."""
    name: str
    """Empty where this device does not know it."""


@dataclass(frozen=True, slots=True)
class _Gone:
    key: bytes
    line: frozenset[bytes]
    name: str
    assurance: Assurance

    def keeps_out(self, verdict: Verdict) -> bool:
        return verdict.name == self.name and verdict.assurance in _KEPT_OUT.get(self.assurance, ())


class Removing:
    """Used by `Hosting`. Nothing here is proposed before this device is a host."""

    def __init__(self, own: OwnSide, member: Membership, propose: Propose) -> None:
        self._own = own
        self._member = member
        self._propose = propose
        self._gone: dict[bytes, _Gone] = {}
        """By each key of the line."""
        self._let_in: dict[bytes, Verdict] = {}
        self._former: dict[bytes, frozenset[bytes]] = {}
        """By the key of a leaf: keys that it has had and that its admission does not tell of any more."""
        self._to_kick: dict[bytes, None] = {}
        self._to_forgive: set[bytes] = set()
        self._proposed_in: int | None = None
        self._link_guests: frozenset[bytes] | None = None
        """Who may stay by the link, if that is to be closed without a kick."""
        self._allowed_back: frozenset[tuple[bytes, int]] = frozenset()
        """Who was allowed back in a group before this one, and is not noted in this one's terms."""
        self._overdue_since: float | None = None
        self.is_ending = False
        """Whether the meeting is to end for all."""

    def __repr__(self) -> str:
        return f"Removing({len(self._to_kick)} to throw out, {len(self._to_forgive)} to allow back)"

    # -- who is out -----------------------------------------------------------------------------

    def removed(self) -> tuple[Removed, ...]:
        """Those on the kicked list, one a member as far as this device saw them go."""
        found = {}
        for key in sorted(self._member.context.kicked):
            gone = self._gone.get(key)
            shown = Removed(key_id(key), "") if gone is None else Removed(key_id(gone.key), gone.name)
            found[shown.key_id] = shown
        return tuple(found.values())

    def bars(self, verdict: Verdict, signature_key: bytes) -> bool:
        """Whether this key, or the name behind it, was thrown out."""
        out = self._out()
        return signature_key in out or any(
            gone.keeps_out(verdict) for gone in set(self._gone.values()) if not gone.line.isdisjoint(out)
        )

    def knows_all(self) -> bool:
        """Whether this device knows the name behind every key on the list.

        One that does not cannot tell its bearer under a new key, and lets nobody in by itself.
        """
        return self._out() <= self._gone.keys()

    def let_in(self, signature_key: bytes, verdict: Verdict) -> None:
        """This device has admitted a key, of one whom it judged so."""
        self._let_in.pop(signature_key, None)
        while len(self._let_in) >= MAX_LET_IN:
            del self._let_in[next(iter(self._let_in))]
        self._let_in[signature_key] = verdict

    def saw(self, participant: Participant, line: frozenset[bytes]) -> None:
        """A member was thrown out; `line` are the keys that it has had.

        Its former keys, and those that this device has admitted and nobody in the group has, go on the list
        too.
        """
        gone = _Gone(participant.signature_key, line, participant.name, participant.assurance)
        in_use = frozenset[bytes]().union(*map(line_of, self._member.leaves().values()))
        let_in = {key for key, verdict in self._let_in.items() if gone.keeps_out(verdict)}
        former = self._former.get(participant.signature_key, frozenset())
        spare = (former | let_in) - in_use - line
        gone = replace(gone, line=line | spare)
        self._gone |= dict.fromkeys(gone.line, gone)
        if not spare <= self._member.context.kicked | self._to_kick.keys():
            self._to_kick |= dict.fromkeys(sorted(spare))
            self._proposed_in = self._proposed_in or -1

    def followed(self, old: LeafNode, new: LeafNode) -> None:
        """A leaf has changed. With another admission it may no longer show the keys that it had."""
        lost = (line_of(old) | self._former.pop(old.signature_key, frozenset())) - line_of(new)
        if lost:
            self._former[new.signature_key] = lost

    def _keys_of(self, leaf: LeafNode) -> frozenset[bytes]:
        return line_of(leaf) | self._former.get(leaf.signature_key, frozenset())

    def _out(self) -> frozenset[bytes]:
        return (self._member.context.kicked | self._to_kick.keys()) - self._to_forgive

    # -- what a host does -----------------------------------------------------------------------

    def kick(self, leaf: int) -> None:
        """Throw out a member: all keys that it has had go on the kicked list. Raises LocalError."""
        leaves, group = self._member.leaves(), self._member.group
        if group is None or leaf not in leaves or leaf == group.own_leaf_index:
            raise LocalError("there is no such other member", hint="see: conclavectl meeting roster")
        keys = self._keys_of(leaves[leaf])
        self.saw(next(p for p in self._member.participants() if p.leaf == leaf), keys)
        self._to_kick |= dict.fromkeys(sorted(keys))
        self._to_forgive -= keys
        self._propose_what_is_left()

    def allow_back(self, key_id: str) -> None:
        """Take one who was thrown out off the kicked list, with all its keys. Raises LocalError."""
        keys = {key for key in self._member.context.kicked if key_id in self._ids(key)}
        if not keys:
            raise LocalError(
                f"nobody with the id {key_id} was thrown out", hint="see: conclavectl meeting removed"
            )
        for key in keys:
            line = self._gone[key].line if key in self._gone else frozenset({key})
            self._to_forgive |= line
            self._to_kick = {k: None for k in self._to_kick if k not in line}
        self._propose_what_is_left()

    def end(self) -> None:
        """End the meeting for all."""
        self.is_ending = True
        self._propose_what_is_left()

    def carry(self, earlier: Earlier) -> None:
        """What was decided in a group before this one, and this one's terms do not have yet.

        Who was thrown out there, or allowed back; where the link was closed there, it is to be closed here,
        but for those guests.
        """
        is_new = (self._link_guests, self._allowed_back) != (earlier.link_guests, earlier.allowed_back)
        self._link_guests, self._allowed_back = earlier.link_guests, earlier.allowed_back
        if is_new or not earlier.carried <= self._to_kick.keys():
            self._to_kick |= dict.fromkeys(earlier.carried)
            self._propose_what_is_left()

    def why_overdue(self, now: float) -> str | None:
        """Whom this device has thrown out and who is in for too long after that, in words, or None.

        The service may be keeping the kick from the group, or its outcome from this device.
        """
        leaves = self._member.leaves()
        staying = [index for index, leaf in leaves.items() if not line_of(leaf).isdisjoint(self._to_kick)]
        if not staying:
            self._overdue_since = None
            return None
        if self._overdue_since is None:
            self._overdue_since = now
        if now - self._overdue_since < CARRIED_OUT_S:
            return None
        return f"{self._member.name_of(staying[0])} was thrown out by this room and is still in"

    def propose_again(self) -> None:
        """Propose what an epoch has passed over.

        Proposals die with their epoch, and who is to be thrown out may have ended it.
        """
        group = self._member.group
        if group is not None and self._proposed_in not in (None, group.epoch):
            self._propose_what_is_left()

    def close(self) -> None:
        """The group is given up: what was proposed in it is to be proposed anew in another."""
        self._overdue_since = None
        if self._proposed_in is not None:
            self._proposed_in = -1

    def _ids(self, key: bytes) -> tuple[str, ...]:
        gone = self._gone.get(key)
        return (key_id(key),) if gone is None else (key_id(gone.key), key_id(key))

    def _propose_what_is_left(self) -> None:
        """One change of the terms for all who are to be thrown out or forgiven, and the Removes."""
        group, context, leaves = self._member.group, self._member.context, self._member.leaves()
        if group is None:
            return
        leaf_of_key = {key: index for index, leaf in leaves.items() for key in line_of(leaf)}
        # One that has changed its key meanwhile is thrown out with the new one too.
        for index in {leaf_of_key[key] for key in self._to_kick if key in leaf_of_key}:
            self._to_kick |= dict.fromkeys(sorted(line_of(leaves[index])))
        self._to_kick = {k: None for k in self._to_kick if k in leaf_of_key or k not in context.kicked}
        self._to_forgive &= context.kicked
        if context.is_link_closed:
            self._link_guests = None
        self._allowed_back = not_noted(self._allowed_back, context)
        is_carrying = self._link_guests is not None or bool(self._allowed_back)
        if not self._to_kick and not self._to_forgive and not self.is_ending and not is_carrying:
            self._proposed_in = None
            return
        self._proposed_in = group.epoch
        by_link = frozenset(
            leaf.signature_key
            for leaf in leaves.values()
            if origin(admission_of(leaf)).issuer_type is IssuerType.LINK
        )
        after = context.forgive(frozenset(self._to_forgive))
        back = dict(sorted(self._allowed_back | after.allowed_back))
        after = replace(after, allowed_back=frozenset(back.items()))
        after = replace(after, is_ended=self.is_ending, serial=context.next_serial)
        if self._to_kick:
            after = after.kick(frozenset(self._to_kick), by_link)
        if self._link_guests is not None:
            after = replace(after, is_link_closed=True, link_guests=self._link_guests)
        reason = bytes([RemoveReason.KICK])
        signer, own = self._own.identity.signer, self._own.own_admission()
        self._propose(lambda: GroupContextExtensions((after.signed(signer, own).extension(),)), reason)
        for index in sorted({leaf_of_key[key] for key in self._to_kick if key in leaf_of_key}):
            self._propose(partial(Remove, index), reason)
