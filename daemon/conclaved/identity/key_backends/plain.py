"""Keys in files that nothing but their mode protects. For simulated rooms, by the admin's word."""

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from conclaved.identity.errors import UnprotectedKeyError
from conclaved.identity.key_backends.backend import MadeKey, Protection, damaged
from conclaved.identity.signer import SoftwareSigner, is_p256


class PlainBackend:
    """PKCS#8 PEM files. Without `is_allowed` it makes none and opens none."""

    protection = Protection.PLAIN

    def __init__(self, *, is_allowed: bool) -> None:
        self._is_allowed = is_allowed

    def __repr__(self) -> str:
        return f"PlainBackend(is_allowed={self._is_allowed})"

    def generate(self) -> MadeKey:
        """Makes a key. Raises `UnprotectedKeyError` if that is not allowed."""
        return self.take_in(ec.generate_private_key(ec.SECP256R1()))

    def take_in(self, key: ec.EllipticCurvePrivateKey) -> MadeKey:
        """Keeps a key that was made elsewhere. Raises `UnprotectedKeyError` if that is not allowed."""
        if not self._is_allowed:
            raise UnprotectedKeyError(
                "a key would lie unprotected on the disk", hint="allow that in the configuration"
            )
        content = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return MadeKey(content, key.public_key())

    def open(self, content: bytes) -> SoftwareSigner:
        """The signer of a key. Raises `UnprotectedKeyError` or `DamagedKeyError`."""
        if not self._is_allowed:
            raise UnprotectedKeyError(
                "the device's key lies unprotected on the disk",
                hint="allow that in the configuration, or enroll again for a key in a better place",
            )
        try:
            key = serialization.load_pem_private_key(content, password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            # No `from`: a parser's message could quote the key.
            raise damaged() from None
        if not isinstance(key, ec.EllipticCurvePrivateKey) or not is_p256(key):
            raise damaged("the device's key file holds no P-256 key")
        return SoftwareSigner(key)

    def remove(self, content: bytes) -> None:
        """The file is all there is."""

    def close(self) -> None:
        """Nothing is held."""
