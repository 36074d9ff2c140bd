"""Reads a signed token: JWS compact serialization, ES256, the signer's chain in `x5c` (RFC 7515, RFC 7518).

It knows nothing of the daemon and takes its tokens for a stranger's: what signs an invitation or a record is
judged here by the standard alone. One profile: the header is `alg`, `typ` and `x5c`, each once. Whether
anybody vouches for the chain is `vouching`'s question.
"""

import base64
import binascii
import json
from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from conclave_provisioning.cli.errors import CommandError, ErrorKind

MAX_CERTIFICATES = 8
MAX_CERTIFICATE_CHARACTERS = 32 * 1024
SIGNATURE_BYTES = 64
CERTIFICATE_ERRORS = (
    ValueError,
    UnsupportedAlgorithm,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)
"""What `cryptography` raises over bytes that are no proper certificate."""


@dataclass(frozen=True, slots=True)
class SignedToken:
    """A token whose signature is right under the first of its certificates."""

    payload: bytes
    chain: tuple[x509.Certificate, ...]
    """The signer's certificates, leaf first; nobody has vouched for them yet."""


def read_token(text: str, *, typ: str, what: str) -> SignedToken:
    """Read a token of type `typ`, which people know as `what` ("the invitation").

    Raises CommandError(NOT_GENUINE) for anything else, changed or malformed.
    """
    parts = text.split(".")
    if len(parts) != 3:
        raise _refusal(what, "is not a signed token")
    chain = _read_header(_octets(parts[0], what), typ, what)
    payload, raw = (_octets(part, what) for part in parts[1:])
    key = _key_of(chain[0], what)
    if len(raw) != SIGNATURE_BYTES:
        raise _refusal(what, "has no ES256 signature")
    half = SIGNATURE_BYTES // 2
    signature = encode_dss_signature(int.from_bytes(raw[:half], "big"), int.from_bytes(raw[half:], "big"))
    try:
        key.verify(signature, f"{parts[0]}.{parts[1]}".encode("ascii"), ec.ECDSA(hashes.SHA256()))
    except InvalidSignature as error:
        raise _refusal(what, "was changed after it was signed") from error
    return SignedToken(payload, chain)


def read_object(payload: bytes, what: str) -> dict[str, object]:
    """Read a payload that is one JSON object. Raises CommandError(NOT_GENUINE)."""
    try:
        found = json.loads(payload.decode(), object_pairs_hook=_once_each, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise _refusal(what, "does not hold what it should") from error
    if not isinstance(found, dict):
        raise _refusal(what, "does not hold what it should")
    return found


def _read_header(encoded: bytes, typ: str, what: str) -> tuple[x509.Certificate, ...]:
    header = read_object(encoded, what)
    if header.keys() != {"alg", "typ", "x5c"} or header["alg"] != "ES256":
        raise _refusal(what, "is not signed as it should be: ES256, with the signer's certificates")
    if header["typ"] != typ:
        raise _refusal(what, f"is something else: a signed token, but not of type {typ}")
    x5c = header["x5c"]
    if not isinstance(x5c, list) or not 1 <= len(x5c) <= MAX_CERTIFICATES:
        raise _refusal(what, f"does not carry 1 to {MAX_CERTIFICATES} certificates")
    return tuple(_certificate(entry, what) for entry in x5c)


def _certificate(entry: object, what: str) -> x509.Certificate:
    if not isinstance(entry, str) or len(entry) > MAX_CERTIFICATE_CHARACTERS:
        raise _refusal(what, "carries a certificate that cannot be read")
    try:
        return x509.load_der_x509_certificate(base64.b64decode(entry, validate=True))
    except CERTIFICATE_ERRORS as error:
        raise _refusal(what, "carries a certificate that cannot be read") from error


def _key_of(certificate: x509.Certificate, what: str) -> ec.EllipticCurvePublicKey:
    try:
        key = certificate.public_key()
    except CERTIFICATE_ERRORS as error:
        raise _refusal(what, "carries a certificate that cannot be read") from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise _refusal(what, "is not signed by a P-256 key")
    return key


def _once_each(pairs: list[tuple[str, object]]) -> dict[str, object]:
    # RFC 7515 §4: of two members with one name, readers would differ in which they believe.
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member stands twice")
    return members


def _no_number(name: str) -> None:
    # NaN and its like are no JSON, and would come out again as none.
    raise ValueError(f"{name} is no number")


def _octets(text: str, what: str) -> bytes:
    try:
        found = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (ValueError, binascii.Error) as error:
        raise _refusal(what, "is damaged") from error
    if base64.urlsafe_b64encode(found).rstrip(b"=").decode("ascii") != text:
        raise _refusal(what, "is damaged")
    return found


def _refusal(what: str, why: str) -> CommandError:
    return CommandError(ErrorKind.NOT_GENUINE, f"{what} {why}")
