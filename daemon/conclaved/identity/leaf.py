"""What this device demands of the certificate that names somebody, before it looks at who vouches for it.

`cryptography`'s path validation leaves these open: it takes RSA-1024 and other curves as leaf keys,
wildcards, a leaf with no EKU, and a leaf with no name.
"""

from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from conclaved.identity.errors import NameFormatError
from conclaved.identity.names import NameType, canonical_domain, canonical_email
from conclaved.identity.signer import point_of

MAX_CERTIFICATE_BYTES = 16 * 1024
MAX_LIFETIME_S = 825 * 24 * 3600
"""The longest life a leaf may have: what platforms accept from a private CA."""

# Public CAs issue serverAuth alone; a CA of the customer's may prefer clientAuth for its rooms.
_PURPOSES = {
    NameType.DNS: (ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH),
    NameType.EMAIL: (ExtendedKeyUsageOID.EMAIL_PROTECTION, ExtendedKeyUsageOID.CLIENT_AUTH),
}
READ_ERRORS = (
    ValueError,
    UnsupportedAlgorithm,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)
"""What `cryptography` raises over bytes that are no proper certificate."""


class RefusedError(Exception):
    """A chain is refused; the message is one line for people. It never leaves this room."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """A leaf that meets every demand but that of being vouched for."""

    certificate: x509.Certificate
    name_type: NameType
    name: str
    purposes: tuple[x509.ObjectIdentifier, ...]
    """Those of its EKUs under which its kind of name may be vouched for; at least one."""
    not_before: int
    not_after: int


def read_leaf(der: bytes, signature_key: bytes) -> Leaf:
    """Reads and checks a leaf, all but time and trust. Raises `RefusedError` with the reason.

    ``signature_key`` is the 65-byte point that the certificate must hold (RFC 9420 §5.3).
    """
    certificate = read_certificate(der)
    try:
        _check_key(certificate, signature_key)
        extensions = certificate.extensions
        name_type, name = _read_name(extensions)
        _check_usage(extensions)
        purposes = _read_purposes(extensions, name_type)
        not_before = int(certificate.not_valid_before_utc.timestamp())
        not_after = int(certificate.not_valid_after_utc.timestamp())
    except READ_ERRORS as error:
        raise RefusedError("the certificate cannot be read") from error
    if not_after - not_before > MAX_LIFETIME_S:
        raise RefusedError(f"the certificate is made for more than {MAX_LIFETIME_S // 86400} days")
    return Leaf(certificate, name_type, name, purposes, not_before, not_after)


def claimed_name(der: bytes) -> str:
    """The name that a certificate claims, canonical; "" where it is none that `read_leaf` would take.

    Nothing vouches for it: anybody can make a certificate that says anything. For rules that all who
    see the certificate are to apply alike, whomever they trust.
    """
    try:
        return _read_name(read_certificate(der).extensions)[1]
    except (RefusedError, *READ_ERRORS):
        return ""


def read_certificate(der: bytes) -> x509.Certificate:
    """A certificate from DER. Raises `RefusedError`."""
    if len(der) > MAX_CERTIFICATE_BYTES:
        raise RefusedError(f"a certificate is longer than {MAX_CERTIFICATE_BYTES} bytes")
    try:
        return x509.load_der_x509_certificate(der)
    except READ_ERRORS as error:
        raise RefusedError("a certificate cannot be read") from error


def _check_key(certificate: x509.Certificate, signature_key: bytes) -> None:
    key = certificate.public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise RefusedError("the certificate's key is not a P-256 key")
    if point_of(key) != signature_key:
        raise RefusedError("the certificate belongs to another key than the one that signs")


def _read_name(extensions: x509.Extensions) -> tuple[NameType, str]:
    try:
        san = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound as error:
        raise RefusedError("the certificate names nobody in its SAN") from error
    domains = san.get_values_for_type(x509.DNSName)
    addresses = san.get_values_for_type(x509.RFC822Name)
    if len(domains) + len(addresses) != 1:
        raise RefusedError("the certificate must name exactly one domain or one mail address")
    try:
        if domains:
            return NameType.DNS, canonical_domain(domains[0])
        return NameType.EMAIL, canonical_email(addresses[0])
    except NameFormatError as error:
        raise RefusedError(f"the certificate's name is not acceptable: {error}") from error


def _check_usage(extensions: x509.Extensions) -> None:
    try:
        if extensions.get_extension_for_class(x509.BasicConstraints).value.ca:
            raise RefusedError("the certificate is an authority's, not somebody's own")
    except x509.ExtensionNotFound:
        pass
    try:
        if not extensions.get_extension_for_class(x509.KeyUsage).value.digital_signature:
            raise RefusedError("the certificate's key may not sign")
    except x509.ExtensionNotFound:
        pass


def _read_purposes(extensions: x509.Extensions, name_type: NameType) -> tuple[x509.ObjectIdentifier, ...]:
    try:
        stated = set(extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)
    except x509.ExtensionNotFound as error:
        raise RefusedError("the certificate states no extended key usage") from error
    purposes = tuple(purpose for purpose in _PURPOSES[name_type] if purpose in stated)
    if not purposes:
        raise RefusedError("the certificate's extended key usage does not fit its kind of name")
    return purposes
