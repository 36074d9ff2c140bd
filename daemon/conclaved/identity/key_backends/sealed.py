"""Keys in files that are sealed under the wrapping key, which systemd hands over as a credential.

A file is `magic | wrapping id (16) | salt (32) | nonce (12) | public point (65) | ciphertext`. The
ciphertext is the PKCS#8 key under AES-256-GCM; everything before it is the associated data. The key is
HKDF-SHA256 of the wrapping key with the salt, so every file has its own and no nonce comes twice. The
wrapping id, another output of HKDF, tells a wrong wrapping key from a damaged file.
"""

import os
from collections.abc import Mapping
from pathlib import Path

from cryptography.exceptions import InvalidTag, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.constant_time import bytes_eq
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from conclaved.identity.errors import KeyStoreError, UnprotectedKeyError, WrongWrappingKeyError
from conclaved.identity.key_backends.backend import MAGIC, MadeKey, Protection, damaged
from conclaved.identity.signer import POINT_BYTES, SoftwareSigner, is_p256, point_of

MIN_WRAPPING_KEY_BYTES = 32
_MAGIC = MAGIC[Protection.SEALED]
_ID_BYTES, _SALT_BYTES, _NONCE_BYTES = 16, 32, 12
_HEADER_BYTES = len(_MAGIC) + _ID_BYTES + _SALT_BYTES + _NONCE_BYTES + POINT_BYTES


class SealedBackend:
    """Sealed files. Without a wrapping key it makes none and opens none, and says what is missing."""

    protection = Protection.SEALED

    def __init__(self, wrapping_key: bytes | None) -> None:
        """``wrapping_key``: 32 bytes or more, high entropy. Raises `KeyStoreError` for a shorter one."""
        if wrapping_key is not None:
            _check_wrapping_key(wrapping_key)
        self._wrapping_key = wrapping_key

    def __repr__(self) -> str:
        return f"SealedBackend(has_wrapping_key={self._wrapping_key is not None})"

    def generate(self) -> MadeKey:
        """Makes a key. Raises `UnprotectedKeyError` without a wrapping key."""
        return self.take_in(ec.generate_private_key(ec.SECP256R1()))

    def take_in(self, key: ec.EllipticCurvePrivateKey) -> MadeKey:
        """Keeps a key that was made elsewhere. Raises `UnprotectedKeyError` without a wrapping key."""
        if self._wrapping_key is None:
            raise UnprotectedKeyError(
                "there is no wrapping key to seal the device's key with",
                hint="hand over the credential wrapping-key, or choose another [keys] backend",
            )
        return MadeKey(_seal(key, self._wrapping_key), key.public_key())

    def open(self, content: bytes) -> SoftwareSigner:
        """The signer of a key. Raises `WrongWrappingKeyError` or `DamagedKeyError`."""
        if self._wrapping_key is None:
            raise WrongWrappingKeyError(
                "the device's key is sealed and no wrapping key was handed over",
                hint="start the service with its credential wrapping-key",
            )
        return SoftwareSigner(_unseal(content, self._wrapping_key))

    def remove(self, content: bytes) -> None:
        """The file is all there is."""

    def close(self) -> None:
        """Nothing is held."""


def read_wrapping_key(environment: Mapping[str, str] = os.environ) -> bytes | None:
    """The wrapping key that systemd hands over as the credential `wrapping-key`; None if it hands over none.

    Raises `KeyStoreError` if there is one that cannot be read or is shorter than 32 bytes.
    """
    directory = environment.get("CREDENTIALS_DIRECTORY")
    if not directory:
        return None
    path = Path(directory) / "wrapping-key"
    try:
        wrapping_key = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise KeyStoreError(f"the credential wrapping-key cannot be read: {error.strerror}") from error
    _check_wrapping_key(wrapping_key)
    return wrapping_key


def _seal(key: ec.EllipticCurvePrivateKey, wrapping_key: bytes) -> bytes:
    salt, nonce = os.urandom(_SALT_BYTES), os.urandom(_NONCE_BYTES)
    header = _MAGIC + _wrapping_id(wrapping_key) + salt + nonce + point_of(key.public_key())
    plain = key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return header + AESGCM(_derive(wrapping_key, b"seal", salt, 32)).encrypt(nonce, plain, header)


def _unseal(content: bytes, wrapping_key: bytes) -> ec.EllipticCurvePrivateKey:
    header, ciphertext = content[:_HEADER_BYTES], content[_HEADER_BYTES:]
    if len(header) < _HEADER_BYTES or not header.startswith(_MAGIC):
        raise damaged()
    rest = header[len(_MAGIC) :]
    wrapping_id, rest = rest[:_ID_BYTES], rest[_ID_BYTES:]
    salt, nonce = rest[:_SALT_BYTES], rest[_SALT_BYTES : _SALT_BYTES + _NONCE_BYTES]
    if not bytes_eq(wrapping_id, _wrapping_id(wrapping_key)):
        raise WrongWrappingKeyError(
            "the device's key is sealed under another wrapping key",
            hint="restore the credential wrapping-key, or enroll again with --new-key",
        )
    try:
        plain = AESGCM(_derive(wrapping_key, b"seal", salt, 32)).decrypt(nonce, ciphertext, header)
        key = serialization.load_der_private_key(plain, password=None)
    except (InvalidTag, ValueError, UnsupportedAlgorithm) as error:
        raise damaged() from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not is_p256(key):
        raise damaged("the device's key file holds no P-256 key")
    return key


def _check_wrapping_key(wrapping_key: bytes) -> None:
    if len(wrapping_key) < MIN_WRAPPING_KEY_BYTES:
        raise KeyStoreError(
            f"the wrapping key has {len(wrapping_key)} bytes, fewer than {MIN_WRAPPING_KEY_BYTES}",
            hint="make it anew with: head -c 32 /dev/urandom",
        )


def _wrapping_id(wrapping_key: bytes) -> bytes:
    return _derive(wrapping_key, b"wrapping key id", b"", _ID_BYTES)


def _derive(wrapping_key: bytes, purpose: bytes, salt: bytes, length: int) -> bytes:
    info = b"conclave identity key 1 " + purpose
    return HKDF(algorithm=hashes.SHA256(), length=length, salt=salt, info=info).derive(wrapping_key)
