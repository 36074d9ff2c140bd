"""Signed tokens: JWS compact serialization, ES256, the signer's chain in `x5c` (RFC 7515, RFC 7518 §3.4).

One profile and no more: the header has `alg`, `typ` and `x5c`, each exactly once, and nothing else. So there
is no `none`, no key from a URL, no `crit`, and one byte string for one signed content. Whether the chain can
be trusted is not decided here: `TrustStore.assess` is asked with `chain` and `signature_key`.
"""

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from conclaved.identity.errors import JwsError, LocalIdentityError
from conclaved.identity.signer import Signer, point_of

MAX_TOKEN_BYTES = 64 * 1024
MAX_CERTIFICATES = 8
_COORDINATE_BYTES = 32
_SIGNATURE_BYTES = 2 * _COORDINATE_BYTES


@dataclass(frozen=True, slots=True)
class JwsContent:
    """What a token says, and the key that said it."""

    payload: bytes
    """The signed bytes."""
    chain: tuple[bytes, ...]
    """The signer's certificates, DER, leaf first, as sent: not yet trusted."""
    signature_key: bytes
    """The leaf's P-256 point, 65 bytes, under which the signature is right."""


def sign(
    payload: bytes, signer: Signer, chain: Sequence[bytes], *, typ: str, max_bytes: int = MAX_TOKEN_BYTES
) -> str:
    """A compact JWS over ``payload`` by ``signer``, with its ``chain`` (DER, leaf first) in the header.

    ``typ`` says what kind of statement this is, so that one kind is never taken for another. Raises
    `LocalIdentityError` if the chain is not the signer's or the token would pass ``max_bytes`` (64 KiB).
    """
    if not chain or len(chain) > MAX_CERTIFICATES:
        raise LocalIdentityError(f"a token carries 1 to {MAX_CERTIFICATES} certificates, not {len(chain)}")
    try:
        leaf_key = _leaf_key(chain[0])
    except JwsError as error:
        raise LocalIdentityError(str(error)) from error
    if point_of(leaf_key) != signer.public_key:
        raise LocalIdentityError("the certificate chain belongs to another key than the signer's")
    header = {"alg": "ES256", "typ": typ, "x5c": [base64.b64encode(der).decode("ascii") for der in chain]}
    signing_input = f"{_encode(json.dumps(header, separators=(',', ':')).encode())}.{_encode(payload)}"
    r, s = decode_dss_signature(signer.sign(signing_input.encode("ascii")))
    raw = r.to_bytes(_COORDINATE_BYTES, "big") + s.to_bytes(_COORDINATE_BYTES, "big")
    token = f"{signing_input}.{_encode(raw)}"
    if len(token) > max_bytes:
        raise LocalIdentityError(f"the token has {len(token)} bytes, more than {max_bytes}")
    return token


def verify(token: str, *, typ: str, max_bytes: int = MAX_TOKEN_BYTES) -> JwsContent:
    """Checks a token's form and its signature under its own leaf certificate (RFC 7515 §5.2).

    Raises `JwsError` for anything that `sign` with this ``typ`` and ``max_bytes`` would not have made.
    """
    if len(token) > max_bytes:
        raise JwsError(f"the token is longer than {max_bytes} bytes")
    parts = token.split(".")
    if len(parts) != 3:
        raise JwsError("a token has three parts, separated by dots")
    chain = _read_header(_decode(parts[0], "header"), typ)
    payload = _decode(parts[1], "payload")
    raw = _decode(parts[2], "signature")
    if len(raw) != _SIGNATURE_BYTES:
        raise JwsError(f"an ES256 signature has {_SIGNATURE_BYTES} bytes, not {len(raw)}")
    key = _leaf_key(chain[0])
    r, s = (int.from_bytes(half, "big") for half in (raw[:_COORDINATE_BYTES], raw[_COORDINATE_BYTES:]))
    try:
        key.verify(
            encode_dss_signature(r, s), f"{parts[0]}.{parts[1]}".encode("ascii"), ec.ECDSA(hashes.SHA256())
        )
    except InvalidSignature as error:
        raise JwsError("the token's signature is not by the key of its certificate") from error
    return JwsContent(payload=payload, chain=chain, signature_key=point_of(key))


def _read_header(encoded: bytes, typ: str) -> tuple[bytes, ...]:
    try:
        header: object = json.loads(encoded.decode("utf-8"), object_pairs_hook=_unique_members)
    except (ValueError, RecursionError) as error:
        raise JwsError("the token's header is not JSON") from error
    if not isinstance(header, dict) or header.keys() != {"alg", "typ", "x5c"}:
        raise JwsError("the token's header must have alg, typ and x5c, and nothing else")
    if header["alg"] != "ES256":
        raise JwsError("the token's algorithm must be ES256")
    if header["typ"] != typ:
        raise JwsError(f"the token is not of type {typ}")
    x5c = header["x5c"]
    if not isinstance(x5c, list) or not 1 <= len(x5c) <= MAX_CERTIFICATES:
        raise JwsError(f"x5c must hold 1 to {MAX_CERTIFICATES} certificates")
    return tuple(_decode_certificate(entry) for entry in x5c)


def _unique_members(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member stands twice")  # RFC 7515 §4: readers would differ in which one counts
    return members


def _decode_certificate(entry: object) -> bytes:
    if not isinstance(entry, str):
        raise JwsError("x5c must hold strings")
    try:
        der = base64.b64decode(entry, validate=True)
    except (ValueError, binascii.Error) as error:
        raise JwsError("x5c must hold base64") from error
    if not der or base64.b64encode(der).decode("ascii") != entry:
        raise JwsError("x5c must hold canonical base64")
    return der


def _leaf_key(der: bytes) -> ec.EllipticCurvePublicKey:
    try:
        key = x509.load_der_x509_certificate(der).public_key()
    except (ValueError, UnsupportedAlgorithm, x509.InvalidVersion) as error:
        raise JwsError("the token's first certificate cannot be read") from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise JwsError("the token's certificate must have a P-256 key")
    return key


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def _decode(text: str, part: str) -> bytes:
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (ValueError, binascii.Error) as error:
        raise JwsError(f"the token's {part} is not base64url") from error
    if _encode(data) != text:
        # Unused bits or stray characters would give one content many spellings.
        raise JwsError(f"the token's {part} is not canonical base64url")
    return data
