"""What is said in the lobby, sealed under the link: requests, admissions, KeyPackages, Welcomes.

The service carries these to everybody of the meeting and cannot tell one from another.

    Request      "let me in": a certificate chain, and a proof that the key is at hand
    Grant        a host's answer: an admission
    Denial       a host's answer: no, signed, so that nobody else can turn people away
    Offer        an admitted one's KeyPackage, with the admission in its leaf
    Welcome      RFC 9420 §12.4.3.1, with the place in the log from which the joiner reads on
    Appointment  a host's admission of a member as another host
    Gathering    a host says in which history of the group it is
"""

from collections.abc import Collection
from dataclasses import dataclass
from enum import IntEnum

from conclaved.meeting.admission import Admission, AdmissionSigner, Role, check, verify
from conclaved.meeting.errors import RemoteError
from conclaved.meeting.invitation import SignedInvitation
from conclaved.meeting.link import Sealer
from conclaved.mls.codec import Reader, decode_whole, opaque, uint8, uint64, vector
from conclaved.mls.errors import DecodeError

PURPOSE = b"lobby"
REQUEST_ID_BYTES = 16
MAX_CERTIFICATES = 8
MAX_CERTIFICATE_BYTES = 16 * 1024
MAX_SEQUENCE = 2**53
HISTORY_BYTES = 32
MAX_MESSAGE_BYTES = 8 * 1024 * 1024
_REQUEST_LABEL = b"Conclave 1.0 Request"
_DENIAL_LABEL = b"Conclave 1.0 Denial"
_GATHERING_LABEL = b"Conclave 1.0 Gathering"
_APPOINTMENT_LABEL = b"Conclave 1.0 Appointment"


@dataclass(frozen=True, slots=True)
class Request:
    """Somebody asks to be let in."""

    request_id: bytes
    chain: tuple[bytes, ...]
    """Certificates, DER, leaf first."""
    signature_key: bytes
    signature: bytes
    """By the leaf's key, over label, meeting id, request id and chain."""

    @staticmethod
    def signed_part(meeting_id: bytes, request_id: bytes, chain: tuple[bytes, ...]) -> bytes:
        """What the requester signs, and a host verifies.

        The chain with it: others who have the link could repeat the request with a chain that
        nobody vouches for, and the host would see that one.
        """
        certificates = vector(opaque(certificate) for certificate in chain)
        return opaque(_REQUEST_LABEL) + opaque(meeting_id) + opaque(request_id) + certificates


@dataclass(frozen=True, slots=True)
class Grant:
    """A host lets a requester in."""

    request_id: bytes
    admission: Admission


class DenialReason(IntEnum):
    """Why a host turns a requester away."""

    REFUSED = 0
    """A person's answer."""
    REMOVED = 1
    """The requester was thrown out, and no host has allowed it back."""
    ENDED = 2
    """The host is ending the meeting for all."""


@dataclass(frozen=True, slots=True)
class Denial:
    """A host turns a requester away."""

    request_id: bytes
    host: Admission
    """The host's own admission."""
    signature: bytes
    reason: DenialReason = DenialReason.REFUSED

    @staticmethod
    def signed_part(
        meeting_id: bytes,
        request_id: bytes,
        signature_key: bytes,
        reason: DenialReason = DenialReason.REFUSED,
    ) -> bytes:
        """What the host signs, and the requester verifies.

        The requester's key with it: whoever has the link could repeat another's request id under a key
        of its own, and pass on what it is told.
        """
        asked = opaque(meeting_id) + opaque(request_id) + opaque(signature_key)
        return opaque(_DENIAL_LABEL) + asked + uint8(reason)


@dataclass(frozen=True, slots=True)
class Offer:
    """A KeyPackage of one who is admitted."""

    key_package: bytes


@dataclass(frozen=True, slots=True)
class WelcomeMessage:
    """A Welcome, and the log position behind the commit that it belongs to."""

    next_sequence: int
    welcome: bytes


@dataclass(frozen=True, slots=True)
class Appointment:
    """A host makes a member a host, in this group."""

    admission: Admission
    """Of the member's key, in the host's role."""
    group_id: bytes
    signature: bytes
    """By the key that issued the admission, over label, group id and admission: said again in a later use of
    the same meeting's link, by whoever has kept it, it counts for nothing."""

    @staticmethod
    def signed_part(group_id: bytes, admission: Admission) -> bytes:
        """What the host signs, and the appointed one verifies."""
        return opaque(_APPOINTMENT_LABEL) + opaque(group_id) + opaque(admission.encode())


@dataclass(frozen=True, slots=True)
class Gathering:
    """A host says where it is, to those who hear others and can open nothing of theirs."""

    host: Admission
    """The host's own admission."""
    history: bytes
    """32 bytes: a hash of the group's id and its confirmed transcript hash."""
    signature: bytes

    @staticmethod
    def signed_part(meeting_id: bytes, history: bytes) -> bytes:
        """What the host signs."""
        return opaque(_GATHERING_LABEL) + opaque(meeting_id) + opaque(history)


LobbyMessage = Request | Grant | Denial | Offer | WelcomeMessage | Appointment | Gathering


def seal(message: LobbyMessage, sealer: Sealer, nonce: bytes) -> bytes:
    """The sealed bytes of a message; `nonce` is 12 fresh random bytes."""
    match message:
        case Request():
            body = (
                uint8(1)
                + opaque(message.request_id)
                + vector(opaque(c) for c in message.chain)
                + opaque(message.signature_key)
                + opaque(message.signature)
            )
        case Grant():
            body = uint8(2) + opaque(message.request_id) + opaque(message.admission.encode())
        case Denial():
            body = (
                uint8(3)
                + opaque(message.request_id)
                + opaque(message.host.encode())
                + opaque(message.signature)
                + uint8(message.reason)
            )
        case Offer():
            body = uint8(4) + opaque(message.key_package)
        case WelcomeMessage():
            body = uint8(5) + uint64(message.next_sequence) + opaque(message.welcome)
        case Appointment():
            body = (
                uint8(6)
                + opaque(message.admission.encode())
                + opaque(message.group_id)
                + opaque(message.signature)
            )
        case Gathering():
            body = (
                uint8(7) + opaque(message.host.encode()) + opaque(message.history) + opaque(message.signature)
            )
    return sealer.seal(body, PURPOSE, nonce)


def unseal(sealed: bytes, sealer: Sealer) -> LobbyMessage:
    """Open and parse a message. Raises RemoteError (SealError without the link)."""
    if len(sealed) > MAX_MESSAGE_BYTES:
        raise RemoteError("a lobby message is too long")
    try:
        return decode_whole(sealer.open(sealed, PURPOSE), _read)
    except DecodeError as error:
        raise RemoteError("a lobby message is malformed") from error


def _read(reader: Reader) -> LobbyMessage:
    match reader.uint8():
        case 1:
            request = Request(reader.opaque(), reader.vector(Reader.opaque), reader.opaque(), reader.opaque())
            longest = max(map(len, request.chain), default=0)
            if (
                len(request.request_id) != REQUEST_ID_BYTES
                or len(request.chain) > MAX_CERTIFICATES
                or longest > MAX_CERTIFICATE_BYTES
            ):
                raise DecodeError("a request of impossible size")
            return request
        case 2:
            return Grant(reader.opaque(), Admission.decode(reader.opaque()))
        case 3:
            request_id, host, signature = reader.opaque(), Admission.decode(reader.opaque()), reader.opaque()
            reason = reader.uint8()
            if reason not in set(DenialReason):
                raise DecodeError(f"unknown reason {reason} of a denial")
            return Denial(request_id, host, signature, DenialReason(reason))
        case 4:
            return Offer(reader.opaque())
        case 5:
            welcome = WelcomeMessage(reader.uint64(), reader.opaque())
            if welcome.next_sequence > MAX_SEQUENCE:
                raise DecodeError("an impossible position in the log")
            return welcome
        case 6:
            return Appointment(Admission.decode(reader.opaque()), reader.opaque(), reader.opaque())
        case 7:
            gathering = Gathering(Admission.decode(reader.opaque()), reader.opaque(), reader.opaque())
            if len(gathering.history) != HISTORY_BYTES:
                raise DecodeError("a history of impossible size")
            return gathering
        case unknown:
            raise DecodeError(f"unknown lobby message {unknown}")


def request(
    signer: AdmissionSigner, chain: tuple[bytes, ...], meeting_id: bytes, request_id: bytes
) -> Request:
    """A signed request. Slow where the key is in a TPM."""
    signature = signer.sign(Request.signed_part(meeting_id, request_id, chain))
    return Request(request_id, chain, signer.public_key, signature)


def deny(
    signer: AdmissionSigner,
    own: Admission,
    meeting_id: bytes,
    request_id: bytes,
    signature_key: bytes,
    reason: DenialReason = DenialReason.REFUSED,
) -> Denial:
    """A denial of the requester with `signature_key` (65 bytes), signed by a host.

    Slow where the key is in a TPM.
    """
    signed = Denial.signed_part(meeting_id, request_id, signature_key, reason)
    return Denial(request_id, own, signer.sign(signed), reason)


def appoint(signer: AdmissionSigner, admission: Admission, group_id: bytes) -> Appointment:
    """An appointment in one group, signed by the host that issued `admission`. Slow with a key in a TPM."""
    return Appointment(admission, group_id, signer.sign(Appointment.signed_part(group_id, admission)))


def check_appointment(appointment: Appointment, group_id: bytes, host_keys: Collection[bytes]) -> None:
    """Raise RemoteError unless one of the hosts with these keys, all in the group, has made it there."""
    key = appointment.admission.issuer_key
    if appointment.group_id != group_id or key not in host_keys:
        raise RemoteError(
            "an appointment for another group, or by nobody in this one", rule="DESIGN §4 Admission"
        )
    verify(key, appointment.signature, Appointment.signed_part(group_id, appointment.admission))


def gather(signer: AdmissionSigner, own: Admission, meeting_id: bytes, history: bytes) -> Gathering:
    """Where a host is: `history` is 32 bytes. Slow where the key is in a TPM."""
    return Gathering(own, history, signer.sign(Gathering.signed_part(meeting_id, history)))


def check_gathering(message: Gathering, meeting_id: bytes) -> None:
    """Raise RemoteError unless it is signed by the host that it names, whose admission holds already."""
    if message.host.role is not Role.HOST:
        raise RemoteError("somebody who is not a host calls the others", rule="DESIGN §4 Admission")
    signed = Gathering.signed_part(meeting_id, message.history)
    verify(message.host.signature_key, message.signature, signed)


def check_denial(denial: Denial, invitation: SignedInvitation, signature_key: bytes) -> None:
    """Raise RemoteError unless a host of this meeting denied the requester with `signature_key`."""
    check(denial.host, denial.host.signature_key, invitation)
    if denial.host.role is not Role.HOST:
        raise RemoteError("a denial by somebody who is not a host", rule="DESIGN §4 Admission")
    meeting_id = invitation.content.meeting_id
    signed = Denial.signed_part(meeting_id, denial.request_id, signature_key, denial.reason)
    verify(denial.host.signature_key, denial.signature, signed)


def check_request(message: Request, meeting_id: bytes) -> None:
    """Raise RemoteError unless the requester has the key that it asks for."""
    signed = Request.signed_part(meeting_id, message.request_id, message.chain)
    verify(message.signature_key, message.signature, signed)
