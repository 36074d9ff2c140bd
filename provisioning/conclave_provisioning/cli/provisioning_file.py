"""Makes provisioning files on the laptop: a compact JWS, ES256, the signer's certificate in `x5c`.

A device obeys the signer's key and looks at nothing else of the certificate, which is why a self-signed one
without dates does.
"""

import base64
import hashlib
import json
import tomllib
from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID

from conclave_provisioning.cli.errors import CommandError, ErrorKind
from conclave_provisioning.cli.signed_token import read_object, read_token

TYP = "conclave-provisioning+jws"
WHAT = "the provisioning file"
VERSION = 1
MAX_BYTES = 1024 * 1024
HALF_OF_SIGNATURE = 32
MAKE_ONE = "make one: conclavectl provision signer --out signer.pem"


@dataclass(frozen=True, slots=True)
class Signer:
    """Who signs: a P-256 key, and the certificate that carries its public half."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @property
    def fingerprint(self) -> str:
        """What the image names: SHA-256 of the public key, hex."""
        return fingerprint_of(self.certificate)


def fingerprint_of(certificate: x509.Certificate) -> str:
    """Return the SHA-256 of a certificate's public key (SubjectPublicKeyInfo), lower-case hex."""
    key = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(key).hexdigest()


def make_signer(name: str) -> Signer:
    """Make a key, and a self-signed certificate that does not end (RFC 5280 §4.1.2.5)."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC))
        .sign(key, hashes.SHA256())
    )
    return Signer(key, certificate)


def signer_pem(signer: Signer, passphrase: str) -> bytes:
    """Return a signer as PEM, the key encrypted if there is a passphrase."""
    encryption = BestAvailableEncryption(passphrase.encode()) if passphrase else NoEncryption()
    key = signer.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)
    return key + signer.certificate.public_bytes(Encoding.PEM)


def is_encrypted(pem: bytes) -> bool:
    """Whether reading the signer takes a passphrase."""
    return b"ENCRYPTED PRIVATE KEY-----" in pem


def read_signer(pem: bytes, passphrase: str = "") -> Signer:
    """Return the signer in a PEM of key and certificate. Raises CommandError."""
    try:
        key = load_pem_private_key(pem, passphrase.encode() or None)
        certificate = x509.load_pem_x509_certificate(pem)
    except (ValueError, TypeError) as error:
        words = "the passphrase is wrong" if passphrase else "holds no private key with its certificate"
        raise CommandError(ErrorKind.INVALID_ARGUMENT, f"the signer's file {words}", hint=MAKE_ONE) from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise CommandError(ErrorKind.INVALID_ARGUMENT, "the signer's key is not of P-256", hint=MAKE_ONE)
    if certificate.public_key() != key.public_key():
        raise CommandError(
            ErrorKind.INVALID_ARGUMENT, "the signer's certificate is another key's", hint=MAKE_ONE
        )
    return Signer(key, certificate)


@dataclass(frozen=True, slots=True)
class Content:
    """What a file says."""

    serial: int
    """Grows from file to file of a signer: seconds since 1970 do."""
    devices: tuple[str, ...]
    not_before: int
    not_after: int
    replace: bool
    settings: str
    """The document of `config apply`; may hold secrets."""

    @property
    def keys(self) -> tuple[str, ...]:
        """The tables and keys that the document sets. Raises CommandError if it is not TOML."""
        try:
            document = tomllib.loads(self.settings)
        except tomllib.TOMLDecodeError as error:
            raise CommandError(
                ErrorKind.INVALID_ARGUMENT,
                f"the settings are not TOML: {error}",
                hint="begin with what another room says: conclavectl config get --document",
            ) from error
        return tuple(_flat("", document))


def sign(content: Content, signer: Signer) -> str:
    """Return the file's text. Raises CommandError for one that no device would take."""
    if not content.keys:
        raise CommandError(
            ErrorKind.INVALID_ARGUMENT, "the settings set nothing", hint="see: conclavectl config schema"
        )
    payload = {
        "version": VERSION,
        "serial": content.serial,
        "devices": list(content.devices),
        "not_before": content.not_before,
        "not_after": content.not_after,
        "replace": content.replace,
        "settings": content.settings,
    }
    der = signer.certificate.public_bytes(Encoding.DER)
    header = {"alg": "ES256", "typ": TYP, "x5c": [base64.b64encode(der).decode()]}
    text = ".".join(_encoded(json.dumps(part, separators=(",", ":")).encode()) for part in (header, payload))
    r, s = decode_dss_signature(signer.key.sign(text.encode(), ec.ECDSA(hashes.SHA256())))
    raw = r.to_bytes(HALF_OF_SIGNATURE, "big") + s.to_bytes(HALF_OF_SIGNATURE, "big")
    token = f"{text}.{_encoded(raw)}"
    if len(token) > MAX_BYTES:
        raise CommandError(
            ErrorKind.INVALID_ARGUMENT,
            f"the file has more than {MAX_BYTES // 1024} KiB",
            hint="sign several, for fewer devices each",
        )
    return token


def read(text: str) -> tuple[Content, str]:
    """Return what a file says, and its signer's fingerprint. Raises CommandError(NOT_GENUINE)."""
    token = read_token(text.strip(), typ=TYP, what=WHAT)
    members = read_object(token.payload, WHAT)
    try:
        content = Content(
            serial=int(str(members["serial"])),
            devices=tuple(map(str, _list(members["devices"]))),
            not_before=int(str(members["not_before"])),
            not_after=int(str(members["not_after"])),
            replace=members["replace"] is True,
            settings=str(members["settings"]),
        )
    except (KeyError, ValueError) as error:
        raise CommandError(ErrorKind.NOT_GENUINE, f"{WHAT} does not hold what it should") from error
    return content, fingerprint_of(token.chain[0])


def _flat(prefix: str, table: dict[str, object]) -> list[str]:
    found = []
    for name, value in table.items():
        key = f"{prefix}.{name}" if prefix else name
        found += _flat(key, value) if isinstance(value, dict) else [key]
    return found


def _list(value: object) -> list[object]:
    if not isinstance(value, list):
        raise ValueError("not a list")
    return value


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")
