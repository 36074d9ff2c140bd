"""Who signed, and which of the given authorities vouches for that name (RFC 5280 §6).

For a machine with no room on it, and so without a room's trust anchors: the anchors are given, each for every
name or for those of some domains. The demands on a certificate are those that a room has.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import ExtendedKeyUsageOID
from cryptography.x509.verification import (
    Criticality,
    ExtensionPolicy,
    Policy,
    PolicyBuilder,
    Store,
    VerificationError,
)

from conclave_provisioning.cli.errors import CommandError, ErrorKind
from conclave_provisioning.cli.signed_token import CERTIFICATE_ERRORS

MAX_INTERMEDIATES = 4
DOMAIN_PURPOSES = (ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH)
ADDRESS_PURPOSES = (ExtendedKeyUsageOID.EMAIL_PROTECTION, ExtendedKeyUsageOID.CLIENT_AUTH)


@dataclass(frozen=True, slots=True)
class Anchor:
    """An authority that is believed."""

    certificate: x509.Certificate
    domain: str = ""
    """For which domain and those below it, lower case; empty for every name."""

    def may_vouch_for(self, name: str) -> bool:
        """Whether it is believed about this domain or mail address."""
        domain = name.lower().rpartition("@")[2]
        return not self.domain or domain == self.domain or domain.endswith(f".{self.domain}")


@dataclass(frozen=True, slots=True)
class Signer:
    """Who signed something, and who says so."""

    name: str
    """The one domain or mail address in the certificate."""
    authority: str
    """The anchor that vouches for it (RFC 4514)."""
    domain: str
    """For which domain that anchor was given; empty for every name."""
    fingerprint: str
    """SHA-256 of the signer's certificate, lower-case hex."""
    not_before: int
    not_after: int
    """Seconds since 1970."""


def claimed_name(certificate: x509.Certificate) -> str:
    """The name that a certificate gives, whoever vouches for it; empty unless it is exactly one."""
    return _name(certificate)[0]


def vouch(chain: Sequence[x509.Certificate], anchors: Sequence[Anchor], *, at: int, what: str) -> Signer:
    """Find out who signed `what` ("the record") with the first certificate of `chain`.

    `at` is when it was signed, in seconds since 1970; there is at least one anchor.

    Raises CommandError(NOT_GENUINE) if it names not exactly one, was not valid then, or no anchor vouches.
    """
    leaf = chain[0]
    name, purposes = _name(leaf)
    if not name:
        raise _refusal(f"{what} is signed with a certificate that names not exactly one domain or address")
    begins, ends = (int(t.timestamp()) for t in (leaf.not_valid_before_utc, leaf.not_valid_after_utc))
    if not begins <= at <= ends:
        raise _refusal(f"{what} is signed with a certificate of {name} that was not valid then")
    believed = [anchor for anchor in anchors if anchor.may_vouch_for(name)]
    roots = [anchor.certificate for anchor in believed]
    for purpose in purposes if roots else ():
        path = _path(leaf, chain[1:], roots, at, purpose)
        if path:
            domains = {anchor.domain for anchor in believed if anchor.certificate == path[-1]}
            return Signer(
                name,
                path[-1].subject.rfc4514_string() or "without a name",
                max(domains, key=len, default=""),
                leaf.fingerprint(hashes.SHA256()).hex(),
                begins,
                ends,
            )
    raise CommandError(
        ErrorKind.NOT_GENUINE,
        f"{what} says that it is by {name}, and none of the given authorities vouches for that",
        hint="do not believe it, or give the root of the authority that does with --anchor",
    )


def _name(certificate: x509.Certificate) -> tuple[str, tuple[x509.ObjectIdentifier, ...]]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        domains = names.get_values_for_type(x509.DNSName)
        addresses = names.get_values_for_type(x509.RFC822Name)
    except (x509.ExtensionNotFound, *CERTIFICATE_ERRORS):
        return "", ()
    if len(domains) + len(addresses) != 1:
        return "", ()
    return (domains[0], DOMAIN_PURPOSES) if domains else (addresses[0], ADDRESS_PURPOSES)


def _path(
    leaf: x509.Certificate,
    intermediates: Sequence[x509.Certificate],
    anchors: Sequence[x509.Certificate],
    at: int,
    purpose: x509.ObjectIdentifier,
) -> tuple[x509.Certificate, ...]:
    def may_issue(policy: Policy, issuer: x509.Certificate, usage: x509.ExtendedKeyUsage | None) -> None:
        if usage is not None and not {purpose, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE} & set(usage):
            raise ValueError("an authority for other purposes")

    def may_sign(policy: Policy, signer: x509.Certificate, usage: x509.ExtendedKeyUsage) -> None:
        if purpose not in set(usage):
            raise ValueError("a certificate for other purposes")

    # Its own policy for clients wants clientAuth, which public authorities no longer put in.
    verifier = (
        PolicyBuilder()
        .store(Store(list(anchors)))
        .time(datetime.fromtimestamp(at, UTC))
        .max_chain_depth(MAX_INTERMEDIATES)
        .extension_policies(
            ca_policy=ExtensionPolicy.webpki_defaults_ca().may_be_present(
                x509.ExtendedKeyUsage, Criticality.AGNOSTIC, may_issue
            ),
            ee_policy=ExtensionPolicy.webpki_defaults_ee().require_present(
                x509.ExtendedKeyUsage, Criticality.AGNOSTIC, may_sign
            ),
        )
        .build_client_verifier()
    )
    try:
        return tuple(verifier.verify(leaf, list(intermediates)).chain)
    except (VerificationError, *CERTIFICATE_ERRORS):
        return ()


def _refusal(message: str) -> CommandError:
    return CommandError(ErrorKind.NOT_GENUINE, message)
