"""How this device takes another certificate, and another key, into a meeting that runs.

Before anything stands on the old ones, the new ones take their place at once. In the group, the leaf
changes (`committing`): with the same key only its certificate does; a new key comes with a statement
that the old one signs. The device goes on under the old key until the tree shows the new one, since
nobody believes it before. Of several changes only the newest counts, and it is brought again in each
epoch until it is in.

Whether the change is in may be unknown to this device when it loses the group: the commit may have
come after the last that it saw. It knocks with one key, then with the other; the group takes whichever
has a place there.
"""

from dataclasses import dataclass, field, replace

from conclaved.identity import IdentityError, check_successor
from conclaved.meeting.admission import ADMISSION_EXTENSION, Admission, succeed
from conclaved.meeting.committing import Committing
from conclaved.meeting.errors import AdmissionError, MeetingError
from conclaved.meeting.joining import Joining
from conclaved.meeting.membership import Membership
from conclaved.meeting.outbox import Outbox
from conclaved.meeting.own_side import OwnIdentity, OwnSide
from conclaved.meeting.roster import Assess
from conclaved.meeting.tree_rules import admission_of
from conclaved.mls import Extension, LeafChange, LeafNode, X509Credential

KNOCK_S = 6.0
"""How long an offer under one key may stay unanswered until another of this device's keys is tried."""

MAX_FACES = 6


@dataclass(frozen=True, slots=True)
class _Face:
    """A key of this device with what lets it in."""

    identity: OwnIdentity
    admission: Admission = field(repr=False)


class Renewing:
    """See the file's head."""

    def __init__(
        self, out: Outbox, own: OwnSide, member: Membership, commits: Committing, assess: Assess
    ) -> None:
        self._out = out
        self._own = own
        self._member = member
        self._commits = commits
        self._assess = assess
        self._faces: list[_Face] = []
        """What this device was in by, or may come back by; what was tried last stands last."""
        self._newest: OwnIdentity | None = None
        """What the tree is to show, even if it has once: this device may come back in under an older key."""
        self._ours: LeafChange | None = None
        self._tried_in: tuple[bytes, int] | None = None
        self._seen: LeafNode | None = None
        self._is_signing = False

    def __repr__(self) -> str:
        return f"Renewing(waiting={self._newest is not None}, {len(self._faces)} ways back)"

    @property
    def admission(self) -> Admission | None:
        """What the newest key can come back with; before there is anything for it, the present one's."""
        newest = self._newest
        if newest is None or newest.key == self._own.key:
            return self._own.admission
        known = [face.admission for face in self._faces if face.identity.key == newest.key]
        return known[-1] if known else self._own.admission

    def change(self, identity: OwnIdentity) -> bool:
        """The device has another certificate, and perhaps key. True if it has taken the old one's place.

        Otherwise it has to come into the group. One that others could not believe to be the same
        device's is left for the next meeting.
        """
        own = self._own
        if (identity.key, identity.chain) == (own.identity.key, own.identity.chain):
            self._newest = None
            return False
        if own.admission is None and own.key != own.invitation.signer_key:
            own.identity = identity
            return True
        objection = check_successor(
            self._assess(own.identity.chain, own.key), self._assess(identity.chain, identity.key)
        )
        if objection is not None:
            self._out.tell(f"this room's new certificate is not used in this meeting: {objection}")
            return False
        self._newest, self._tried_in = identity, None
        if identity.key == own.key:
            own.identity = identity
            self._faces = [
                replace(face, identity=identity) if face.identity.key == identity.key else face
                for face in self._faces
            ]
            return True
        return False

    def look(self) -> None:
        """In the group: see what the tree shows of this device, and bring in what it does not yet."""
        group = self._member.group
        if group is None:
            return
        leaf = self._member.leaves()[group.own_leaf_index]
        if leaf is not self._seen:
            self._seen = leaf
            self._take_what_shows(leaf)
        newest, epoch = self._newest, (group.group_id, group.epoch)
        is_others = self._commits.wanted_leaf is not None and self._commits.wanted_leaf is not self._ours
        if newest is None or self._is_signing or self._tried_in == epoch or is_others:
            return
        if _shows(leaf, newest):
            self._tried_in = epoch
            return
        if newest.key == leaf.signature_key:
            self._bring(newest, leaf.extensions, epoch)
            return
        for face in self._faces:
            if face.identity.key == newest.key and face.admission.issuer_admission == admission_of(leaf):
                self._bring(newest, (Extension(ADMISSION_EXTENSION, face.admission.encode()),), epoch)
                return
        self._sign(newest, admission_of(leaf))

    def close(self) -> None:
        """The group is given up, and with it whatever was being signed for it."""
        self._is_signing = False
        self._seen = self._tried_in = None

    def knock_with_another(self, joining: Joining, now: float) -> bool:
        """On the way back: nobody answers the offer. It may be another key of this device that is in.

        Or its key on another admission: a host may have given a new one, while the group has the leaf
        that stands on the old one. True if this device has to ask for an admission: its certificate ended
        while it was outside, and only a host can let in its new key.
        """
        own, newest, admission = self._own, self._newest, self._own.admission
        if admission is None:
            return False
        if (
            joining.is_unanswered
            and newest is not None
            and newest.key != own.key
            and self._is_worth_more(newest)
        ):
            own.identity, own.admission, self._newest = newest, None, None
            self._faces.clear()
            joining.close()
            return True
        present = _Face(own.identity, admission)
        if present not in self._faces:
            self._keep(present)
        if joining.is_kept_waiting and now - joining.offered_at >= KNOCK_S and len(self._faces) > 1:
            self._keep(present)
            self._own.identity, self._own.admission = self._faces[0].identity, self._faces[0].admission
            joining.offer_anew(now)
        return False

    def _is_worth_more(self, newest: OwnIdentity) -> bool:
        own = self._own
        now_is = self._assess(own.identity.chain, own.key).assurance.rank
        return self._assess(newest.chain, newest.key).assurance.rank > now_is

    def _take_what_shows(self, leaf: LeafNode) -> None:
        """The present key is the tree's, and the admission that stands there is the one that counts."""
        own, newest = self._own, self._newest
        if newest is not None and newest.key == leaf.signature_key:
            own.identity = newest
        elif leaf.signature_key != own.key:
            known = [face.identity for face in self._faces if face.identity.key == leaf.signature_key]
            own.identity = known[-1] if known else own.identity
        own.admission = admission_of(leaf)
        self._keep(_Face(own.identity, own.admission))

    def _keep(self, face: _Face) -> None:
        others = [each for each in self._faces if each != face]
        self._faces = [*others[-(MAX_FACES - 1) :], face]

    def _bring(
        self, newest: OwnIdentity, extensions: tuple[Extension, ...], epoch: tuple[bytes, int]
    ) -> None:
        self._tried_in = epoch
        # All three: an earlier wish of ours, which was for another key, is over.
        change = LeafChange(newest.signer, X509Credential(newest.chain), extensions)
        self._commits.change_leaf(change)
        self._ours = self._commits.wanted_leaf

    def _sign(self, newest: OwnIdentity, admission: Admission) -> None:
        self._is_signing = True
        signer = self._own.identity.signer

        def signed(statement: Admission, _now: float) -> None:
            self._is_signing = False
            if self._newest is newest:
                self._keep(_Face(newest, statement))
                self._out.changed()

        def failed(error: Exception, _now: float) -> None:
            self._is_signing = False
            if not isinstance(error, MeetingError | IdentityError):
                raise error
            if self._newest is newest:
                self._newest = None
                why = (
                    "its key has changed too often here" if isinstance(error, AdmissionError) else str(error)
                )
                self._out.tell(f"this room's new certificate is not used in this meeting: {why}")

        self._out.job(lambda: succeed(signer, admission, newest.key), signed, failed)


def _shows(leaf: LeafNode, identity: OwnIdentity) -> bool:
    return leaf.signature_key == identity.key and leaf.credential == X509Credential(identity.chain)
