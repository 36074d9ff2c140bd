"""What signs as this device: a P-256 key, wherever it lives."""

from typing import NoReturn, Protocol

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from conclaved.identity.errors import LocalIdentityError

POINT_BYTES = 65


class Signer(Protocol):
    """A P-256 signature key that may live in a file, a TPM or a token.

    `sign` may take 600 ms in a real TPM: call it from a worker thread, never from the event loop.
    """

    @property
    def public_key(self) -> bytes:
        """The uncompressed point, 65 bytes: MLS's SignaturePublicKey of suite 2 (RFC 9420 §5.1.1)."""

    @property
    def certificate_public_key(self) -> ec.EllipticCurvePublicKey:
        """The same key as an object, for certificates and requests."""

    def sign(self, data: bytes) -> bytes:
        """ECDSA with SHA-256 over ``data``, DER encoded (RFC 8446 §4.2.3, as RFC 9420 §5.1.2 wants it)."""


class NotCopied:
    """A key has one owner: who would copy or pickle its signer gets a TypeError, and no second key."""

    __slots__ = ()

    def __copy__(self) -> NoReturn:
        raise TypeError(f"a {type(self).__name__} is not copied")

    def __deepcopy__(self, memo: dict[int, object]) -> NoReturn:
        raise TypeError(f"a {type(self).__name__} is not copied")

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError(f"a {type(self).__name__} is not pickled")


class SoftwareSigner(NotCopied):
    """A signer whose key is in this process's memory."""

    __slots__ = ("_key", "_point")

    def __init__(self, key: ec.EllipticCurvePrivateKey) -> None:
        if not is_p256(key):
            raise LocalIdentityError(f"a signer needs a P-256 key, not one on {key.curve.name}")
        self._key = key
        self._point = point_of(key.public_key())

    @classmethod
    def generate(cls) -> "SoftwareSigner":
        """A signer with a fresh key."""
        return cls(ec.generate_private_key(ec.SECP256R1()))

    @property
    def public_key(self) -> bytes:
        """The uncompressed point, 65 bytes."""
        return self._point

    @property
    def certificate_public_key(self) -> ec.EllipticCurvePublicKey:
        """The public key as an object."""
        return self._key.public_key()

    def sign(self, data: bytes) -> bytes:
        """ECDSA with SHA-256 over ``data``, DER encoded."""
        return self._key.sign(data, ec.ECDSA(hashes.SHA256()))

    def __repr__(self) -> str:
        return f"SoftwareSigner(public_key={self._point[:5].hex()}...)"


def point_of(key: ec.EllipticCurvePublicKey) -> bytes:
    """The uncompressed point of a public key: 65 bytes for P-256."""
    return key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def is_p256(key: ec.EllipticCurvePrivateKey | ec.EllipticCurvePublicKey) -> bool:
    """Whether a key is on the curve of MLS's suite 2."""
    return isinstance(key.curve, ec.SECP256R1)
