"""What a host does: let in, turn away, throw out.

A host's device acts by itself only for those on the invitation whom it has verified; everybody
else is a person's decision.
"""

from collections.abc import Callable
from dataclasses import replace

from conclaved.meeting import lobby
from conclaved.meeting.admission import Admission, IssuerType, Role, origin
from conclaved.meeting.desk import Desk, Waiting, role_of
from conclaved.meeting.errors import LocalError
from conclaved.meeting.membership import Membership
from conclaved.meeting.outbox import Outbox
from conclaved.meeting.own_side import OwnSide
from conclaved.meeting.roster import Assess
from conclaved.meeting.rules import RemoveReason, admission_of, line_of
from conclaved.mls import GroupContextExtensions, Proposal, Remove

Propose = Callable[[Proposal, bytes], None]
"""(proposal, authenticated data): signs a proposal and publishes it."""


class Hosting:
    """Used only while this device is a host in the group; `Session` sees to that."""

    def __init__(
        self,
        out: Outbox,
        own: OwnSide,
        member: Membership,
        assess: Assess,
        propose: Propose,
        broke: Callable[[Exception, float], None],
    ) -> None:
        self._out = out
        self._own = own
        self._member = member
        self._assess = assess
        self._propose = propose
        self._broke = broke
        self._kicked_names: set[str] = set()
        self._to_kick: dict[bytes, None] = {}
        self._to_forgive: set[bytes] = set()
        self._proposed_in: int | None = None
        self._known_kicked: set[bytes] = set()
        self._desk = Desk()

    def __repr__(self) -> str:
        return f"Hosting({self._desk!r})"

    def waiting(self) -> tuple[Waiting, ...]:
        """Those in the lobby."""
        return self._desk.waiting()

    def on_request(self, request: lobby.Request, now: float) -> None:
        """Somebody asks. Raises RemoteError for a request without its key."""
        answer = self._desk.answer_to(request)
        if answer is not None:
            self._out.say(answer)
            return
        lobby.check_request(request, self._own.meeting_id)
        verdict = self._assess(request.chain, request.signature_key)
        kicked = self._member.context.kicked
        # A host that does not know the name behind a kicked key cannot tell it under a new key.
        is_kicked = (
            verdict.name in self._kicked_names
            or request.signature_key in kicked
            or not kicked <= self._known_kicked
        )
        role = self._desk.role_without_asking(self._own.invitation.content, verdict, is_kicked=is_kicked)
        if role is not None:
            self._grant(request, role)
        elif self._desk.arrive(request, verdict, now):
            self._out.changed()

    def admit(self, name_or_id: str) -> None:
        """Let in one who waits, as a guest; one who was kicked is forgiven. Raises LocalError."""
        waiting = self._desk.find(name_or_id)
        obstacle = waiting.obstacle(self._own.invitation.content.level)
        if obstacle is not None:
            raise LocalError(
                f"{waiting.name} cannot be admitted: {obstacle}", hint="deny it, or trust its CA"
            )
        key = waiting.request.signature_key
        self._to_kick.pop(key, None)
        if key in self._member.context.kicked:
            self._to_forgive.add(key)
            self._propose_what_is_left()
        self._kicked_names.discard(waiting.name)
        # Who is named as a service end can be in as nothing else.
        is_service_end = role_of(self._own.invitation.content, waiting.name) is Role.SERVICE_END
        self._grant(waiting.request, Role.SERVICE_END if is_service_end else Role.GUEST)

    def deny(self, name_or_id: str) -> None:
        """Turn away one who waits. Raises LocalError."""
        request = self._desk.find(name_or_id).request
        signer, own, meeting_id = (
            self._own.identity.signer,
            self._own.own_admission(),
            self._own.meeting_id,
        )

        def signed(denial: lobby.Denial, _now: float) -> None:
            self._desk.answered(request, denial)
            self._out.say(denial)
            self._out.changed()

        def deny() -> lobby.Denial:
            return lobby.deny(signer, own, meeting_id, request.request_id, request.signature_key)

        self._out.job(deny, signed, self._broke)

    def kick(self, leaf: int) -> None:
        """Throw out a member: its key goes on the kicked list. Raises LocalError."""
        leaves, group = self._member.leaves(), self._member.group
        if group is None or leaf not in leaves or leaf == group.own_leaf_index:
            raise LocalError("there is no such other member", hint="see: conclavectl meeting roster")
        keys = line_of(leaves[leaf])
        self._to_kick |= dict.fromkeys(sorted(keys))
        self._to_forgive -= keys
        self._propose_what_is_left()

    def kicked(self, name: str, signature_key: bytes) -> None:
        """A member of this name was thrown out: with a new key it waits in the lobby too."""
        self._kicked_names.add(name)
        self._known_kicked.add(signature_key)

    def carry(self, keys: frozenset[bytes]) -> None:
        """These were thrown out of a group before this one, whose list does not have them yet."""
        if not keys <= self._to_kick.keys():
            self._to_kick |= dict.fromkeys(keys)
            self._propose_what_is_left()

    def expire(self, now: float) -> None:
        """Forget requesters who have gone away; propose again what an epoch has passed over.

        Proposals die with their epoch, and who is to be thrown out may have ended it.
        """
        if self._desk.forget(now):
            self._out.changed()
        group = self._member.group
        if group is not None and self._proposed_in not in (None, group.epoch):
            self._propose_what_is_left()

    def _propose_what_is_left(self) -> None:
        """One change of the kicked list for all who are to be thrown out or forgiven, and the Removes."""
        group, context, leaves = self._member.group, self._member.context, self._member.leaves()
        if group is None:
            return
        leaf_of_key = {key: index for index, leaf in leaves.items() for key in line_of(leaf)}
        # One that has changed its key meanwhile is thrown out with the new one too.
        for index in {leaf_of_key[key] for key in self._to_kick if key in leaf_of_key}:
            self._to_kick |= dict.fromkeys(sorted(line_of(leaves[index])))
        self._to_kick = {k: None for k in self._to_kick if k in leaf_of_key or k not in context.kicked}
        self._to_forgive &= context.kicked
        if not self._to_kick and not self._to_forgive:
            self._proposed_in = None
            return
        self._proposed_in = group.epoch
        by_link = frozenset(
            leaf.signature_key
            for leaf in leaves.values()
            if origin(admission_of(leaf)).issuer_type is IssuerType.LINK
        )
        after = replace(context, kicked=context.kicked - self._to_forgive)
        if self._to_kick:
            after = after.kick(frozenset(self._to_kick), by_link)
        reason = bytes([RemoveReason.KICK])
        self._propose(GroupContextExtensions((after.extension(),)), reason)
        for index in sorted({leaf_of_key[key] for key in self._to_kick if key in leaf_of_key}):
            self._propose(Remove(index), reason)

    def _grant(self, request: lobby.Request, role: Role) -> None:
        def signed(admission: Admission, _now: float) -> None:
            grant = lobby.Grant(request.request_id, admission)
            self._desk.answered(request, grant)
            self._out.say(grant)
            self._out.changed()

        self._out.job(self._own.admit_job(request.signature_key, role), signed, self._broke)
