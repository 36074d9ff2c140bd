"""A device's key as enrollment sees it: something that signs."""

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from tests.pki import point_of


class KeyInMemory:
    """A signer that counts its signatures."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self.signatures = 0

    @property
    def public_key(self) -> bytes:
        return point_of(self._key)

    @property
    def certificate_public_key(self) -> ec.EllipticCurvePublicKey:
        return self._key.public_key()

    def sign(self, data: bytes) -> bytes:
        self.signatures += 1
        return self._key.sign(data, ec.ECDSA(hashes.SHA256()))
