"""What signs as the device's ACME account: ES256 in the forms that JWS wants (RFC 7518 §3.4, §6.2.1)."""

import base64

from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from conclaved.identity.signer import NotCopied, Signer

_COORDINATE_BYTES = 32


class AccountSigner(NotCopied):
    """A `Signer` with JWS's words. `sign` takes as long as the key's place does: never in the event loop."""

    __slots__ = ("_signer",)

    def __init__(self, signer: Signer) -> None:
        self._signer = signer

    def __repr__(self) -> str:
        return f"AccountSigner({self._signer!r})"

    @property
    def public_key(self) -> bytes:
        """The uncompressed point, 65 bytes."""
        return self._signer.public_key

    @property
    def public_jwk(self) -> dict[str, str]:
        """The public key as a JWK: the members that its thumbprint is made of (RFC 7638 §3.2), in order."""
        point = self._signer.public_key[1:]
        return {
            "crv": "P-256",
            "kty": "EC",
            "x": _base64url(point[:_COORDINATE_BYTES]),
            "y": _base64url(point[_COORDINATE_BYTES:]),
        }

    def sign(self, data: bytes) -> bytes:
        """ES256 over ``data``: 64 bytes, r and s."""
        return raw_signature(self._signer.sign(data))


def raw_signature(der: bytes) -> bytes:
    """A P-256 signature as 64 bytes, r and s, from its DER form."""
    return b"".join(part.to_bytes(_COORDINATE_BYTES, "big") for part in decode_dss_signature(der))


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")
