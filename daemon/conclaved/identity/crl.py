"""Lists of revoked certificates (RFC 5280 §5), as the CAs of customers publish them.

A list is taken from whoever brings it, because the authority signed it: only one that is signed by an anchor
of this device is read at all. It never comes back older than it was, or a revocation could be lifted by
bringing last month's list. One whose time is over still revokes whom it names: nobody's revocation ends by
a CA that forgot to publish; that the list is old is told instead.

Read are complete lists of one authority about its own certificates. Deltas, and lists that speak for other
authorities, are refused with a word.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding

from conclaved.identity.anchors import Anchor, fingerprint_of
from conclaved.identity.errors import CrlError

MAX_CRL_BYTES = 16 * 1024 * 1024
"""Some hundred thousand entries."""
_READ_ERRORS = (ValueError, UnsupportedAlgorithm, x509.DuplicateExtension, TypeError)
_KNOWN_CRITICAL = frozenset({x509.IssuingDistributionPoint.oid})


@dataclass(frozen=True, slots=True)
class Crl:
    """One authority's list."""

    der: bytes = field(repr=False)
    issuer: str
    """The authority's name (RFC 4514)."""
    issuer_fingerprint: str
    """SHA-256 of the key (SPKI) that signed the list, 64 hexadecimal digits."""
    number: int
    """The CA counts its lists; 0 where it does not."""
    this_update: int
    """When the list was made, Unix seconds."""
    next_update: int
    """When the next one is due, Unix seconds; 0 where the CA does not say."""
    revoked: Mapping[int, int] = field(repr=False, compare=False)
    """When each certificate was revoked, by serial number."""

    def is_older_than(self, other: "Crl") -> bool:
        """Whether the authority has made `other` later."""
        return (self.number, self.this_update) < (other.number, other.this_update)

    def is_stale(self, now: int) -> bool:
        """Whether a newer list is due; `now` in Unix seconds."""
        return bool(self.next_update) and now > self.next_update


def parse_crl(data: bytes, anchors: Iterable[Anchor], *, is_kept: bool = False) -> Crl:
    """The list in `data` (PEM or DER), signed by one of `anchors`. Raises CrlError.

    One that was taken before and `is_kept` is known by the authority's key alone: its certificate may have
    become another since, with another name, and whom it revoked stays revoked.
    """
    if len(data) > MAX_CRL_BYTES:
        raise CrlError(f"the list is longer than {MAX_CRL_BYTES // (1024 * 1024)} MiB")
    try:
        is_pem = b"-----BEGIN" in data[:1024]
        found = x509.load_pem_x509_crl(data) if is_pem else x509.load_der_x509_crl(data)
        return _read(found, anchors, is_kept=is_kept)
    except _READ_ERRORS as error:
        raise CrlError(
            "the file is no list of revoked certificates (CRL)", hint="give the CA's CRL, PEM or DER"
        ) from error


def _read(found: x509.CertificateRevocationList, anchors: Iterable[Anchor], *, is_kept: bool) -> Crl:
    number = 0
    for extension in found.extensions:
        value = extension.value
        if isinstance(value, x509.DeltaCRLIndicator):
            raise CrlError("the list is a delta: it says only what is new", hint="give the CA's complete CRL")
        if isinstance(value, x509.IssuingDistributionPoint) and value.indirect_crl:
            raise CrlError("the list speaks for other authorities", hint="give the CRL of the CA itself")
        if isinstance(value, x509.CRLNumber):
            number = value.crl_number
        if extension.critical and extension.oid not in _KNOWN_CRITICAL:
            raise CrlError(
                f"the list demands what this device does not know ({extension.oid.dotted_string})",
                hint="give the CA's complete CRL without extensions",
            )
    has_signed = _has_keys_signature if is_kept else _has_signed
    signer = next((anchor for anchor in anchors if has_signed(anchor, found)), None)
    if signer is None:
        raise CrlError(
            f"no anchor of this device has signed the list of {found.issuer.rfc4514_string()}",
            hint="first trust its CA: conclavectl trust add FILE; or see: conclavectl trust list",
        )
    return Crl(
        der=found.public_bytes(Encoding.DER),
        issuer=found.issuer.rfc4514_string(),
        issuer_fingerprint=signer.fingerprint,
        number=number,
        this_update=int(found.last_update_utc.timestamp()),
        next_update=0 if found.next_update_utc is None else int(found.next_update_utc.timestamp()),
        revoked={entry.serial_number: int(entry.revocation_date_utc.timestamp()) for entry in found},
    )


def _has_signed(anchor: Anchor, found: x509.CertificateRevocationList) -> bool:
    if anchor.certificate.subject != found.issuer:
        return False
    try:
        usage = anchor.certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        may_sign = True
    else:
        may_sign = usage.crl_sign
    return may_sign and _has_keys_signature(anchor, found)


def _has_keys_signature(anchor: Anchor, found: x509.CertificateRevocationList) -> bool:
    return found.is_signature_valid(anchor.certificate.public_key())  # type: ignore[arg-type]


def revocation_of(path: Iterable[x509.Certificate], crls: Mapping[str, Crl]) -> tuple[Crl, int] | None:
    """The list that revokes a certificate on a path (leaf first, anchor last), and when it did; or None.

    `crls` are by their issuer's fingerprint.
    """
    for certificate, issuer in pairwise(path):
        crl = crls.get(fingerprint_of(issuer)) if crls else None
        if crl is not None and certificate.serial_number in crl.revoked:
            return crl, crl.revoked[certificate.serial_number]
    return None
