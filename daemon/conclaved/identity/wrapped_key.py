"""A key with its certificates that was made elsewhere and comes wrapped under a secret.

Two wrappings: PKCS#12 (RFC 7292), and the JWE (RFC 7516) that room devices of Cisco's take, so that an
estate's tools can go on. Of the latter: compact serialization, `alg` *dir*, `enc` *A128GCM* or *A256GCM*, the
key derived from the secret with scrypt (RFC 7914: N 32768, r 8, p 1) under the header's `cisco-kdf`, and the
action *add*; the content is PEM, a private key and its certificates.

Such a key has been outside of this device, whoever made it: a key of its own is better.
"""

import base64
import binascii
import json
from dataclasses import dataclass, field
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidTag, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key, pkcs12

from conclaved.identity.errors import WrappedKeyError, WrongSecretError
from conclaved.identity.leaf import READ_ERRORS

MAX_WRAPPED_BYTES = 128 * 1024
MIN_SALT_BYTES, MAX_SALT_BYTES = 4, 1024
_IV_BYTES, _TAG_BYTES = 12, 16
_KEY_BYTES = {"A128GCM": 16, "A256GCM": 32}
_SCRYPT_N, _SCRYPT_R, _SCRYPT_P = 32768, 8, 1
_HEADER_KEYS = {"alg", "enc", "cisco-action", "cisco-kdf"}


@dataclass(frozen=True, slots=True)
class WrappedKey:
    """What was in the wrapping."""

    key: ec.EllipticCurvePrivateKey = field(repr=False)
    """A P-256 key."""
    chain: tuple[bytes, ...]
    """The certificates, DER, as they were given; not judged yet."""


def read_wrapped_key(content: bytes, secret: bytes) -> WrappedKey:
    """Unwraps a PKCS#12 file or a JWE, told apart by their form.

    Raises `WrongSecretError` where the secret does not open it, `WrappedKeyError` for anything else.
    Takes 100 ms and 32 MiB for a JWE: call it from a worker thread.
    """
    if len(content) > MAX_WRAPPED_BYTES:
        raise WrappedKeyError(f"the file is longer than {MAX_WRAPPED_BYTES} bytes")
    text = content.strip()
    return (
        read_jwe(text, secret) if text.count(b".") == 4 and text.isascii() else read_pkcs12(content, secret)
    )


def read_pkcs12(content: bytes, secret: bytes) -> WrappedKey:
    """Unwraps a PKCS#12 file with a key and its certificate. Raises as `read_wrapped_key`."""
    try:
        found = pkcs12.load_pkcs12(content, secret or None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        # The library says one and the same for a wrong password and for bytes that are none.
        if content[:1] == b"\x30" and b"password" in str(error).lower().encode():
            raise WrongSecretError("the secret does not open the PKCS#12 file") from None
        raise WrappedKeyError(
            "the file is neither PKCS#12 nor a JWE", hint="give the file as the CA or your tool wrote it"
        ) from None
    if found.key is None or found.cert is None:
        raise WrappedKeyError("the PKCS#12 file needs a private key and its certificate")
    certificates = (found.cert.certificate, *(each.certificate for each in found.additional_certs))
    return _checked(found.key, certificates)


def read_jwe(token: bytes, secret: bytes) -> WrappedKey:
    """Unwraps a JWE with PEM in it. Raises as `read_wrapped_key`."""
    content = decrypt_jwe(token, secret)
    try:
        key = load_pem_private_key(_private_pem(content), password=None)
        certificates = x509.load_pem_x509_certificates(content)
    except (*READ_ERRORS, TypeError):
        # The parser's message could quote the key.
        raise WrappedKeyError(
            "what the JWE holds is no PEM of a private key and its certificates",
            hint="encrypt the key, then its certificate and the issuers', one after the other",
        ) from None
    return _checked(key, certificates)


def decrypt_jwe(token: bytes, secret: bytes) -> bytes:
    """The content of a JWE (RFC 7516 §5.2) of this file's profile. Raises as `read_wrapped_key`."""
    parts = token.split(b".")
    if len(parts) != 5 or parts[1]:
        raise WrappedKeyError("a JWE of alg dir has five parts, the second one empty")
    header = _read_header(_decode(parts[0]))
    iv, ciphertext, tag = (_decode(part) for part in parts[2:])
    if len(iv) != _IV_BYTES or len(tag) != _TAG_BYTES:
        raise WrappedKeyError("the JWE needs an IV of 12 bytes and a tag of 16")
    salt = _decode(header["cisco-kdf"]["salt"].encode("ascii", "replace"))
    if not MIN_SALT_BYTES <= len(salt) <= MAX_SALT_BYTES:
        raise WrappedKeyError(f"the salt of cisco-kdf needs at least {MIN_SALT_BYTES} bytes")
    length = _KEY_BYTES[header["enc"]]
    key = Scrypt(salt=salt, length=length, n=_SCRYPT_N, r=_SCRYPT_R, p=_SCRYPT_P).derive(secret)
    try:
        return AESGCM(key).decrypt(iv, ciphertext + tag, parts[0])
    except InvalidTag:
        raise WrongSecretError("the secret does not open the JWE, or it was changed on its way") from None


def _read_header(data: bytes) -> dict[str, Any]:
    try:
        header = json.loads(data)
    except (ValueError, RecursionError):
        raise WrappedKeyError("the header of the JWE is not JSON") from None
    if not isinstance(header, dict) or set(header) != _HEADER_KEYS:
        raise WrappedKeyError(
            f"the header of the JWE must have {', '.join(sorted(_HEADER_KEYS))}, and nothing else"
        )
    kdf = header["cisco-kdf"]
    if not isinstance(kdf, dict) or kdf.get("version") != "1" or not isinstance(kdf.get("salt"), str):
        raise WrappedKeyError('the JWE needs a cisco-kdf of version "1" with a salt')
    if header["alg"] != "dir" or header["enc"] not in tuple(_KEY_BYTES):
        raise WrappedKeyError("the JWE must be of alg dir and enc A128GCM or A256GCM")
    if header["cisco-action"] != "add":
        raise WrappedKeyError("the JWE is for another action than add", hint="wrap it with cisco-action add")
    return header


def _decode(part: bytes) -> bytes:
    """Base64url without padding (RFC 7515 §2)."""
    try:
        if b"=" in part:
            raise ValueError
        return base64.b64decode(part + b"=" * (-len(part) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise WrappedKeyError("a part of the JWE is not base64url") from None


def _private_pem(content: bytes) -> bytes:
    """The block of the private key alone: the library reads no file with both."""
    begin = content.find(b"-----BEGIN ")
    while begin >= 0:
        label, dashes, _ = content[begin + 11 :].partition(b"-----")
        ending = b"-----END " + label + b"-----"
        end = content.find(ending, begin)
        if dashes and end >= 0 and label.endswith(b"PRIVATE KEY"):
            return content[begin : end + len(ending)] + b"\n"
        begin = content.find(b"-----BEGIN ", begin + 1)
    raise ValueError


def _checked(
    key: object, certificates: "tuple[x509.Certificate, ...] | list[x509.Certificate]"
) -> WrappedKey:
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise WrappedKeyError(
            "the private key is not a P-256 key",
            hint="MLS signs with the certificate's key: issue it for P-256",
        )
    if all(certificate.public_key() != key.public_key() for certificate in certificates):
        raise WrappedKeyError("none of the certificates is for the private key")
    return WrappedKey(key, tuple(certificate.public_bytes(Encoding.DER) for certificate in certificates))
