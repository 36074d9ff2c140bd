"""Who somebody is, and who this device is.

`TrustStore.assess` judges an X.509 chain: one verdict with its reason, for every event of RFC 9420 §5.3.1.
`KeyStore` keeps the device's own keys and certificate, in a TPM, a token or a file (`key_backends`); `Signer`
is what the rest of the house sees of them.
`jws` signs and verifies the statements that travel outside MLS. The room touches no file but those of
`KeyStore` and `FloorFile`, and no clock but the one that is handed to `BelievedClock`.
"""

from conclaved.identity import jws
from conclaved.identity.account_signer import AccountSigner
from conclaved.identity.anchors import Anchor, fingerprint_of, fingerprint_of_spki, parse_anchor_pem
from conclaved.identity.clock import BelievedClock, FloorFile
from conclaved.identity.crl import Crl, parse_crl
from conclaved.identity.errors import (
    AnchorError,
    ChainError,
    CrlError,
    DamagedKeyError,
    GoneError,
    IdentityError,
    JwsError,
    KeyStoreError,
    LocalIdentityError,
    LostKeyError,
    NameFormatError,
    NoCertificateError,
    PinError,
    RemoteIdentityError,
    UnprotectedKeyError,
    UnreachableKeyError,
    WrappedKeyError,
    WrongSecretError,
    WrongWrappingKeyError,
)
from conclaved.identity.jws import JwsContent
from conclaved.identity.key_backends import (
    KeyBackend,
    PlainBackend,
    Protection,
    SealedBackend,
    read_wrapping_key,
)
from conclaved.identity.key_store import KeyInfo, KeyStore
from conclaved.identity.leaf import claimed_name
from conclaved.identity.names import NameType, canonical_domain, canonical_email, canonical_name, is_within
from conclaved.identity.own_chain import check_own_chain, read_pem_chain
from conclaved.identity.signer import Signer, SoftwareSigner
from conclaved.identity.trust_store import TrustStore
from conclaved.identity.verdict import Assurance, Verdict, check_successor
from conclaved.identity.wrapped_key import WrappedKey, read_wrapped_key

__all__ = [
    "AccountSigner",
    "Anchor",
    "AnchorError",
    "Assurance",
    "BelievedClock",
    "ChainError",
    "Crl",
    "CrlError",
    "DamagedKeyError",
    "FloorFile",
    "GoneError",
    "IdentityError",
    "JwsContent",
    "JwsError",
    "KeyBackend",
    "KeyInfo",
    "KeyStore",
    "KeyStoreError",
    "LocalIdentityError",
    "LostKeyError",
    "NameFormatError",
    "NameType",
    "NoCertificateError",
    "PinError",
    "PlainBackend",
    "Protection",
    "RemoteIdentityError",
    "SealedBackend",
    "Signer",
    "SoftwareSigner",
    "TrustStore",
    "UnprotectedKeyError",
    "UnreachableKeyError",
    "Verdict",
    "WrappedKey",
    "WrappedKeyError",
    "WrongSecretError",
    "WrongWrappingKeyError",
    "canonical_domain",
    "canonical_email",
    "canonical_name",
    "check_own_chain",
    "check_successor",
    "claimed_name",
    "fingerprint_of",
    "fingerprint_of_spki",
    "is_within",
    "jws",
    "parse_anchor_pem",
    "parse_crl",
    "read_pem_chain",
    "read_wrapped_key",
    "read_wrapping_key",
]
