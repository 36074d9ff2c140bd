"""A host makes another member a host: the hand-over.

The host signs an admission of the member's key with the host's role, and says it in the lobby, where the
service cannot read it. The appointed one puts it into its own leaf, as a change that the group rules judge
like any other. The lobby keeps nothing, so the appointment is repeated until the tree shows the new host.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from conclaved.identity import Assurance
from conclaved.meeting import lobby
from conclaved.meeting.admission import ADMISSION_EXTENSION, Role
from conclaved.meeting.committing import Committing
from conclaved.meeting.errors import LocalError
from conclaved.meeting.events import SendLobby
from conclaved.meeting.limits import Bucket, Limits
from conclaved.meeting.membership import Membership
from conclaved.meeting.outbox import Outbox
from conclaved.meeting.own_side import OwnSide
from conclaved.meeting.roster import Participant
from conclaved.meeting.rules import check_replacement, is_host, line_of
from conclaved.mls import Extension, LeafChange

REPEAT_S = 2.0
MOST_TRIES = 10


@dataclass(slots=True)
class _Appointment:
    name: str
    message: bytes | None = field(default=None, repr=False)
    """Sealed, once it is signed."""
    tries: int = 0
    next_at: float = 0.0


class Appointing:
    """Both ends of a hand-over."""

    def __init__(
        self,
        out: Outbox,
        own: OwnSide,
        member: Membership,
        commits: Committing,
        broke: Callable[[Exception, float], None],
        limits: Limits,
    ) -> None:
        """`broke` is told when this device cannot sign."""
        self._out = out
        self._own = own
        self._member = member
        self._commits = commits
        self._broke = broke
        self._examined = Bucket(limits.answers_per_s)
        self._under_way: dict[bytes, _Appointment] = {}

    def __repr__(self) -> str:
        return f"Appointing({len(self._under_way)} under way)"

    # -- as the host ----------------------------------------------------------------------------

    def appoint(self, leaf: int) -> None:
        """Make a member a host. Raises LocalError when it cannot be one."""
        chosen = next((p for p in self._member.participants() if p.leaf == leaf and not p.is_self), None)
        if chosen is None:
            raise LocalError("there is no such other member", hint="see: conclavectl meeting roster")
        obstacle = self._obstacle(chosen)
        if obstacle is not None:
            raise LocalError(f"{chosen.name} cannot be made a host: {obstacle}", hint="choose another member")
        if chosen.signature_key not in self._under_way:
            self._sign(chosen)

    def appoint_anybody(self) -> bool:
        """Appoint the first member that is verified and no guest. False where there is none."""
        for participant in self._member.participants():
            is_fit = participant.assurance is Assurance.VERIFIED and participant.role is Role.MEMBER
            if is_fit and not participant.is_self and self._obstacle(participant) is None:
                self._sign(participant)
                return True
        return False

    def repeat_if_due(self, now: float) -> None:
        """Say again what has not come about."""
        if not self._under_way:
            return
        leaves = {key: leaf for leaf in self._member.leaves().values() for key in line_of(leaf)}
        for key, appointment in list(self._under_way.items()):
            leaf = leaves.get(key)
            if leaf is None or is_host(leaf):
                del self._under_way[key]
            elif leaf.signature_key != key:
                del self._under_way[key]
                self._appoint_successor(leaf.signature_key)
            elif appointment.message is not None and now >= appointment.next_at:
                if appointment.tries >= MOST_TRIES:
                    del self._under_way[key]
                    self._out.tell(f"{appointment.name} has not become a host: its device does not answer")
                    continue
                appointment.tries += 1
                appointment.next_at = now + REPEAT_S
                self._out.add(SendLobby(appointment.message))

    def close(self) -> None:
        """The group is given up, and what was under way with it."""
        self._under_way.clear()

    def _appoint_successor(self, key: bytes) -> None:
        """Who was to become a host has changed its key meanwhile: the new one is meant."""
        chosen = next((p for p in self._member.participants() if p.signature_key == key), None)
        if chosen is not None and self._obstacle(chosen) is None:
            self._sign(chosen)

    def _obstacle(self, chosen: Participant) -> str | None:
        if chosen.role is Role.HOST:
            return "it is one already"
        if chosen.role is Role.SERVICE_END:
            return "it is a service end"
        if chosen.assurance is Assurance.UNKNOWN:
            return f"it is not verified: {chosen.reason}"
        if not self._own.may_appoint(chosen.signature_key):
            return "it could admit nobody, since too many hosts stand between it and the invitation"
        return None

    def _sign(self, chosen: Participant) -> None:
        appointment = self._under_way[chosen.signature_key] = _Appointment(chosen.name)
        group = self._member.group
        if group is None:
            return
        signer, group_id = self._own.identity.signer, group.group_id
        admit = self._own.admit_job(
            chosen.signature_key, Role.HOST, self._member.context.serial_for(chosen.signature_key)
        )

        def sign() -> lobby.Appointment:
            return lobby.appoint(signer, admit(), group_id)

        def signed(message: lobby.Appointment, _now: float) -> None:
            appointment.message = self._out.seal(message)

        self._out.job(sign, signed, self._broke)

    # -- as the one who is appointed --------------------------------------------------------------

    def on_appointment(self, message: lobby.Appointment, now: float) -> None:
        """Take a host's role that is meant for us. Raises errors of the meeting."""
        group, admission = self._member.group, message.admission
        own = None if group is None else group.leaf(group.own_leaf_index)
        if group is None or own is None or admission.signature_key != own.signature_key:
            return
        if is_host(own) or admission.role is not Role.HOST or not self._examined.take(now):
            return
        extensions = (Extension(ADMISSION_EXTENSION, admission.encode()),)
        leaves = self._member.leaves().values()
        hosts = {leaf.signature_key for leaf in leaves if is_host(leaf)}
        lobby.check_appointment(message, group.group_id, hosts)
        check_replacement(self._member.context, own, replace(own, extensions=extensions), leaves)
        wanted = self._commits.wanted_leaf
        if wanted is None or wanted.extensions is None:
            self._commits.change_leaf(LeafChange(extensions=extensions))
