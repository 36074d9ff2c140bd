"""The form of a key file: sealed under the wrapping key, or plain where the admin allowed that.

A sealed file is `magic | wrapping id (16) | salt (32) | nonce (12) | public point (65) | ciphertext`. The
ciphertext is the PKCS#8 key under AES-256-GCM; everything before it is the associated data. The key is
HKDF-SHA256 of the wrapping key with the salt, so every file has its own and no nonce comes twice. The
wrapping id, another output of HKDF, tells a wrong wrapping key from a damaged file.
"""

import os

from cryptography.exceptions import InvalidTag, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.constant_time import bytes_eq
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from conclaved.identity.errors import DamagedKeyError, KeyStoreError, WrongWrappingKeyError
from conclaved.identity.signer import POINT_BYTES, point_of

MIN_WRAPPING_KEY_BYTES = 32
_SEALED_MAGIC = b"conclave sealed key 1\n"
_PLAIN_MAGIC = b"-----BEGIN PRIVATE KEY-----"
_ID_BYTES, _SALT_BYTES, _NONCE_BYTES = 16, 32, 12
_HEADER_BYTES = len(_SEALED_MAGIC) + _ID_BYTES + _SALT_BYTES + _NONCE_BYTES + POINT_BYTES


def is_sealed(content: bytes) -> bool:
    """Whether a key file's content is sealed. Raises `DamagedKeyError` if it is no key file at all."""
    if content.startswith(_SEALED_MAGIC):
        return True
    if content.startswith(_PLAIN_MAGIC):
        return False
    raise DamagedKeyError("the key file is damaged", hint="reset the identity and enroll again")


def seal(key: ec.EllipticCurvePrivateKey, wrapping_key: bytes) -> bytes:
    """The key file's content for ``key`` under ``wrapping_key`` (32 bytes or more, high entropy)."""
    salt, nonce = os.urandom(_SALT_BYTES), os.urandom(_NONCE_BYTES)
    header = _SEALED_MAGIC + _wrapping_id(wrapping_key) + salt + nonce + point_of(key.public_key())
    plain = key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return header + AESGCM(_derive(wrapping_key, b"seal", salt, 32)).encrypt(nonce, plain, header)


def unseal(content: bytes, wrapping_key: bytes) -> ec.EllipticCurvePrivateKey:
    """The key in a sealed file's content. Raises `WrongWrappingKeyError` or `DamagedKeyError`."""
    damaged = DamagedKeyError("the sealed key file is damaged", hint="reset the identity and enroll again")
    header, ciphertext = content[:_HEADER_BYTES], content[_HEADER_BYTES:]
    if len(header) < _HEADER_BYTES:
        raise damaged
    rest = header[len(_SEALED_MAGIC) :]
    wrapping_id, rest = rest[:_ID_BYTES], rest[_ID_BYTES:]
    salt, nonce = rest[:_SALT_BYTES], rest[_SALT_BYTES : _SALT_BYTES + _NONCE_BYTES]
    if not bytes_eq(wrapping_id, _wrapping_id(wrapping_key)):
        raise WrongWrappingKeyError(
            "the device's key is sealed under another wrapping key",
            hint="restore the credential wrapping-key, or reset the identity and enroll again",
        )
    try:
        plain = AESGCM(_derive(wrapping_key, b"seal", salt, 32)).decrypt(nonce, ciphertext, header)
        key = serialization.load_der_private_key(plain, password=None)
    except (InvalidTag, ValueError, UnsupportedAlgorithm) as error:
        raise damaged from error
    return _p256(key)


def write_plain(key: ec.EllipticCurvePrivateKey) -> bytes:
    """The content of an unprotected key file: PKCS#8 PEM."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def read_plain(content: bytes) -> ec.EllipticCurvePrivateKey:
    """The key in an unprotected file's content. Raises `DamagedKeyError`."""
    try:
        key = serialization.load_pem_private_key(content, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        # No `from`: a parser's message could quote the key.
        raise DamagedKeyError("the key file is damaged", hint="reset the identity and enroll again") from None
    return _p256(key)


def check_wrapping_key(wrapping_key: bytes) -> None:
    """Raises `KeyStoreError` if the wrapping key is shorter than 32 bytes."""
    if len(wrapping_key) < MIN_WRAPPING_KEY_BYTES:
        raise KeyStoreError(
            f"the wrapping key has {len(wrapping_key)} bytes, fewer than {MIN_WRAPPING_KEY_BYTES}",
            hint="make it anew with: head -c 32 /dev/urandom",
        )


def _p256(key: object) -> ec.EllipticCurvePrivateKey:
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise DamagedKeyError("the key file holds no P-256 key", hint="reset the identity and enroll again")
    return key


def _wrapping_id(wrapping_key: bytes) -> bytes:
    return _derive(wrapping_key, b"wrapping key id", b"", _ID_BYTES)


def _derive(wrapping_key: bytes, purpose: bytes, salt: bytes, length: int) -> bytes:
    info = b"conclave identity key 1 " + purpose
    return HKDF(algorithm=hashes.SHA256(), length=length, salt=salt, info=info).derive(wrapping_key)
