"""Admissions: why a leaf may be in the group, readable off the tree by everyone alike.

Every leaf carries, in a LeafNode extension, a statement that a host or the link admitted its
signature key to this meeting. A host's statement embeds the host's own, back to the signer of
the invitation. Checking one needs no clock, no trust anchor and no history, so all members,
joiners included, come to the same verdict about who may be in.

    struct {
        opaque meeting_id<V>;
        opaque signature_key<V>;             the key that is admitted
        Role role;
        IssuerType issuer_type;              host(1), link(2)
        opaque issuer_key<V>;
        optional<Admission> issuer_admission;
        opaque signature<V>;                 over the label and all above
    } Admission;
"""

from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from typing import Protocol

from conclaved.meeting.errors import AdmissionError
from conclaved.meeting.invitation import Level, SignedInvitation
from conclaved.mls import CipherSuite
from conclaved.mls.codec import Reader, decode_whole, opaque, optional, uint8
from conclaved.mls.crypto import crypto_for
from conclaved.mls.errors import DecodeError

SUITE = CipherSuite.MLS_128_DHKEMP256_AES128GCM_SHA256_P256
"""The meeting's: its signatures are those of the certificates' keys."""

ADMISSION_EXTENSION = 0xF0C2
"""LeafNode extension type, from the private range (RFC 9420 §17.3)."""
LABEL = b"Conclave 1.0 Admission"
MAX_DEPTH = 3
KEY_BYTES = 65


class Role(IntEnum):
    """What a member may do. Hosts admit and throw out; the rest differ in how they are shown."""

    HOST = 1
    MEMBER = 2
    GUEST = 3
    SERVICE_END = 4

    @property
    def word(self) -> str:
        """The role as people read it."""
        return self.name.lower().replace("_", " ")


class IssuerType(IntEnum):
    """Who made the statement."""

    HOST = 1
    LINK = 2


class AdmissionSigner(Protocol):
    """What can issue an admission: a host's key or the link key."""

    @property
    def public_key(self) -> bytes: ...
    def sign(self, data: bytes) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Admission:
    """One statement; see the file's head."""

    meeting_id: bytes
    signature_key: bytes
    role: Role
    issuer_type: IssuerType
    issuer_key: bytes
    issuer_admission: "Admission | None"
    signature: bytes

    def _signed_part(self) -> bytes:
        issuer = self.issuer_admission
        return (
            opaque(self.meeting_id)
            + opaque(self.signature_key)
            + uint8(self.role)
            + uint8(self.issuer_type)
            + opaque(self.issuer_key)
            + optional(None if issuer is None else issuer.encode())
        )

    def encode(self) -> bytes:
        """The statement's bytes."""
        return self._signed_part() + opaque(self.signature)

    @classmethod
    def decode(cls, data: bytes) -> "Admission":
        """Parse a statement that fills `data`. Raises AdmissionError."""
        if len(data) > 2048:
            raise AdmissionError("an admission is longer than any chain of three", rule="DESIGN §4 Admission")
        try:
            return decode_whole(data, lambda reader: cls._read(reader, MAX_DEPTH))
        except (DecodeError, ValueError) as error:
            raise AdmissionError("an admission is malformed", rule="DESIGN §4 Admission") from error

    @classmethod
    def _read(cls, reader: Reader, depth: int) -> "Admission":
        if depth == 0:
            raise DecodeError("a chain of admissions is longer than three")
        return cls(
            meeting_id=reader.opaque(),
            signature_key=reader.opaque(),
            role=Role(reader.uint8()),
            issuer_type=IssuerType(reader.uint8()),
            issuer_key=reader.opaque(),
            issuer_admission=reader.optional(lambda inner: cls._read(inner, depth - 1)),
            signature=reader.opaque(),
        )


def issue(
    signer: AdmissionSigner,
    meeting_id: bytes,
    signature_key: bytes,
    role: Role,
    *,
    issuer_type: IssuerType = IssuerType.HOST,
    issuer_admission: Admission | None = None,
) -> Admission:
    """Sign an admission of `signature_key` (65 bytes).

    `issuer_admission` is the issuing host's own; None when it is the invitation's signer or the
    link. Slow where the key is in a TPM.
    """
    unsigned = Admission(
        meeting_id, signature_key, role, issuer_type, signer.public_key, issuer_admission, b""
    )
    signature = signer.sign(opaque(LABEL) + unsigned._signed_part())
    return Admission(
        meeting_id, signature_key, role, issuer_type, signer.public_key, issuer_admission, signature
    )


def check(admission: Admission, signature_key: bytes, invitation: SignedInvitation) -> None:
    """Raise AdmissionError unless `admission` lets `signature_key` into the invitation's meeting."""
    if admission.signature_key != signature_key:
        _refuse("it admits another key than the leaf's")
    _check_statement(admission, invitation)


@lru_cache(maxsize=4096)
def _check_statement(admission: Admission, invitation: SignedInvitation) -> None:
    content = invitation.content
    if admission.meeting_id != content.meeting_id:
        _refuse("it is for another meeting")
    if admission.role is Role.SERVICE_END and content.level is Level.LOCKED:
        _refuse("a locked meeting has no service ends")
    issuer = admission.issuer_admission
    if admission.issuer_type is IssuerType.LINK:
        if not content.is_open or content.level is Level.LOCKED:
            _refuse("the link alone does not admit to this meeting")
        if admission.role is not Role.GUEST or issuer is not None:
            _refuse("the link admits guests only")
        if admission.issuer_key != content.link_public_key:
            _refuse("it is signed by another link's key")
    elif admission.issuer_key == invitation.signer_key:
        if issuer is not None:
            _refuse("the invitation's signer needs no admission by another")
    else:
        if issuer is None or issuer.signature_key != admission.issuer_key:
            _refuse("its issuer was not admitted")
        elif issuer.role is not Role.HOST:
            _refuse("its issuer is not a host")
        else:
            _check_statement(issuer, invitation)
    _verify(admission)


def _verify(admission: Admission) -> None:
    try:
        verify(admission.issuer_key, admission.signature, opaque(LABEL) + admission._signed_part())
    except AdmissionError:
        _refuse("its signature is wrong")


def verify(public_key: bytes, signature: bytes, data: bytes) -> None:
    """Check an ECDSA signature (DER, SHA-256) by a P-256 point of 65 bytes. Raises AdmissionError."""
    if len(public_key) != KEY_BYTES or not crypto_for(SUITE).is_signed(public_key, data, signature):
        raise AdmissionError("a signature is wrong", rule="DESIGN §4 Admission")


def _refuse(why: str) -> None:
    raise AdmissionError(f"an admission does not hold: {why}", rule="DESIGN §4 Admission")
