"""Admissions: why a leaf may be in the group, readable off the tree by everyone alike.

Every leaf carries, in a LeafNode extension, a statement that a host or the link admitted its
signature key to this meeting. A host's statement embeds the host's own, back to the signer of
the invitation. A member that changes its key lets the old key admit the new one: a succession.
Checking one needs no clock, no trust anchor and no history, so all members, joiners included,
come to the same verdict about who may be in.

    struct {
        opaque meeting_id<V>;
        opaque signature_key<V>;             the key that is admitted
        Role role;
        uint32 serial;                       that of the next change of the meeting's terms
        IssuerType issuer_type;              host(1), link(2), succession(3)
        opaque issuer_key<V>;
        optional<Admission> issuer_admission;
        opaque signature<V>;                 over the label and all above
    } Admission;
"""

from dataclasses import dataclass, replace
from enum import IntEnum
from functools import lru_cache
from typing import Protocol

from conclaved.meeting.errors import AdmissionError
from conclaved.meeting.invitation import Level, SignedInvitation
from conclaved.mls import CipherSuite
from conclaved.mls.codec import Reader, decode_whole, opaque, optional, uint8, uint32
from conclaved.mls.crypto import crypto_for
from conclaved.mls.errors import DecodeError

SUITE = CipherSuite.MLS_128_DHKEMP256_AES128GCM_SHA256_P256
"""The meeting's: its signatures are those of the certificates' keys."""

ADMISSION_EXTENSION = 0xF0C2
"""LeafNode extension type, from the private range (RFC 9420 §17.3)."""
LABEL = b"Conclave 1.0 Admission"
MAX_STATEMENTS = 3
"""Hosts' and the link's statements in a chain, the signer's about itself not counted."""
MAX_SUCCESSIONS = 4
"""Changes of a key in a chain, of whomever in it."""
MAX_BYTES = 2048
"""Eight statements with P-256 keys and signatures take 1862."""
MAX_REMEMBERED = 2048
"""Admissions whose check is not done again. Whoever has the link can make any number of them, so what they
may take of memory is bounded: some 8 MiB."""
KEY_BYTES = 65
_MAX_CHAIN = 1 + MAX_STATEMENTS + MAX_SUCCESSIONS


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
    SUCCESSION = 3
    """The key that was admitted before, in favour of the one that takes its place."""


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
    serial: int = 0
    """Which of a host's decisions came before it: one from before a kick ends with that (`allowed_back`)."""

    def _signed_part(self) -> bytes:
        issuer = self.issuer_admission
        return (
            opaque(self.meeting_id)
            + opaque(self.signature_key)
            + uint8(self.role)
            + uint32(self.serial)
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
        if len(data) > MAX_BYTES:
            raise AdmissionError("an admission is longer than any chain may be", rule="DESIGN §4 Admission")
        return _decode(data)

    @classmethod
    def _read(cls, reader: Reader, depth: int) -> "Admission":
        if depth == 0:
            raise DecodeError("a chain of admissions is too long")
        return cls(
            meeting_id=reader.opaque(),
            signature_key=reader.opaque(),
            role=Role(reader.uint8()),
            serial=reader.uint32(),
            issuer_type=IssuerType(reader.uint8()),
            issuer_key=reader.opaque(),
            issuer_admission=reader.optional(lambda inner: cls._read(inner, depth - 1)),
            signature=reader.opaque(),
        )


@lru_cache(maxsize=MAX_REMEMBERED)
def _decode(data: bytes) -> Admission:
    try:
        admission = decode_whole(data, lambda reader: Admission._read(reader, _MAX_CHAIN))
    except (DecodeError, ValueError) as error:
        raise AdmissionError("an admission is malformed", rule="DESIGN §4 Admission") from error
    _check_length(admission)
    return admission


def issue(
    signer: AdmissionSigner,
    meeting_id: bytes,
    signature_key: bytes,
    role: Role,
    *,
    issuer_type: IssuerType = IssuerType.HOST,
    issuer_admission: Admission | None = None,
    serial: int = 0,
) -> Admission:
    """Sign an admission of `signature_key` (65 bytes). `serial` is the terms' `next_serial`.

    `issuer_admission` is the issuing host's own; None when it is the invitation's signer or the
    link. Slow where the key is in a TPM.
    """
    unsigned = Admission(
        meeting_id, signature_key, role, issuer_type, signer.public_key, issuer_admission, b"", serial
    )
    return replace(unsigned, signature=signer.sign(opaque(LABEL) + unsigned._signed_part()))


def succeed(old_signer: AdmissionSigner, own_admission: Admission, new_key: bytes) -> Admission:
    """The old key's statement that `new_key` (65 bytes) takes its place, in the same role.

    `own_admission` is the old key's. Raises AdmissionError when the key has changed too often for
    another statement: then the new key is to be admitted by a host. Slow where the key is in a TPM.
    """
    admission = issue(
        old_signer,
        own_admission.meeting_id,
        new_key,
        own_admission.role,
        issuer_type=IssuerType.SUCCESSION,
        issuer_admission=own_admission,
        serial=own_admission.serial,
    )
    _check_length(admission)
    return admission


@lru_cache(maxsize=MAX_REMEMBERED)
def line(admission: Admission) -> frozenset[bytes]:
    """The admitted key and all that it has succeeded: one member's keys, whichever it signs with now."""
    if admission.issuer_type is not IssuerType.SUCCESSION:
        return frozenset((admission.signature_key,))
    return frozenset(step.signature_key for step in lineage(admission))


def lineage(admission: Admission) -> tuple[Admission, ...]:
    """The admission, and those of the keys that its key has succeeded, the first key's last."""
    steps = [admission]
    while steps[-1].issuer_type is IssuerType.SUCCESSION and steps[-1].issuer_admission is not None:
        steps.append(steps[-1].issuer_admission)
    return tuple(steps)


def origin(admission: Admission) -> Admission:
    """The statement that let the first key of the line in: a host's or the link's."""
    return admission if admission.issuer_type is not IssuerType.SUCCESSION else lineage(admission)[-1]


def may_admit(admission: Admission) -> bool:
    """Whether whom this admission admits could admit another: it is a host's, and the chain is not full."""
    return admission.role is Role.HOST and _statements(admission) < MAX_STATEMENTS


def chain(admission: Admission) -> list[Admission]:
    """The statement, its issuer's, and so on to the one that stands on the invitation or the link."""
    steps = [admission]
    while steps[-1].issuer_admission is not None:
        steps.append(steps[-1].issuer_admission)
    return steps


def _statements(admission: Admission) -> int:
    """How many statements stand between the key and the invitation, successions left out."""
    # The signer's own statement about itself leads nowhere further. Nobody else can make one without
    # an issuer's admission, and with one it counts.
    return sum(
        1
        for step in chain(admission)
        if step.issuer_type is not IssuerType.SUCCESSION
        and not (step.issuer_admission is None and step.issuer_key == step.signature_key)
    )


def _check_length(admission: Admission) -> None:
    successions = sum(1 for step in chain(admission) if step.issuer_type is IssuerType.SUCCESSION)
    if _statements(admission) > MAX_STATEMENTS:
        _refuse(f"more than {MAX_STATEMENTS} statements stand between it and the invitation")
    if successions > MAX_SUCCESSIONS:
        _refuse(f"keys have changed more than {MAX_SUCCESSIONS} times in its chain")


def check(admission: Admission, signature_key: bytes, invitation: SignedInvitation) -> None:
    """Raise AdmissionError unless `admission` lets `signature_key` into the invitation's meeting."""
    if admission.signature_key != signature_key:
        _refuse("it admits another key than the leaf's")
    _check_length(admission)
    _check_statement(admission, invitation)


@lru_cache(maxsize=MAX_REMEMBERED)
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
    elif admission.issuer_type is IssuerType.SUCCESSION:
        if issuer is None or issuer.signature_key != admission.issuer_key:
            _refuse("the key that it succeeds was not admitted")
        elif issuer.role is not admission.role:
            _refuse("a succession changes the role")
        elif admission.signature_key in line(issuer):
            _refuse("a key succeeds itself")
        else:
            _check_statement(issuer, invitation)
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
