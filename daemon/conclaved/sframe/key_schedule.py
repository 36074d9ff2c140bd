"""From a base key to the key and salt of one KID (RFC 9605 §4.4.2)."""

from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from conclaved.sframe.cipher_suite import CipherSuite

KEY_LABEL = b"SFrame 1.0 Secret key "
SALT_LABEL = b"SFrame 1.0 Secret salt "


def derive_key_salt(suite: CipherSuite, kid: int, base_key: bytes | bytearray) -> tuple[bytearray, bytearray]:
    """`sframe_key` (Nk bytes) and `sframe_salt` (Nn bytes) for `kid`.

    Both are fresh bytearrays that the caller owns and overwrites after use.
    """
    parameters = suite.parameters
    suffix = kid.to_bytes(8, "big") + suite.to_bytes(2, "big")
    key, salt = bytearray(parameters.nk), bytearray(parameters.nn)
    for label, out in ((KEY_LABEL, key), (SALT_LABEL, salt)):
        hkdf = HKDF(parameters.hash_algorithm(), length=len(out), salt=b"", info=label + suffix)
        hkdf.derive_into(base_key, out)
    return key, salt
