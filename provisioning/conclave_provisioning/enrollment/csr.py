"""A certificate request for a key that this code never sees (RFC 2986).

`cryptography` signs a request with anything that behaves as an elliptic-curve private key. `_DelegatedKey`
does, and hands the bytes to the signer: a file, a TPM or a token. `acme`'s own function wants the key as PEM.
"""

from typing import NoReturn, Protocol

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from conclave_provisioning.enrollment.errors import LocalEnrollmentError


class Signer(Protocol):
    """A P-256 signature key, wherever it lives. `sign` may take 600 ms in a TPM."""

    @property
    def public_key(self) -> bytes:
        """The uncompressed point, 65 bytes."""

    @property
    def certificate_public_key(self) -> ec.EllipticCurvePublicKey:
        """The same key as an object."""

    def sign(self, data: bytes) -> bytes:
        """ECDSA with SHA-256 over ``data``, DER encoded."""


class CarriedRequest:
    """A `Signer` for one request alone: one that a key somewhere else has signed already."""

    def __init__(self, csr: x509.CertificateSigningRequest) -> None:
        """Raises `LocalEnrollmentError` unless it is signed, by a P-256 key, and for one domain alone."""
        try:
            key = csr.public_key()
            names = list(csr.extensions.get_extension_for_class(x509.SubjectAlternativeName).value)
            is_signed = csr.is_signature_valid
        except (ValueError, UnsupportedAlgorithm, x509.ExtensionNotFound, x509.DuplicateExtension) as error:
            raise _unfit("names nobody, or cannot be read") from error
        if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
            raise _unfit("is for another kind of key than P-256")
        if not is_signed:
            raise _unfit("is not signed by its key")
        if len(names) != 1 or not isinstance(names[0], x509.DNSName):
            raise _unfit("is not for one domain alone")
        self.domain = names[0].value
        """The domain that it is for."""
        self._csr = csr
        self._key = key

    @property
    def public_key(self) -> bytes:
        """The uncompressed point, 65 bytes."""
        return self._key.public_bytes(
            serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
        )

    @property
    def certificate_public_key(self) -> ec.EllipticCurvePublicKey:
        """The same key as an object."""
        return self._key

    def sign(self, data: bytes) -> NoReturn:
        """The key is not here. Raises `LocalEnrollmentError`."""
        raise LocalEnrollmentError("the room's key signs in the room only")

    def request(self, domain: str) -> bytes:
        """The request, DER. Raises `LocalEnrollmentError` for another domain."""
        if domain != self.domain:
            raise _unfit(f"is for {self.domain} and not for {domain}")
        return self._csr.public_bytes(serialization.Encoding.DER)


def _unfit(why: str) -> LocalEnrollmentError:
    return LocalEnrollmentError(
        f"the certificate request {why}", hint="have the room make one: conclavectl identity csr DOMAIN"
    )


def build_csr(signer: Signer, domain: str) -> bytes:
    """A request, DER, for ``domain`` alone: it stands in a SAN, and the subject is empty.

    Raises `LocalEnrollmentError` if the signer's signature is not right under its public key.
    """
    if isinstance(signer, CarriedRequest):
        return signer.request(domain)
    request = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(x509.Name([]))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(domain)]), critical=True)
        .sign(_DelegatedKey(signer), hashes.SHA256())
    )
    if not request.is_signature_valid:
        raise LocalEnrollmentError(
            "the device's key signs wrongly", hint="check the key store; reset the identity if it is broken"
        )
    return request.public_bytes(serialization.Encoding.DER)


class _DelegatedKey(ec.EllipticCurvePrivateKey):
    """A private key of which only the signing is here."""

    def __init__(self, signer: Signer) -> None:
        self._signer = signer

    def sign(self, data: object, signature_algorithm: ec.EllipticCurveSignatureAlgorithm) -> bytes:
        if not isinstance(data, bytes) or not isinstance(signature_algorithm.algorithm, hashes.SHA256):
            raise self._unavailable()
        return self._signer.sign(data)

    def public_key(self) -> ec.EllipticCurvePublicKey:
        return self._signer.certificate_public_key

    @property
    def curve(self) -> ec.EllipticCurve:
        return self.public_key().curve

    @property
    def key_size(self) -> int:
        return self.curve.key_size

    def exchange(self, algorithm: ec.ECDH, peer_public_key: ec.EllipticCurvePublicKey) -> NoReturn:
        raise self._unavailable()

    def private_numbers(self) -> NoReturn:
        raise self._unavailable()

    def private_bytes(self, *arguments: object, **options: object) -> NoReturn:
        raise self._unavailable()

    def __copy__(self) -> "_DelegatedKey":
        return self

    def __deepcopy__(self, memo: dict[int, object]) -> "_DelegatedKey":
        return self

    @staticmethod
    def _unavailable() -> LocalEnrollmentError:
        return LocalEnrollmentError("the device's key only signs with ECDSA and SHA-256")
