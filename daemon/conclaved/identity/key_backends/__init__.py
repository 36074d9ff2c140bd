"""Where the device's private keys live, one file a place: a TPM, a PKCS#11 token, a sealed or a plain file.

A backend makes a key, opens what it has made, and removes it. What it hands out to be kept in a file is
worthless without it; a private key it never hands out. Which key is the device's, with which certificate,
is `KeyStore`'s to know, above.
"""

from conclaved.identity.key_backends.backend import KeyBackend, MadeKey, Protection, protection_of
from conclaved.identity.key_backends.plain import PlainBackend
from conclaved.identity.key_backends.sealed import SealedBackend, read_wrapping_key

__all__ = [
    "KeyBackend",
    "MadeKey",
    "PlainBackend",
    "Protection",
    "SealedBackend",
    "protection_of",
    "read_wrapping_key",
]
