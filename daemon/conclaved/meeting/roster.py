"""The roster: who is in the group, under which name, and who let them in.

A pure function of the tree and of the device's own verdicts. The service's word is nowhere in it.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from conclaved.identity import Assurance, Verdict
from conclaved.meeting.admission import IssuerType, Role, line, origin
from conclaved.meeting.capabilities import ROLE_CAPABILITIES, Capability
from conclaved.meeting.invitation import Invitation
from conclaved.meeting.media_state import NOTHING_KNOWN, CameraState, MediaState, MicrophoneState
from conclaved.meeting.meeting_context import MeetingContext
from conclaved.meeting.rules import admission_of
from conclaved.mls import Credential, LeafNode, X509Credential

Assess = Callable[[tuple[bytes, ...], bytes], Verdict]
"""(chain DER leaf first, signature key of 65 bytes) -> verdict: the device's anchors and clock."""


@dataclass(frozen=True, slots=True)
class Participant:
    """One member of the group."""

    leaf: int
    name: str
    assurance: Assurance
    role: Role
    signature_key: bytes
    is_self: bool
    is_heard: bool
    """Authenticated traffic of this member was seen in this epoch."""
    reason: str
    """Why the assurance is what it is."""
    issuer: str
    admitted_by: str
    """A name, `the invitation`, or `the link`."""
    is_expected: bool
    """By the invitation, which names it on one of its lists or was signed by it. The name counts only
    where somebody vouches for it."""
    is_compared: bool = False
    """The people here have compared the security code with this one's, in this code epoch."""
    microphone: MicrophoneState = MicrophoneState.UNKNOWN
    """As this member says inside the group; its own device alone knows."""
    camera: CameraState = CameraState.UNKNOWN

    @property
    def key_id(self) -> str:
        """Sixteen hex digits: see `key_id`. It stays with the key when the leaf goes to another."""
        return key_id(self.signature_key)

    @property
    def in_words(self) -> str:
        """The name in a sentence: in quotation marks where nobody vouches for it."""
        return f"\u201c{self.name}\u201d" if self.assurance is Assurance.UNKNOWN else self.name

    @property
    def capabilities(self) -> frozenset[Capability]:
        """What its role may do."""
        return ROLE_CAPABILITIES[self.role]


def key_id(key: bytes) -> str:
    """Sixteen hex digits of the SHA-256 of a signature key: names one who is in, or was, to people."""
    return hashlib.sha256(key).hexdigest()[:16]


def missing(invitation: Invitation, participants: Iterable[Participant], signer_name: str) -> tuple[str, ...]:
    """Whom the invitation names and who is not in: its signer, hosts, invited and service ends, in order.

    Whole names only: of an invited domain nobody in particular is missing. Somebody for whose name
    nobody vouches is not the one who was expected. `signer_name` may be empty: not known.
    """
    present = {p.name.lower() for p in participants if p.assurance is not Assurance.UNKNOWN}
    named = (signer_name, *invitation.hosts, *invitation.invited, *invitation.service_ends)
    expected = dict.fromkeys(name for name in named if name and not name.startswith("@"))
    return tuple(name for name in expected if name.lower() not in present)


def chain_of(credential: Credential) -> tuple[bytes, ...]:
    """The certificates of a credential, DER, leaf first; empty for another kind."""
    return credential.certificates if isinstance(credential, X509Credential) else ()


def roster(
    leaves: Iterable[tuple[int, LeafNode]],
    context: MeetingContext,
    assess: Assess,
    *,
    own_leaf: int,
    heard: frozenset[int] = frozenset(),
    compared: frozenset[int] = frozenset(),
    distrusted: Mapping[bytes, str] = MappingProxyType({}),
    media: Mapping[int, MediaState] = MappingProxyType({}),
) -> tuple[Participant, ...]:
    """The members in leaf order. `leaves` are those of a tree that passed the group rules.

    `distrusted` says of signature keys why they are shown as not verified whatever their present
    certificate says. `media` is what members have said of camera and microphone.
    """
    seen = [
        (index, leaf, admission_of(leaf), assess(chain_of(leaf.credential), leaf.signature_key))
        for index, leaf in leaves
    ]
    name_of_key = {key: shown_name(verdict) for _, _, admission, verdict in seen for key in line(admission)}
    participants = []
    for index, leaf, admission, verdict in seen:
        keys, first = line(admission), origin(admission)
        if first.issuer_type is IssuerType.LINK:
            admitted_by = "the link"
        elif first.issuer_key in keys:
            admitted_by = "the invitation"
        else:
            admitted_by = name_of_key.get(first.issuer_key, "a host who has left")
        doubt = distrusted.get(leaf.signature_key, "")
        assurance = Assurance.UNKNOWN if doubt else verdict.assurance
        said = media.get(index, NOTHING_KNOWN)
        is_vouched_for = assurance is not Assurance.UNKNOWN
        participants.append(
            Participant(
                leaf=index,
                name=shown_name(verdict),
                assurance=assurance,
                role=admission.role,
                signature_key=leaf.signature_key,
                is_self=index == own_leaf,
                is_heard=index == own_leaf or index in heard,
                reason=doubt or verdict.reason,
                issuer=verdict.anchor,
                admitted_by=admitted_by,
                is_expected=context.invitation.signer_key in keys
                or (is_vouched_for and context.invitation.content.expects(verdict.name.lower())),
                is_compared=index in compared,
                microphone=said.microphone,
                camera=said.camera,
            )
        )
    return tuple(participants)


def name_in_words(verdict: Verdict) -> str:
    """The name in a sentence: in quotation marks where nobody vouches for it."""
    name = shown_name(verdict)
    return f"\u201c{name}\u201d" if verdict.assurance is Assurance.UNKNOWN else name


def shown_name(verdict: Verdict) -> str:
    """The name that a certificate claims, or a placeholder where it has none that could be shown."""
    return verdict.name or "(no name)"
