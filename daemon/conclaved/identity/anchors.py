"""Trust anchors: the authorities that the admin, or the provider's enrollment, gave this device."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from conclaved.identity.errors import AnchorError, NameFormatError
from conclaved.identity.names import canonical_domain
from conclaved.identity.verdict import Assurance

MAX_ANCHOR_PEM_BYTES = 1024 * 1024
_PEM_BLOCK = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----")


@dataclass(frozen=True, slots=True)
class Anchor:
    """One authority and what it may vouch for. Raises `AnchorError` if made of what cannot be one."""

    certificate: x509.Certificate
    """The authority's certificate; it need not be self-signed."""
    kind: Assurance
    """VERIFIED or PROVIDER: what a chain that ends here can reach."""
    domains: tuple[str, ...] = ()
    """Canonical domains that it may vouch for, each with all below it; empty: any."""
    label: str = ""
    """The admin's word for it."""

    def __post_init__(self) -> None:
        if self.kind is Assurance.UNKNOWN:
            raise AnchorError("an anchor is either for verified identities or the provider's")
        try:
            canonical = tuple(canonical_domain(domain) for domain in self.domains)
        except NameFormatError as error:
            raise AnchorError(f"an anchor's domain is not one: {error}") from error
        object.__setattr__(self, "domains", canonical)
        try:
            constraints = self.certificate.extensions.get_extension_for_class(x509.BasicConstraints)
            fingerprint_of(self.certificate)
        except (x509.ExtensionNotFound, x509.DuplicateExtension, ValueError, UnsupportedAlgorithm) as error:
            raise AnchorError(
                "the certificate is not a certificate authority's", hint="add the CA's own certificate"
            ) from error
        if not constraints.value.ca:
            raise AnchorError(
                "the certificate is not a certificate authority's", hint="add the CA's own certificate"
            )

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the authority's public key (SPKI), 64 hexadecimal digits."""
        return fingerprint_of(self.certificate)

    @property
    def shown_name(self) -> str:
        """The label, or the fingerprint where there is none."""
        return self.label or self.fingerprint

    @property
    def pem(self) -> str:
        """The certificate as PEM text."""
        return self.certificate.public_bytes(Encoding.PEM).decode("ascii")


def parse_anchor_pem(
    pem: str | bytes, *, kind: Assurance, domains: Iterable[str] = (), label: str = ""
) -> tuple[Anchor, ...]:
    """The anchors in a PEM text, at least one, all of one kind and for the same ``domains``.

    Text around the blocks is ignored, as in the bundles that CAs publish; a block that is no certificate (a
    private key, say) is refused. Raises `AnchorError`.
    """
    data = pem.encode("utf-8", "replace") if isinstance(pem, str) else pem
    if len(data) > MAX_ANCHOR_PEM_BYTES:
        raise AnchorError(f"the file is longer than {MAX_ANCHOR_PEM_BYTES} bytes")
    kinds = set(_PEM_BLOCK.findall(data))
    if kinds - {b"CERTIFICATE"}:
        raise AnchorError(
            "the file holds something else beside certificates",
            hint="give certificates only; never a private key",
        )
    try:
        certificates = x509.load_pem_x509_certificates(data)
    except (ValueError, x509.InvalidVersion) as error:
        raise AnchorError("the file holds no readable PEM certificate") from error
    domain_tuple = tuple(domains)
    return tuple(Anchor(certificate, kind, domain_tuple, label) for certificate in certificates)


def fingerprint_of(certificate: x509.Certificate) -> str:
    """SHA-256 of a certificate's SubjectPublicKeyInfo, 64 hexadecimal digits.

    Raises ValueError or UnsupportedAlgorithm if the key cannot be read.
    """
    return fingerprint_of_spki(
        certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    )


def fingerprint_of_spki(spki: bytes) -> str:
    """SHA-256 of a DER SubjectPublicKeyInfo, 64 hexadecimal digits."""
    digest = hashes.Hash(hashes.SHA256())
    digest.update(spki)
    return digest.finalize().hex()
