"""The meeting's link, and what its secret opens.

    https://HOST[:PORT]/m/<hash>#<secret>

The hash names the sealed invitation at the service; the secret stands in the fragment, which
no browser sends to a server. From the secret come, each under a label of its own (HKDF, RFC
5869): the meeting's address at the service, the key that seals the invitation and everything
said in the lobby, and the link key, with which a link alone may admit if the invitation is
open. Whoever lacks the link cannot even ask to join, and the service sees no name.
"""

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from conclaved.meeting.errors import InvitationError, SealError

SECRET_BYTES = 32
HASH_BYTES = 32
NONCE_BYTES = 12
PADDING_BYTES = 256
"""Sealed texts are padded to a multiple of this, so that their size tells little."""
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551

_LINK = re.compile(
    r"https://(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]{1,253})(?::(?P<port>[0-9]{1,5}))?"
    r"/m/(?P<hash>[A-Za-z0-9_-]{43})#(?P<secret>[A-Za-z0-9_-]{43})"
)


def _derive(secret: bytes, label: bytes, length: int) -> bytes:
    return HKDF(hashes.SHA256(), length, salt=None, info=b"Conclave 1.0 " + label).derive(secret)


@dataclass(frozen=True, slots=True)
class LinkSecret:
    """The 32 random bytes that a link carries in its fragment."""

    secret: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.secret) != SECRET_BYTES:
            raise InvitationError(f"a link secret has {SECRET_BYTES} bytes", hint="ask for the link again")

    @property
    def address(self) -> bytes:
        """The meeting's address at the service, 32 bytes; it says nothing about the meeting."""
        return _derive(self.secret, b"meeting address", HASH_BYTES)

    def sealer(self) -> "Sealer":
        """The seal of the invitation and of the lobby."""
        return Sealer(_derive(self.secret, b"lobby seal", 32))

    def link_key(self) -> "LinkKey":
        """The key pair with which the link itself admits, where the invitation is open."""
        # 48 bytes reduced modulo the order: the bias is below 2^-128 (FIPS 186-5 A.2.1).
        scalar = int.from_bytes(_derive(self.secret, b"link key", 48), "big") % (P256_ORDER - 1) + 1
        return LinkKey(ec.derive_private_key(scalar, ec.SECP256R1()))


class LinkKey:
    """A P-256 signature key that everybody with the link has."""

    def __init__(self, private_key: ec.EllipticCurvePrivateKey) -> None:
        self._private_key = private_key

    @property
    def public_key(self) -> bytes:
        """The uncompressed point, 65 bytes."""
        return self._private_key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)

    def sign(self, data: bytes) -> bytes:
        """An ECDSA signature over SHA-256 of `data`, DER."""
        return self._private_key.sign(data, ec.ECDSA(hashes.SHA256()))


class Sealer:
    """AES-256-GCM under a key from the link secret, with random nonces that are handed in."""

    def __init__(self, key: bytes) -> None:
        self._aead = AESGCM(key)

    def seal(self, plaintext: bytes, purpose: bytes, nonce: bytes) -> bytes:
        """Nonce, ciphertext and tag. `nonce` is 12 fresh random bytes; `purpose` is bound in."""
        padded = len(plaintext).to_bytes(4, "big") + plaintext
        padded += bytes(-len(padded) % PADDING_BYTES)
        return nonce + self._aead.encrypt(nonce, padded, purpose)

    def open(self, sealed: bytes, purpose: bytes) -> bytes:
        """The plaintext. Raises SealError when it was not sealed with this link for this purpose."""
        try:
            padded = self._aead.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], purpose)
        except (InvalidTag, ValueError) as error:
            raise SealError("a sealed message does not open with this link") from error
        length = int.from_bytes(padded[:4], "big")
        if length > len(padded) - 4:
            raise SealError("a sealed message is shorter than it says")
        return padded[4 : 4 + length]


@dataclass(frozen=True, slots=True)
class Link:
    """A parsed link."""

    host: str
    port: int
    invitation_hash: bytes
    """SHA-256 of the sealed invitation, 32 bytes."""
    secret: LinkSecret = field(repr=False)

    @property
    def service(self) -> str:
        """The address of the conference service: `wss://host:port`."""
        return f"wss://{self.host}:{self.port}"

    def encode(self) -> str:
        """The link as text. It holds the secret: show it to those invited only."""
        port = "" if self.port == 443 else f":{self.port}"
        return f"https://{self.host}{port}/m/{_b64(self.invitation_hash)}#{_b64(self.secret.secret)}"

    @classmethod
    def decode(cls, text: str) -> "Link":
        """Parse a link. Raises InvitationError for anything else."""
        match = _LINK.fullmatch(text.strip())
        if match is None:
            raise InvitationError(
                "this is not a meeting link", hint="a link looks like https://HOST/m/...#...; copy it whole"
            )
        port = int(match["port"] or 443)
        if not 0 < port < 65536:
            raise InvitationError("the link's port is out of range", hint="copy the link whole")
        return cls(match["host"], port, _unb64(match["hash"]), LinkSecret(_unb64(match["secret"])))

    def check(self, sealed_invitation: bytes) -> None:
        """Raise InvitationError unless the service gave the invitation that this link names."""
        if hashlib.sha256(sealed_invitation).digest() != self.invitation_hash:
            raise InvitationError(
                "the conference service gave another invitation than the link names",
                hint="do not join; ask the host for the link again",
            )


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _unb64(text: str) -> bytes:
    try:
        data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError) as error:
        raise InvitationError("the link is damaged", hint="copy the link whole") from error
    if _b64(data) != text:
        raise InvitationError("the link is damaged", hint="copy the link whole")
    return data
