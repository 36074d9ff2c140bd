"""Epochs: taking commits from the log, and making our own.

The log decides. Others' commits are staged, judged by the group rules, and entered; one that
breaks a rule is nobody's. Ours waits until the log has it, or another is entered, or the service
says that it was refused: if that was a lie and it turns up all the same, we have lost the way and
join anew.

Making ours takes three signatures, which may be two seconds. Entries do not wait for it: who does not enter
the epoch of another's commit meanwhile hears nobody. What was made for an epoch that has gone, or without a
proposal that has come since, is dropped, and made again if there is need. What is ready while an entry is
being judged waits for that: the entry may be the commit that leads on, and ours, published for the place
behind it, a second one for the same epoch, which breaks the lock of all who see it.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from conclaved.meeting import lobby
from conclaved.meeting.agenda import Agenda, Plan
from conclaved.meeting.errors import MeetingError, RemoteError
from conclaved.meeting.events import Lane, SendLobby
from conclaved.meeting.limits import Bucket, Buckets, Limits
from conclaved.meeting.log import Log
from conclaved.meeting.meeting_context import MeetingContext
from conclaved.meeting.membership import Membership, leaves_of
from conclaved.meeting.outbox import Outbox
from conclaved.meeting.own_leaf import OwnLeaf
from conclaved.meeting.own_side import SUITE
from conclaved.meeting.rules import RemoveReason, check_admitted, check_commit, check_tree, line_of
from conclaved.meeting.welcoming import check_offer, made_at
from conclaved.mls import (
    Add,
    AuthenticatedContent,
    Commit,
    ContentType,
    Group,
    KeyPackage,
    LeafChange,
    LeafNode,
    MlsError,
    OwnMessage,
    PendingCommit,
    Remove,
    StagedCommit,
    Update,
    WrongEpoch,
)

V = TypeVar("V")

BATCH_S = 0.2
"""Joins and leaves that come within this time go into one commit."""
TAKEOVER_S = 2.0
"""How long the leader may leave work lying before the next in leaf order takes it."""
SIGNATURE_S = 0.6
"""What the signature takes at most that the leader's key may be making when the work comes: so much later
does it begin. Its commit has three more, 1.8 s for a slow TPM."""
PUBLISH_AGAIN_S = 5.0
REFUSED_PAUSE_S = 0.3
UNOPENED_PAUSE_S = 3.0
"""Within this time the others' beacons show whether they took a commit that this device could not open."""
REPEAT_WELCOME_S = 1.5
"""A Welcome that may have been lost is said again, once in this time; honest offers come every two."""
MAX_WELCOMES = 256
OFFERED_JUST_BEFORE_S = 2
"""Clocks differ a little."""
VANISHED = bytes([RemoveReason.VANISHED])
LEVELS = "DESIGN §4 Levels"
MAX_SEEN = 8192


@dataclass(slots=True)
class _Pending:
    """A commit of ours that the log does not have yet."""

    commit: PendingCommit = field(repr=False)
    message: bytes = field(repr=False)
    expected: int
    published: float
    token: int
    is_repeated: bool = False
    is_refused: bool = False
    """A copy was refused; the one before it may be what stands there."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What `Committing` tells the session. Each field is called with what has happened."""

    entered: Callable[[StagedCommit, dict[int, LeafNode], float], None]
    """A commit was entered, at this time; the leaves are those before it."""
    removed: Callable[[bool], None]
    """A commit removes this device; True for a kick."""
    ahead: Callable[[float], None]
    """The log has an entry of an epoch that this device is not in yet, at this time."""
    lost: Callable[[str], None]
    """This device cannot follow the others any more; the text says why."""


class Committing:
    """Owns the agenda, what is to change in the own leaf, and at most one pending commit."""

    def __init__(
        self,
        out: Outbox,
        log: Log,
        member: Membership,
        wall: Callable[[], int],
        outcome: Outcome,
        limits: Limits,
    ) -> None:
        self._out = out
        self._log = log
        self._member = member
        self._wall = wall
        self._outcome = outcome
        self._agenda = Agenda(limits)
        self._own_leaf = OwnLeaf(out, self.publish_proposal)
        self._pending: _Pending | None = None
        self._making: object | None = None
        """The commit that is being made."""
        self._made: tuple[PendingCommit, tuple[AuthenticatedContent, ...]] | None = None
        """One that waits to be published, and the proposals that were there when it was begun."""
        self._own_proposals: dict[bytes, AuthenticatedContent] = {}
        self._welcomes: dict[bytes, bytes] = {}
        self._seen: dict[bytes, None] = {}
        self._came_in: dict[bytes, None] = {}
        self._taken_for_gone: dict[bytes, bool] = {}
        self._offers = Bucket(limits.offers_per_s)
        self._repeats: Buckets[bytes] = Buckets(1 / REPEAT_WELCOME_S, 1)
        self._rejoins: Buckets[bytes] = Buckets(1 / limits.rejoin_every_s, limits.rejoins_at_once)
        self._pause_until = 0.0
        self._in_since = 0
        """When this device came into the group, by its own wall clock."""
        self.unopened_by = ""
        """Who made a commit in this epoch that this device could not open; empty if nobody did."""
        self.is_leader = False

    def __repr__(self) -> str:
        return f"Committing({self._agenda!r}, pending={self._pending is not None})"

    @property
    def has_work(self) -> bool:
        """Whether something waits to be committed."""
        return self._agenda.since is not None or self._own_leaf.change is not None

    @property
    def is_at_work(self) -> bool:
        """Whether something waits to be committed, or a commit of ours is being made or published."""
        return self.has_work or self._making is not None or self._made is not None or self.is_publishing

    @property
    def due_at(self) -> float | None:
        """When this device commits what waits, if no other has done so and nothing holds it up."""
        group = self._member.group
        waiting = [since for since in (self._agenda.since, self._own_leaf.since) if since is not None]
        if group is None or not waiting:
            return None
        rank = self._rank(group)
        patience = SIGNATURE_S + TAKEOVER_S * rank if rank else 0.0
        return max(min(waiting) + BATCH_S + patience, self._pause_until)

    @property
    def is_publishing(self) -> bool:
        """Whether a commit of ours waits for the log."""
        return self._pending is not None

    @property
    def why_lost(self) -> str:
        """Which commit this device could not open, in words, if the others have gone on without it."""
        return f"{self.unopened_by} made a commit that this room could not open" if self.unopened_by else ""

    # -- entries of the log ---------------------------------------------------------------------

    def is_own(self, data: bytes) -> bool:
        """Whether an entry is the commit that we published. Where it was to stand may be another."""
        pending = self._pending
        if pending is None or data == pending.message:
            return pending is not None
        if pending.is_refused and self._log.next_sequence > pending.expected:
            self.discard_pending()
        return False

    def enter_own(self, now: float) -> None:
        """The log has our commit. It is judged like anybody else's, wherever the service put it."""
        pending, self._pending = self._pending, None
        if pending is None:
            return
        commit, context = pending.commit, self._member.context
        before, proposals = self._member.leaves(), self._agenda.proposals
        try:
            after = check_commit(context, before, leaves_of(commit.staged), commit.staged, proposals)
        except MeetingError as error:
            commit.discard()
            self._out.bad_input(error)
            return
        welcome = commit.welcome
        references = self._enter(commit, after, before, pending.message, now)
        if welcome is not None:
            sealed = self._out.seal(lobby.WelcomeMessage(self._log.next_sequence, welcome))
            self._out.add(SendLobby(sealed))
            for reference in references:
                _keep(self._welcomes, reference, sealed, MAX_WELCOMES)

    def on_entry(self, data: bytes, now: float) -> None:
        """Somebody else's entry, or an echo of our own proposal."""
        group = self._member.group
        if group is None:
            return
        content = self._own_proposals.pop(data, None)
        try:
            content = content or group.unprotect(data)
        except OwnMessage as error:
            if error.content_type is ContentType.COMMIT:
                # We gave it up because the service said that it was refused. Others may follow it.
                self._outcome.lost("the conference service misplaced a commit of this room")
            return
        except WrongEpoch as error:
            self._on_wrong_epoch(group, data, error.epoch, now)
            return
        except MlsError as error:
            self._out.bad_input(error)
            return
        if isinstance(content.body, Commit):
            self._stage(group, content, content.body, data)
        elif isinstance(content.body, bytes):
            self._out.bad_input(RemoteError("an application message in the log", rule="DESIGN §4 Meeting"))
        elif isinstance(content.body, Add):
            # Who wants to come in offers itself in the lobby. One Add that was proposed could be referred to
            # by any number of bad commits, and has two signatures to verify each time.
            self._out.bad_input(RemoteError("an Add that was proposed", rule="DESIGN §4 Admission"))
        else:
            self._agenda.propose(content, now)

    def _on_wrong_epoch(self, group: Group, data: bytes, epoch: int, now: float) -> None:
        """A late or second commit is recognised with the keys of its own epoch, while they live."""
        if epoch > group.epoch:
            self._outcome.ahead(now)
            return
        past = self._member.past(epoch)
        if past is None or hashlib.sha256(data).digest() in self._seen:
            return
        try:
            content = past.unprotect(data)
        except MlsError:
            return
        if isinstance(content.body, Commit):
            self._member.saw_second_commit(past, content.sender, now)

    def _stage(self, group: Group, content: AuthenticatedContent, body: Commit, data: bytes) -> None:
        added = tuple(item.key_package.leaf_node for item in body.proposals if isinstance(item, Add))
        context, before = self._member.context, self._member.leaves()
        proposals = self._agenda.proposals

        def run() -> tuple[StagedCommit, MeetingContext]:
            # Whom nobody admitted costs one signature here, and not two for each that comes along.
            check_admitted(context, added)
            # Without a time: what a commit adds was looked at when it was offered, and a group rule
            # that depends on each member's clock would split the group (RFC 9420 §7.3).
            staged = group.stage(content, proposals, now=None)
            try:
                return staged, check_commit(context, before, leaves_of(staged), staged, proposals)
            except MeetingError:
                staged.discard()
                raise

        def done(result: tuple[StagedCommit, MeetingContext], now: float) -> None:
            staged, after = result
            if self._member.group is not group:
                staged.discard()
            elif staged.removes_us:
                is_kick = any(
                    isinstance(item.proposal, Remove)
                    and item.proposal.removed == group.own_leaf_index
                    and item.authenticated_data == bytes([RemoveReason.KICK])
                    for item in staged.proposals
                )
                staged.discard()
                self._outcome.removed(is_kick)
            else:
                self._enter(staged, after, before, data, now)

        def failed(error: Exception, now: float) -> None:
            self._out.bad_input(error)
            if isinstance(error, MlsError) and not self.unopened_by:
                # It may be bad for us alone: if the others go on without us, this is why. What we would
                # commit meanwhile is a second commit for them; one bad commit holds up nobody for long.
                self.unopened_by = self._member.name_of(content.sender)
                self._pause_until = now + UNOPENED_PAUSE_S

        self._out.exclusive_job(run, done, failed)

    def _enter(
        self,
        commit: StagedCommit | PendingCommit,
        after: MeetingContext,
        before: dict[int, LeafNode],
        data: bytes,
        now: float,
    ) -> tuple[bytes, ...]:
        """Take the next epoch. Returns the KeyPackageRefs of those who came in."""
        staged = commit.staged if isinstance(commit, PendingCommit) else commit
        joined = [i.proposal.key_package for i in staged.proposals if isinstance(i.proposal, Add)]
        references = tuple(key_package.reference(SUITE) for key_package in joined)
        added_keys = frozenset(key_package.leaf_node.signature_key for key_package in joined)
        # One who is taken for gone and is not may go on in another group, under this code.
        is_code_epoch = (
            bool(staged.added)
            or any(
                isinstance(item.proposal, Remove) and item.authenticated_data == VANISHED
                for item in staged.proposals
            )
            or any(
                old.credential != new.credential or old.signature_key != new.signature_key
                for _, old, new in staged.updated
            )
        )
        for digest in (hashlib.sha256(data).digest(), *references):
            _keep(self._seen, digest, None, MAX_SEEN)
        keys_before = {leaf.signature_key for leaf in before.values()}
        for key in added_keys:
            is_own_doing = self._taken_for_gone.pop(key, False) is False
            if key in keys_before or (key in self._came_in and is_own_doing):
                self._rejoins.take(key, now)
            _keep(self._came_in, key, None, MAX_SEEN)
        for item in staged.proposals:
            if isinstance(item.proposal, Remove) and item.authenticated_data == VANISHED:
                key = before[item.proposal.removed].signature_key
                if key not in added_keys:
                    # Others say that it has gone. It may come back as often as they say so.
                    _keep(self._taken_for_gone, key, True, MAX_SEEN)
        removed = frozenset(index for index, _ in staged.removed)
        group = commit.merge()
        self._member.enter(
            group,
            after,
            now,
            added_keys=added_keys,
            proposals=staged.proposals,
            removed=removed,
            updated=staged.updated,
            is_code_epoch=is_code_epoch,
        )
        self.discard_pending()
        self._own_proposals.clear()
        self.unopened_by = ""
        updated_keys = frozenset(
            before[item.sender].signature_key
            for item in staged.proposals
            if isinstance(item.proposal, Update) and item.sender in before
        )
        self._agenda.next_epoch(added_keys, now, updated_keys=updated_keys)
        self._outcome.entered(staged, before, now)
        return references

    # -- our own commits ------------------------------------------------------------------------

    def on_offer(self, offer: lobby.Offer, now: float) -> None:
        """Put an admitted one up for the next commit. Raises errors of MLS and of the meeting.

        An offer that was taken before is answered by its Welcome, which may have been lost, and
        never taken twice: the service could replay it to throw its owner out.
        """
        key_package = KeyPackage.decode(offer.key_package)
        reference = key_package.reference(SUITE)
        if reference in self._welcomes:
            # It is as long as the group is large, and the service may repeat an offer without end.
            if self._repeats.take(reference, now):
                self._out.add(SendLobby(self._welcomes[reference]))
        elif reference not in self._seen and not self._agenda.has(key_package) and self._offers.take(now):
            check_tree(self._member.context, (key_package.leaf_node,))
            if self._rejoins.is_empty(key_package.leaf_node.signature_key, now):
                raise RemoteError("a member comes back too often", rule="DESIGN §4 Rejoin")
            check_offer(key_package, SUITE, self._wall())
            self._check_not_repeated(key_package)
            if not self._member.may_be_here(key_package.leaf_node):
                # With another certificate than it was let in with. Whoever cares would have to leave.
                raise RemoteError("an unverified one offers to join a locked meeting", rule=LEVELS)
            self._agenda.offer(key_package, now)

    def _check_not_repeated(self, key_package: KeyPackage) -> None:
        """Refuse an offer of one who is in that was made before this device came: it cannot know it.

        Who was here knows which offers were taken. A device whose clock is behind comes back by them, or
        by another offer of its own. Raises RemoteError.
        """
        keys = line_of(key_package.leaf_node)
        is_in = any(not keys.isdisjoint(line_of(leaf)) for leaf in self._member.leaves().values())
        if is_in and made_at(key_package) + OFFERED_JUST_BEFORE_S < self._in_since:
            raise RemoteError(
                "an offer from before this room came, by one who is in", rule="DESIGN §4 Rejoin"
            )

    def came_in(self) -> None:
        """This device is in a group that it was not in before."""
        self._in_since = self._wall()

    def publish_proposal(self, group: Group, content: AuthenticatedContent) -> None:
        """Put a signed proposal of ours into the log.

        It is remembered: its echo cannot be opened (RFC 9420 §9.2), and whether a commit keeps to the
        rules depends on all that was proposed.
        """
        data = group.protect(content)
        self._own_proposals[data] = content
        self._out.publish(data)

    def change_leaf(self, change: LeafChange) -> None:
        """Change the own leaf: its key, its certificate, its extensions. Wanted until the tree shows it.

        Of an earlier change that is still wanted, what this one leaves open stays. The new leaf has to
        keep to the group rules; one that this device cannot commit itself is given up after three tries.
        From the commit that carries it in, the group signs with the new key.
        """
        self._own_leaf.want(change)

    @property
    def wanted_leaf(self) -> LeafChange | None:
        """What is to change in the own leaf and has not yet."""
        return self._own_leaf.change

    def commit_if_due(self, now: float) -> None:
        """Publish the commit that is ready; or start making one if it is our turn and something waits."""
        group = self._member.group
        if group is None or self._out.is_busy:
            return
        self._publish_made(now)
        if self._pending is not None or self._making is not None or self._made is not None:
            return
        self._own_leaf.look(group.leaf(group.own_leaf_index), now)
        due_at = self.due_at
        is_log_in_order = self._log.is_drained and not self._log.is_in_doubt
        if due_at is None or not is_log_in_order or now < self._pause_until:
            return
        if self._rank(group) and not self._member.is_alone:
            self._own_leaf.propose(group, lambda: self._member.group)
        if now < due_at:
            return
        plan = self._agenda.plan(self._member.leaves(), self._member.context, group.own_leaf_index)
        if plan or (self._own_leaf.change is not None and not plan.is_barred):
            self._make(group, plan, self._own_leaf.change)

    def publish(self, commit: PendingCommit, now: float) -> None:
        """Protect a commit and send it for the log's next position."""
        if self._member.group is None:
            commit.discard()
            return
        message = self._member.group.protect(commit.content)
        token = self._out.publish(message, self._log.next_sequence)
        self._pending = _Pending(commit, message, self._log.next_sequence, now, token)

    def publish_again_if_due(self, now: float) -> None:
        """The service may have lost it. The position makes a second copy harmless."""
        pending = self._pending
        if pending is not None and now - pending.published > PUBLISH_AGAIN_S:
            pending.published, pending.is_repeated = now, True
            pending.token = self._out.publish(pending.message, pending.expected)

    def refused(self, token: int, now: float) -> None:
        """The service says that a publishing was refused: what else the log has comes first.

        Of a second copy that says little: the first may stand in its place, and be on its way. Of a third
        one it says that the log has no such place any more.
        """
        pending = self._pending
        if pending is None or pending.token != token:
            return
        is_in_doubt = pending.is_repeated and not pending.is_refused
        if is_in_doubt and self._log.next_sequence <= pending.expected:
            pending.is_refused = True
        else:
            self.discard_pending()
            self._pause_until = now + REFUSED_PAUSE_S

    def is_taken_for_gone(self, leaf: int) -> bool:
        """Whether somebody has proposed to clear a leaf away as vanished, in this epoch."""
        return self._agenda.is_taken_for_gone(leaf)

    def vanish(self, leaves: frozenset[int], now: float) -> None:
        """These have not been heard for long, by this device."""
        group = self._member.group
        is_host = group is not None and group.own_leaf_index in self._member.hosts()
        self._agenda.vanish(leaves, now, is_host=is_host)

    def discard_pending(self) -> None:
        """Drop our commit and its secrets; what it was for stays on the agenda."""
        if self._pending is not None:
            self._pending.commit.discard()
            self._pending = None
        if self._made is not None:
            self._made[0].discard()
            self._made = None

    def close(self) -> None:
        """Drop everything."""
        self.discard_pending()
        self._making = None
        self._agenda.clear()
        self._own_proposals.clear()
        self._welcomes.clear()
        self._came_in.clear()
        self._taken_for_gone.clear()
        self._rejoins.clear()
        self.unopened_by = ""

    def _publish_made(self, now: float) -> None:
        """Publish the commit that is ready, unless an entry is being judged or others may be ahead of us."""
        if self._made is None or self._out.is_busy or now < self._pause_until:
            return
        (commit, proposals), self._made = self._made, None
        if self._agenda.proposals != proposals:
            commit.discard()
        else:
            self.publish(commit, now)

    def _rank(self, group: Group) -> int:
        """0 for the leader; the others take over one after the other, in leaf order.

        Which of the others the service has named is not known: the first two take over together, and
        the log picks one.
        """
        if self.is_leader:
            return 0
        leaving = {c.body.removed for c in self._agenda.proposals if isinstance(c.body, Remove)}
        staying = (m.leaf_index for m in group.members if m.leaf_index not in leaving)
        return max(1, sum(1 for index in staying if index < group.own_leaf_index))

    def _make(self, group: Group, plan: Plan, change: LeafChange | None) -> None:
        context, before = self._member.context, self._member.leaves()
        proposals = self._agenda.proposals
        making = self._making = object()

        def is_over() -> bool:
            """Whether this was made for nothing."""
            is_ours = self._making is making
            self._making = None if is_ours else self._making
            return not is_ours or self._member.group is not group

        def run() -> PendingCommit:
            commit = group.commit(
                by_reference=plan.by_reference,
                by_value=plan.by_value,
                authenticated_data=plan.authenticated_data,
                leaf=change,
                now=None,
            )
            try:
                check_commit(context, before, leaves_of(commit.staged), commit.staged, proposals)
            except MeetingError:
                commit.discard()
                raise
            return commit

        def done(commit: PendingCommit, now: float) -> None:
            if is_over() or self._pending is not None:
                commit.discard()
            else:
                self._made = commit, proposals
                self._publish_made(now)

        def failed(error: Exception, _now: float) -> None:
            if is_over() and isinstance(error, MlsError):
                return  # Its epoch's secrets have gone while it was made.
            self._out.bad_input(error)
            if self._member.group is not group:
                return
            if change is None:
                self._agenda.failed(plan, before)
            elif not self._own_leaf.failed() and plan:
                # It may be what others want that spoils it: without the change this shows.
                self._make(group, plan, None)

        self._out.job(run, done, failed, Lane.COMMIT)


def _keep(memory: dict[bytes, V], key: bytes, value: V, limit: int) -> None:
    """Remember the newest `limit` keys."""
    while len(memory) >= limit:
        del memory[next(iter(memory))]
    memory[key] = value
