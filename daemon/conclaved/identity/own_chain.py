"""A certificate chain that somebody brings for this device, judged before it is put into force.

Prevents: a certificate for another device's key, or for another domain than the admin asked for; one that no
other room would accept, so that the mistake shows here and not in a meeting; and certificates that do not
belong together. Whether anybody trusts the authority is for those who see the chain to say.
"""

from collections.abc import Collection, Sequence

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from conclaved.identity.anchors import fingerprint_of
from conclaved.identity.errors import ChainError
from conclaved.identity.leaf import READ_ERRORS, Leaf, RefusedError, read_leaf
from conclaved.identity.signer import point_of

MAX_PEM_BYTES = 128 * 1024
MAX_CHAIN_CERTIFICATES = 8
_LINK_ERRORS = (InvalidSignature, UnsupportedAlgorithm, ValueError, TypeError)
"""What `cryptography` raises where one certificate was not issued by another."""


def read_pem_chain(pem: bytes) -> tuple[bytes, ...]:
    """The certificates of a PEM file, DER, in its order. Raises `ChainError`, for a private key in it too."""
    if len(pem) > MAX_PEM_BYTES:
        raise ChainError(
            f"the file is longer than {MAX_PEM_BYTES} bytes", hint="give the chain alone, as PEM"
        )
    if b"PRIVATE KEY-----" in pem:
        raise ChainError(
            "the file holds a private key",
            hint="treat that key as disclosed; the certificate must be for this device's own key: "
            "conclavectl identity csr DOMAIN",
        )
    try:
        certificates = x509.load_pem_x509_certificates(pem)
    except READ_ERRORS as error:
        raise ChainError(
            "the file holds no certificate that can be read", hint="give the chain as PEM"
        ) from error
    return tuple(certificate.public_bytes(Encoding.DER) for certificate in certificates)


def check_own_chain(
    chain: Sequence[bytes], fingerprints: Collection[str], domain: str, *, now: int | None
) -> tuple[bytes, ...]:
    """The chain (DER), in order: leaf first, each issued by the next, without a root that signed itself.

    ``chain`` may be in any order. ``fingerprints``: of the keys (SHA-256 of the SPKI, hex) of which one must
    be the leaf's; ``domain`` is canonical; ``now`` is Unix time, None where no clock is believed. Raises
    `ChainError`.
    """
    if not 1 <= len(chain) <= MAX_CHAIN_CERTIFICATES:
        raise ChainError(f"a chain has 1 to {MAX_CHAIN_CERTIFICATES} certificates, not {len(chain)}")
    leaf, rest = _take_leaf(chain, fingerprints)
    if leaf.name != domain:
        raise ChainError(
            f"the certificate is for {leaf.name} and not for {domain}",
            hint="give the right file, or name the domain: --domain",
        )
    if now is not None and now > leaf.not_after:
        raise ChainError("the certificate has expired", hint="have a new one issued, for a new request")
    if now is not None and now < leaf.not_before:
        raise ChainError("the certificate is not valid yet", hint="see whether the clock is right")
    return _in_order(leaf.certificate, rest)


def _take_leaf(chain: Sequence[bytes], fingerprints: Collection[str]) -> tuple[Leaf, list[x509.Certificate]]:
    """The one that is for a key of ours, and the others."""
    leaf, rest = None, []
    for der in chain:
        certificate = _read(der)
        if _fingerprint(certificate) not in fingerprints:
            rest.append(certificate)
        elif leaf is not None:
            raise ChainError("the file holds two certificates for this device", hint="give one chain")
        else:
            leaf = _read_leaf(der, _point(certificate))
    if leaf is None:
        raise ChainError(
            "no certificate in the file is for this device's key",
            hint="have it issued for the request that this prints: conclavectl identity csr DOMAIN",
        )
    return leaf, rest


def _fingerprint(certificate: x509.Certificate) -> str:
    try:
        return fingerprint_of(certificate)
    except READ_ERRORS:
        return ""


def _point(certificate: x509.Certificate) -> bytes:
    """The certificate's key as MLS encodes it; empty for one that is not on P-256."""
    key = certificate.public_key()
    if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1):
        return point_of(key)
    return b""


def _read_leaf(der: bytes, key: bytes) -> Leaf:
    try:
        return read_leaf(der, key)
    except RefusedError as refusal:
        raise ChainError(
            f"no other room would accept it: {refusal}", hint="have it issued as the request says"
        ) from refusal


def _read(der: bytes) -> x509.Certificate:
    try:
        return x509.load_der_x509_certificate(der)
    except READ_ERRORS as error:
        raise ChainError("a certificate of the chain cannot be read") from error


def _in_order(leaf: x509.Certificate, rest: list[x509.Certificate]) -> tuple[bytes, ...]:
    ordered, left = [leaf], list(rest)
    while True:
        issuer = next((each for each in left if _is_issued_by(ordered[-1], each)), None)
        if issuer is None:
            break
        left.remove(issuer)
        ordered.append(issuer)
    if left:
        raise ChainError(
            "a certificate in the file does not belong to the chain",
            hint="give the leaf and its issuers only",
        )
    if len(ordered) > 1 and _is_issued_by(ordered[-1], ordered[-1]):
        # Who trusts a root has it; RFC 8446 §4.4.2 lets it be left out.
        ordered.pop()
    return tuple(certificate.public_bytes(Encoding.DER) for certificate in ordered)


def _is_issued_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except _LINK_ERRORS:
        return False
    return True
