"""The group that this device is in: the present epoch, the last few, and what follows from them.

`enter` is the one place where an epoch becomes the present one: media keys, roster and security
code change there together (DESIGN §3).
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

from conclaved.identity import Assurance, check_successor
from conclaved.meeting.admission import Admission, Role, origin
from conclaved.meeting.alarms import Alarms
from conclaved.meeting.alive import Watch, beacons
from conclaved.meeting.audit import Event
from conclaved.meeting.capabilities import may_send
from conclaved.meeting.departures import Departure, departures
from conclaved.meeting.errors import GroupRuleError, LocalError
from conclaved.meeting.events import NewEpoch
from conclaved.meeting.invitation import Level, SignedInvitation
from conclaved.meeting.media_state import NOTHING_KNOWN, MediaState, ToldStates
from conclaved.meeting.meeting_context import MeetingContext
from conclaved.meeting.outbox import Outbox
from conclaved.meeting.recorder import Recorder
from conclaved.meeting.roster import Assess, Participant, chain_of, missing, roster, shown_name
from conclaved.meeting.rules import CommittedProposal, RemoveReason
from conclaved.meeting.security_code import CodeEpoch, security_code
from conclaved.meeting.tree_rules import admission_of, is_host, is_let_in_anew, line_of, name_on
from conclaved.mls import Group, LeafNode, StagedCommit
from conclaved.sframe import EXPORTER_LABEL, EpochKeys
from conclaved.sframe import CipherSuite as SframeSuite

SFRAME_SUITE = SframeSuite.AES_128_GCM_SHA256_128
GRACE_S = 10.0
"""How long an epoch's handshake keys are kept, to recognise a second commit for it."""


MAX_NAMES = 16_384


class Membership:
    """Owns the groups, and closes each exactly once."""

    def __init__(
        self, out: Outbox, watch: Watch, recorder: Recorder, assess: Assess, wall: Callable[[], int]
    ) -> None:
        """`wall` gives seconds since 1970."""
        self._out = out
        self._recorder = recorder
        self._watch = watch
        watch.name_of = self.name_of
        self._assess = assess
        self._wall = wall
        self.alarms = Alarms(out, recorder)
        self._past: list[tuple[float, Group]] = []
        self._heard: frozenset[int] = frozenset()
        self._distrusted: dict[bytes, str] = {}
        self._names: dict[bytes, tuple[str, Admission]] = {}
        """By key: the name under which it was let in, and by which statement."""
        """Under which name each key was first seen in a group of this meeting."""
        self._context: MeetingContext | None = None
        self._leaves: dict[int, LeafNode] = {}
        self._hosts: frozenset[int] = frozenset()
        self._roster: tuple[Participant, ...] = ()
        self._roster_of: object = None
        self.group: Group | None = None
        self.told = ToldStates(out.changed)
        self.own_media: MediaState | None = None
        """What this device says of its own camera and microphone; None while nobody has asked it to."""
        self.code = CodeEpoch()
        self.departed: tuple[Departure, ...] = ()
        """Whom the commit removed that led to the present epoch."""

    def __repr__(self) -> str:
        return f"Membership({self.group!r}, {len(self._past)} past)"

    @property
    def context(self) -> MeetingContext:
        """The meeting as the group agrees on it. Raises GroupRuleError without a group."""
        if self._context is None:
            raise GroupRuleError("there is no group")
        return self._context

    @property
    def is_alone(self) -> bool:
        """Whether nobody else is in the group."""
        return self.group is None or len(self.group.members) < 2

    def leaves(self) -> dict[int, LeafNode]:
        """The members' leaves by index."""
        return self._leaves

    def hosts(self) -> frozenset[int]:
        """The leaves with the host role."""
        return self._hosts

    def is_last_host(self) -> bool:
        """Whether this device is the only host."""
        return self.group is not None and self.hosts() == {self.group.own_leaf_index}

    def sends_beacons(self) -> bool:
        """Whether this device is one of those that say every two seconds that they are alive."""
        own = None if self.group is None else self.group.own_leaf_index
        return own in beacons(self.hosts(), frozenset(self.leaves()))

    def participants(self) -> tuple[Participant, ...]:
        """The roster."""
        if self.group is None or self._context is None:
            return ()
        # Built anew only when something in it is new: it is looked at often, and verdicts follow the time.
        verdicts = [
            self._assess(chain_of(leaf.credential), leaf.signature_key) for leaf in self._leaves.values()
        ]
        state = (
            verdicts,
            self._leaves,
            self._context,
            self._heard,
            self.code.compared,
            dict(self._distrusted),
            self.told.states,
            self.own_media,
        )
        if state != self._roster_of:
            self._roster_of = state
            verdict_of = iter(verdicts)
            self._roster = roster(
                self._leaves.items(),
                self._context,
                lambda chain, key: next(verdict_of),
                own_leaf=self.group.own_leaf_index,
                heard=self._heard,
                compared=self.code.compared,
                distrusted=self._distrusted,
                media={**self.told.states, self.group.own_leaf_index: self.own_media or NOTHING_KNOWN},
            )
        return self._roster

    def missing(self, invitation: SignedInvitation, participants: Sequence[Participant]) -> tuple[str, ...]:
        """Whom the invitation names and who is not among the participants."""
        signer_name = self._assess(invitation.chain, invitation.signer_key).name
        return missing(invitation.content, participants, signer_name)

    def may_be_here(self, leaf: LeafNode) -> bool:
        """Whether the meeting's level lets one with this certificate come in, or it is in already.

        As far as this device can tell. Who was here before comes back under the name that it had: it was
        under that name that a host let it in; or by another word of a host, who has seen the new one.
        """
        if any(leaf.signature_key == each.signature_key for each in self._leaves.values()):
            return True
        known = self._names.get(leaf.signature_key)
        if known is not None and known[0] != name_on(leaf) and not is_let_in_anew(leaf, known[1]):
            return False
        if self.context.invitation.content.level is not Level.LOCKED:
            return True
        verdict = self._assess(chain_of(leaf.credential), leaf.signature_key)
        return verdict.assurance is Assurance.VERIFIED

    def name_of(self, leaf: int) -> str:
        """The shown name of a member, for a sentence."""
        return next((p.in_words for p in self.participants() if p.leaf == leaf), "a member")

    def saw_second_commit(self, past: Group, sender: int, now: float) -> None:
        """A verified commit of `sender`, a leaf of the retired group, came when that epoch was over."""
        leaf = past.leaf(sender)
        if leaf is not None:
            key = leaf.signature_key
            now_at = next((i for i, each in self._leaves.items() if key in line_of(each)), None)
            then = roster([(sender, leaf)], self.context, self._assess, own_leaf=-1)[0]
            name = then.in_words if now_at is None else self.name_of(now_at)
            self.alarms.second_commit(past.epoch, key, name, now, is_gone=now_at is None)

    def own_name(self) -> str:
        """The name that this device is shown by."""
        return next((p.name for p in self.participants() if p.is_self), "this room")

    def own_admission(self) -> Admission:
        """What the own leaf says of this device. Raises GroupRuleError without a group."""
        leaf = None if self.group is None else self.group.leaf(self.group.own_leaf_index)
        if leaf is None:
            raise GroupRuleError("there is no group")
        return admission_of(leaf)

    def found(self, group: Group, context: MeetingContext) -> None:
        """A group of our own that the log does not know yet: nobody is in it, nothing is sent."""
        self._take(group, context)

    def enter(
        self,
        group: Group,
        context: MeetingContext,
        now: float,
        *,
        added_keys: frozenset[bytes],
        proposals: Sequence[CommittedProposal] = (),
        removed: frozenset[int] = frozenset(),
        updated: Sequence[tuple[int, LeafNode, LeafNode]] = (),
        is_code_epoch: bool,
        code_reason: str = "",
    ) -> None:
        """Take `group` as the present epoch; the one before is kept, retired, for the grace.

        `proposals` are those of the commit that leads to it; none where a Welcome does.
        `updated` are the leaves that changed (index, old, new): a certificate that is no successor of
        the one before is not believed (RFC 9420 §5.3.1), though its leaf stays in the group.
        """
        is_new_here = self.group is None
        if self.group is not None:
            self._past.append((now + GRACE_S, self.group))
        before, context_before = self._leaves, self._context or context
        self._take(group, context)
        self._heard = frozenset()
        leaves = self._leaves
        changes = [(index, words) for index, words in map(self._follow, updated) if words]
        # A rejoin makes nobody more credible: what was held against a member is while its key is here.
        keys_in = {leaf.signature_key for leaf in leaves.values()}
        self._distrusted = {key: why for key, why in self._distrusted.items() if key in keys_in}
        for leaf in leaves.values():
            if leaf.signature_key not in self._names and len(self._names) < MAX_NAMES:
                self._names[leaf.signature_key] = name_on(leaf), origin(admission_of(leaf))
        senders = beacons(self.hosts(), frozenset(leaves)) - {group.own_leaf_index}
        self._watch.expect(senders, now, fresh=senders if is_new_here else removed)
        self._watch.advanced()
        came_in = {index for index, leaf in leaves.items() if leaf.signature_key in added_keys} | removed
        self.told.entered(frozenset(leaves), frozenset(came_in & leaves.keys()), is_first=is_new_here)
        again = self._again_and_again(updated, now)
        came = [leaf for leaf in leaves.values() if leaf.signature_key in added_keys]
        self.departed = departures(proposals, before, came, context, self._assess)
        if is_code_epoch:
            vanished = (
                gone.words
                for gone in self.departed
                if gone.reason is RemoveReason.VANISHED and not gone.is_back
            )
            words = (*self._who_joined(added_keys), *vanished, *(words for _, words in changes))
            code = security_code(group.epoch_authenticator)
            self.code = CodeEpoch(code, group.epoch, self._wall(), code_reason or ", ".join(words))
            self.alarms.new_code()
        for gone in self.departed:
            self._out.tell(gone.words)
            if gone.reason is RemoveReason.KICK:
                self.alarms.thrown_out(gone.line)
        new_hosts = [index for index, old, new in updated if is_host(new) and not is_host(old)]
        for index in new_hosts:
            self._out.tell(f"{self.name_of(index)} is a host now")
        self._write_down(context_before, added_keys, changes, again, new_hosts, is_code_epoch=is_code_epoch)
        senders_of_media = {index for index, leaf in leaves.items() if may_send(admission_of(leaf).role)}
        base_key = bytearray(group.export(EXPORTER_LABEL, b"", SFRAME_SUITE.parameters.nk))
        keys = EpochKeys(
            epoch=group.epoch,
            base_key=base_key,
            leaf_count=group.leaf_count,
            own_leaf=group.own_leaf_index,
            members=frozenset(senders_of_media | {group.own_leaf_index}),
            removed=removed,
        )
        self._out.add(NewEpoch(keys))
        self._out.changed()

    def hear(self, leaf: int) -> None:
        """Authenticated traffic of a member was seen in this epoch."""
        if leaf not in self._heard:
            self._heard |= {leaf}
            self._out.changed()

    def compare(self, leaf: int, is_compared: bool) -> None:
        """Note whether people have compared the code with those at `leaf`. Raises LocalError."""
        if self.group is None or leaf not in self._leaves or leaf == self.group.own_leaf_index:
            raise LocalError("there is no such other member", hint="see: conclavectl meeting roster")
        compared = self.code.compared | {leaf} if is_compared else self.code.compared - {leaf}
        self.code = replace(self.code, compared=compared)
        self._out.changed()

    def past(self, epoch: int) -> Group | None:
        """The retired group of an epoch, while the grace lasts."""
        return next((group for _, group in self._past if group.epoch == epoch), None)

    def expire(self, now: float) -> None:
        """Erase what the grace has kept long enough; end the alarms whose time is over."""
        self.alarms.expire(now)
        self.told.expire(now, len(self._leaves))
        if not self._past or now < self._past[0][0]:
            return
        for until, group in self._past:
            if now >= until:
                group.close()
        self._past = [(until, group) for until, group in self._past if now < until]

    def close(self) -> None:
        """Erase everything."""
        for _, group in self._past:
            group.close()
        self._past.clear()
        if self.group is not None:
            self.group.close()
        self.group = self._context = None
        self._leaves, self._hosts = {}, frozenset()
        self._heard = frozenset()
        self._distrusted.clear()
        self.told.close()
        self.code = CodeEpoch()

    def _take(self, group: Group, context: MeetingContext) -> None:
        self.group, self._context = group, context
        self._leaves = leaves_of(group)
        self._hosts = frozenset(index for index, leaf in self._leaves.items() if is_host(leaf))

    def _write_down(
        self,
        context_before: MeetingContext,
        added_keys: frozenset[bytes],
        changes: Sequence[tuple[int, str]],
        again: frozenset[int],
        new_hosts: Sequence[int],
        *,
        is_code_epoch: bool,
    ) -> None:
        """The epoch into the record."""
        group, context = self.group, self._context
        if group is None or context is None:
            return
        epoch, participants = group.epoch, {p.leaf: p for p in self.participants()}
        for gone in self.departed:
            self._recorder.gone(gone, epoch)
        back = frozenset[bytes]().union(*(gone.line for gone in self.departed if gone.is_back))
        came = {
            participant.signature_key: not back.isdisjoint(line_of(self._leaves[index]))
            for index, participant in participants.items()
            if participant.signature_key in added_keys
        }
        self._recorder.entered(epoch, participants.values(), came)
        for index, words in changes:
            who = participants[index]
            event = Event.DOUBTED if who.signature_key in self._distrusted else Event.RENEWED
            if index in again:
                self._recorder.note_again(who, self._first_key(index), event, words, epoch=epoch)
            else:
                self._recorder.note_of(who, event, words, epoch=epoch)
        for index in new_hosts:
            self._recorder.note_of(participants[index], Event.HOST, epoch=epoch)
        self._recorder.terms(context_before, context, epoch)
        if is_code_epoch:
            has_other_reasons = (
                bool(added_keys)
                or any(gone.reason is RemoveReason.VANISHED for gone in self.departed)
                or any(index not in again for index, _ in changes)
            )
            self._recorder.code(group, self.code.reason, is_again=bool(again) and not has_other_reasons)

    def _first_key(self, leaf: int) -> bytes:
        """The first key of the line at a leaf: it stays when a succession puts another in its place."""
        return origin(admission_of(self._leaves[leaf])).signature_key

    def _again_and_again(
        self, updated: Sequence[tuple[int, LeafNode, LeafNode]], now: float
    ) -> frozenset[int]:
        """Who changes the code by its own leaf more often than an honest one does."""
        again = set[int]()
        for index, old, new in updated:
            if (old.credential, old.signature_key) == (new.credential, new.signature_key):
                continue
            who, first = next(p for p in self.participants() if p.leaf == index), self._first_key(index)
            # By the name that it came in under: it may change that, too.
            came_as, _ = self._names.get(first, ("", None))
            name = replace(who, name=came_as or who.name)
            epoch = 0 if self.group is None else self.group.epoch
            if self.alarms.changed_code(first, new.signature_key, name.in_words, epoch, now):
                again.add(index)
        return frozenset(again)

    def _follow(self, change: tuple[int, LeafNode, LeafNode]) -> tuple[int, str]:
        """What a leaf's change means for its name, in words; empty if its certificate is the same."""
        index, old, new = change
        is_new_key = old.signature_key != new.signature_key
        if is_new_key and old.signature_key in self._distrusted:
            # A member whose name nobody believes cannot shake that off by another key.
            self._distrusted[new.signature_key] = self._distrusted[old.signature_key]
        if old.credential == new.credential:
            return index, ""
        before = self._assess(chain_of(old.credential), old.signature_key)
        after = self._assess(chain_of(new.credential), new.signature_key)
        objection = check_successor(before, after)
        if objection is None:
            return index, f"{shown_name(after)} renewed its certificate{' and key' if is_new_key else ''}"
        self._distrusted[new.signature_key] = objection
        return index, f"{shown_name(before)} changed its certificate: {objection}"

    def _who_joined(self, added_keys: frozenset[bytes]) -> tuple[str, ...]:
        joined = [p for p in self.participants() if p.signature_key in added_keys]
        names = [p.name if p.role is Role.MEMBER else f"{p.name} ({p.role.word})" for p in joined]
        return (f"{', '.join(names)} joined",) if names else ()


def leaves_of(state: Group | StagedCommit) -> dict[int, LeafNode]:
    """The leaves of a group, or of the one that a commit leads to, by index."""
    return {member.leaf_index: member.leaf_node for member in state.members}
