"""What members of one group agree on, and who may be in it."""

from typing import TYPE_CHECKING

from conclaved.meeting import MeetingView, State
from conclaved.meeting.admission import ADMISSION_EXTENSION, LABEL, Admission, IssuerType, Role
from conclaved.meeting.meeting_context import MeetingContext
from conclaved.mls import Group
from conclaved.mls.codec import opaque
from tests.simulation.truth import EpochTruth

if TYPE_CHECKING:
    from tests.simulation.device import Device, Stay
    from tests.simulation.judge import Judge
    from tests.simulation.world import World

AGREE = "equal transcripts: equal roster, code and exporter"
ONE_CODE = "transcripts that differ up to the code epoch never show one code"
ADMITTED = "every leaf has an admission that chains to the invitation"
KICKED = "nobody on the kicked list is in"
ONE_COMMIT = "no two commits in one epoch"
ONE_IN_LOG = "honest members put no second commit for an epoch into an honest log"
INVITED = "the group is that of the invitation"
LOWEST = 3
MAX_STATEMENTS = 3
MAX_SUCCESSIONS = 4


class GroupInvariants:
    """See the file's head."""

    def __init__(self, world: "World", judge: "Judge") -> None:
        self.world = world
        self.judge = judge

    def on_epoch(self, device: "Device", stay: "Stay", before: "Stay | None") -> None:
        """A device has entered an epoch: is it the one that the others have?"""
        truth, judge, group = self.world.truth, self.judge, stay.group
        if before is not None:
            judge.count(ONE_COMMIT)
            if stay.keys.epoch != before.keys.epoch + 1:
                judge.broken(ONE_COMMIT, f"{device.label} went from {before.keys.epoch} to {stay.keys.epoch}")
        known = truth.epochs.get(stay.transcript)
        if known is None:
            known = self._first(device, stay, before)
            truth.epochs[stay.transcript] = truth.by_base_key[stay.base_key] = known
            truth.kicked_by_hosts |= known.kicked
            self._judge_tree(device, group)
        else:
            judge.count(AGREE)
            if _roster(group) != known.roster:
                judge.broken(AGREE, f"{device.label} has another roster in epoch {known.label}")
            if stay.base_key != known.base_key:
                judge.broken(AGREE, f"{device.label} exports another key in epoch {known.label}")
        if truth.by_base_key[stay.base_key].transcript != stay.transcript:
            judge.broken(AGREE, f"{device.label} exports the key of another history")
        device.say(f"enters epoch {known.label} with leaves {sorted(known.keys)}")

    def _first(self, device: "Device", stay: "Stay", before: "Stay | None") -> EpochTruth:
        group, truth, judge = stay.group, self.world.truth, self.judge
        roster = _roster(group)
        if stay.base_key in truth.by_base_key:
            judge.broken(AGREE, f"{device.label} exports the key of another history")
        hosts = frozenset(leaf for leaf, _, role in roster if role == Role.HOST)
        expected = hosts | frozenset(sorted(leaf for leaf, _, _ in roster)[:LOWEST])
        return EpochTruth(
            transcript=stay.transcript,
            epoch=group.epoch,
            keys={leaf: key for leaf, key, _ in roster},
            hosts=hosts,
            base_key=stay.base_key,
            parent=None if before is None else before.transcript,
            expected=expected,
            roster=roster,
            kicked=MeetingContext.of(group.extensions).kicked,
            label=truth.label(group.epoch),
        )

    def _judge_tree(self, device: "Device", group: Group) -> None:
        judge, signed = self.judge, self.world.terms.signed
        context = MeetingContext.of(group.extensions)
        judge.count(INVITED)
        if context.invitation.token != signed.token:
            judge.broken(INVITED, f"{device.label} is in a group with another invitation")
        for member in group.members:
            judge.count(ADMITTED)
            leaf = member.leaf_node
            found = [e.data for e in leaf.extensions if e.extension_type == ADMISSION_EXTENSION]
            why = "it has none" if len(found) != 1 else self._objection(found[0], leaf.signature_key, context)
            if why:
                judge.broken(ADMITTED, f"leaf {member.leaf_index} in the tree of {device.label}: {why}")
            if context.kicked:
                judge.count(KICKED)
            if leaf.signature_key in context.kicked:
                judge.broken(KICKED, f"leaf {member.leaf_index} in the tree of {device.label} is")

    def _objection(self, data: bytes, key: bytes, context: MeetingContext) -> str:
        """Why an admission does not let a key in, or nothing: said once more, apart from the product."""
        world = self.world
        signed, crypto = world.terms.signed, world.crypto
        statement = Admission.decode(data)
        statements, successions = 0, 0
        while True:
            successions += statement.issuer_type is IssuerType.SUCCESSION
            is_about_itself = statement.issuer_key == statement.signature_key
            statements += statement.issuer_type is not IssuerType.SUCCESSION and not is_about_itself
            if statements > MAX_STATEMENTS or successions > MAX_SUCCESSIONS:
                return "its chain is too long"
            if statement.signature_key != key or statement.meeting_id != signed.content.meeting_id:
                return "it is for another key or meeting"
            unsigned = opaque(LABEL) + statement.encode()[: -len(opaque(statement.signature))]
            if not crypto.is_signed(statement.issuer_key, unsigned, statement.signature):
                return "its signature is wrong"
            if statement.issuer_type is IssuerType.LINK:
                is_by_link = statement.issuer_key == signed.content.link_public_key
                if not is_by_link or not signed.content.is_open or statement.role is not Role.GUEST:
                    return "the link does not admit"
                return ""
            issuer = statement.issuer_admission
            if statement.issuer_type is IssuerType.SUCCESSION:
                if issuer is None or issuer.role is not statement.role:
                    return "it succeeds nobody of that role"
            elif statement.issuer_key == signed.signer_key:
                return ""
            elif issuer is None or issuer.role is not Role.HOST:
                return "its issuer is no host"
            statement, key = issuer, statement.issuer_key

    def on_view(self, device: "Device", view: MeetingView) -> None:
        """A device shows something: the others with its transcript show the same."""
        stay, truth, judge = device.stay, self.world.truth, self.judge
        if view.state is not State.IN_GROUP or stay is None or stay.keys.epoch != view.epoch:
            return
        if not truth.played_two_sides:
            judge.count(ONE_IN_LOG)
            for alarm in view.alarms:
                if any(f"signed by {name}:" in alarm for name in self.world.honest_names):
                    judge.broken(ONE_IN_LOG, f"{device.label} says: {alarm}")
        if not view.security_code:
            return
        at = device.history.get(view.code_epoch)
        if at is None:
            judge.broken(AGREE, f"{device.label} shows a code of an epoch that it was not in")
            return
        judge.count(AGREE)
        shown = truth.shown.setdefault(stay.transcript, (view.security_code, view.code_epoch))
        if shown != (view.security_code, view.code_epoch):
            judge.broken(AGREE, f"{device.label} shows another code in epoch {view.epoch}")
        names = tuple((p.leaf, p.signature_key, int(p.role)) for p in view.participants)
        if names != truth.epochs[stay.transcript].roster:
            judge.broken(AGREE, f"{device.label} shows another roster in epoch {view.epoch}")
        if truth.code_of.setdefault(at, view.security_code) != view.security_code:
            judge.broken(AGREE, f"{device.label} shows another code for one code epoch")
        if len(truth.codes) > 1 or view.security_code in truth.codes:
            judge.count(ONE_CODE)
        if truth.codes.setdefault(view.security_code, at) != at:
            judge.broken(ONE_CODE, f"{device.label} shows the code of another history")


def _roster(group: Group) -> tuple[tuple[int, bytes, int], ...]:
    return tuple(
        (m.leaf_index, m.leaf_node.signature_key, _role(m.leaf_node.extensions)) for m in group.members
    )


def _role(extensions: tuple[object, ...]) -> int:
    for each in extensions:
        if getattr(each, "extension_type", None) == ADMISSION_EXTENSION:
            return int(Admission.decode(getattr(each, "data", b"")).role)
    return 0
