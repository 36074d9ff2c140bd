"""X.509 identities for the clients of one group: a chain of two for each, under one root."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from conclaved.mls import CipherSuite
from tests.peers.client import Certified, Identity

SUITES = (1, 2, 3, 7)
"""Whose signature keys public authorities could certify."""
_ED25519_SUITES = (CipherSuite(1), CipherSuite(3))


def _key_for(suite: CipherSuite) -> CertificateIssuerPrivateKeyTypes:
    if suite in _ED25519_SUITES:
        return ed25519.Ed25519PrivateKey.generate()
    return ec.generate_private_key(ec.SECP384R1() if suite == CipherSuite(7) else ec.SECP256R1())


def _certificate(
    name: str,
    key: CertificateIssuerPrivateKeyTypes,
    issuer: tuple[str, CertificateIssuerPrivateKeyTypes],
    *,
    is_authority: bool,
) -> bytes:
    now = datetime.now(UTC)
    issuer_name, issuer_key = issuer
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer_name)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=47))
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
    )
    algorithm = None if isinstance(issuer_key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    return builder.sign(issuer_key, algorithm).public_bytes(Encoding.DER)


def identities(suite: CipherSuite, names: Iterable[str]) -> dict[str, Identity]:
    """A certified identity for each name; keys of the suite's signature scheme. One of `SUITES`."""
    root, intermediate = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    root_der = _certificate("root", root, ("root", root), is_authority=True)
    middle = _certificate("intermediate", intermediate, ("root", root), is_authority=True)
    found: dict[str, Identity] = {}
    for name in names:
        key = _key_for(suite)
        end = _certificate(name, key, ("intermediate", intermediate), is_authority=False)
        found[name] = Certified((end, middle), key, (root_der,))
    return found
