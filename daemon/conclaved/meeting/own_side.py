"""This device's side of a meeting: its key and certificate, its invitation, its admission.

What a device needs to speak for itself, before it is in a group and while it is.
"""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field

from conclaved.identity import Signer, claimed_name
from conclaved.meeting.admission import (
    ADMISSION_EXTENSION,
    Admission,
    IssuerType,
    Role,
    check,
    issue,
    may_admit,
)
from conclaved.meeting.errors import AdmissionError, LocalError
from conclaved.meeting.invitation import Level, SignedInvitation
from conclaved.meeting.link import LinkKey
from conclaved.meeting.meeting_context import MEETING_EXTENSION, MeetingContext
from conclaved.meeting.welcoming import CLOCK_SLACK_S
from conclaved.mls import (
    AcceptAny,
    CipherSuite,
    Extension,
    Group,
    KeyPackageBundle,
    Lifetime,
    PendingCommit,
    X509Credential,
)

SUITE = CipherSuite.MLS_128_DHKEMP256_AES128GCM_SHA256_P256
EXTENSION_TYPES = (MEETING_EXTENSION, ADMISSION_EXTENSION)
KEY_PACKAGE_LIFETIME_S = 24 * 3600
GROUP_ID_BYTES = 32


@dataclass(frozen=True, slots=True)
class OwnIdentity:
    """This device's key and certificate."""

    signer: Signer = field(repr=False)
    chain: tuple[bytes, ...] = field(repr=False)
    """DER, leaf first."""

    @property
    def key(self) -> bytes:
        """The signature key, 65 bytes."""
        return self.signer.public_key


@dataclass(slots=True)
class OwnSide:
    """See the file's head. The methods that end in `_job` return work to be done elsewhere."""

    invitation: SignedInvitation
    identity: OwnIdentity
    link_key: LinkKey = field(repr=False)
    wall: Callable[[], int] = field(repr=False)
    admission: Admission | None = field(default=None, repr=False)

    @property
    def meeting_id(self) -> bytes:
        """16 bytes."""
        return self.invitation.content.meeting_id

    @property
    def key(self) -> bytes:
        """The signature key, 65 bytes."""
        return self.identity.signer.public_key

    @property
    def is_host(self) -> bool:
        """Whether the admission makes this device a host."""
        return self.admission is not None and self.admission.role is Role.HOST

    @property
    def may_found(self) -> bool:
        """Whether this device may make the group: a host; in `standard` whoever has an admission."""
        is_standard = self.invitation.content.level is Level.STANDARD
        return self.admission is not None and (self.is_host or is_standard)

    def take_admission(self, admission: Admission | None) -> None:
        """Use an admission that was given before, if it holds."""
        with contextlib.suppress(AdmissionError):
            if admission is not None:
                check(admission, self.key, self.invitation)
                self.admission = admission

    def own_admission(self) -> Admission:
        """The admission. Raises LocalError before there is one."""
        if self.admission is None:
            raise LocalError("this room has no admission yet")
        return self.admission

    def self_admission_job(self) -> Callable[[], Admission] | None:
        """How this device gets an admission without asking: as the invitation's signer, or by the link."""
        content, signer = self.invitation.content, self.identity.signer
        if self.key == self.invitation.signer_key:
            return lambda: issue(signer, content.meeting_id, signer.public_key, Role.HOST)
        # What the invitation names as a service end is let in as that, and the link makes guests.
        is_service_end = claimed_name(self.identity.chain[0]).lower() in content.service_ends
        if content.is_open and content.level is Level.STANDARD and not is_service_end:
            link_key, key = self.link_key, self.key
            return lambda: issue(link_key, content.meeting_id, key, Role.GUEST, issuer_type=IssuerType.LINK)
        return None

    def admit_job(self, signature_key: bytes, role: Role, serial: int) -> Callable[[], Admission]:
        """A host's admission of somebody, after the terms' change with the serial before this one."""
        own, signer, meeting_id = self.own_admission(), self.identity.signer, self.meeting_id
        is_root = own.signature_key == self.invitation.signer_key
        return lambda: issue(
            signer,
            meeting_id,
            signature_key,
            role,
            issuer_admission=None if is_root else own,
            serial=serial,
        )

    def may_appoint(self, signature_key: bytes) -> bool:
        """Whether that key, made a host by this device, could admit anybody: its chain is not full then."""
        own = self.own_admission()
        issuer = None if own.signature_key == self.invitation.signer_key else own
        host = IssuerType.HOST
        return may_admit(Admission(own.meeting_id, signature_key, Role.HOST, host, self.key, issuer, b""))

    def key_package_job(self) -> Callable[[], KeyPackageBundle]:
        """A KeyPackage that carries the admission in its leaf (RFC 9420 §10)."""
        signer, chain = self.identity.signer, self.identity.chain
        lifetime, extensions = self._lifetime(), self._leaf_extensions()
        return lambda: KeyPackageBundle.generate(
            SUITE,
            signer,
            X509Credential(chain),
            lifetime=lifetime,
            extension_types=EXTENSION_TYPES,
            leaf_extensions=extensions,
        )

    def found_job(
        self, context: MeetingContext, group_id: bytes
    ) -> Callable[[], tuple[Group, PendingCommit]]:
        """A group with this device alone in it, and its first commit (RFC 9420 §11).

        Terms that no host has signed are signed by this device, which has to be one.
        """
        signer, chain, admission = self.identity.signer, self.identity.chain, self.own_admission()
        lifetime, extensions = self._lifetime(), self._leaf_extensions()

        def run() -> tuple[Group, PendingCommit]:
            is_unsigned = not context.is_plain and context.word is None
            terms = context.signed(signer, admission) if is_unsigned else context
            group = Group.create(
                SUITE,
                group_id,
                signer,
                X509Credential(chain),
                lifetime=lifetime,
                extension_types=EXTENSION_TYPES,
                leaf_extensions=extensions,
                extensions=(terms.extension(),),
                auth=AcceptAny(),
            )
            return group, group.commit()

        return run

    def _lifetime(self) -> Lifetime:
        wall = self.wall()
        return Lifetime(wall - CLOCK_SLACK_S, wall + KEY_PACKAGE_LIFETIME_S)

    def _leaf_extensions(self) -> tuple[Extension, ...]:
        return (Extension(ADMISSION_EXTENSION, self.own_admission().encode()),)
