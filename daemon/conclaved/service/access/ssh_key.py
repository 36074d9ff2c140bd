"""An SSH public key as one line: `ssh-ed25519 AAAA... comment` (RFC 4253 §6.6, RFC 8709, PROTOCOL.u2f).

Prevents: a line with options (`command=`, `environment=`, `cert-authority`...), which sshd would follow; a
second line within one; a kind or a size that sshd refuses, so that an admin believes in a key that lets
nobody in; a certificate or a private key in place of a public key.
"""

import base64
import binascii
import hashlib
import struct
from collections.abc import Iterable
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric import ec

MOST_KEYS = 200
LONGEST_LINE = 8192
LONGEST_COMMENT = 100
LEAST_RSA_BITS = 3072
MOST_RSA_BITS = 16384
ALLOWED = "public keys of the kinds ed25519, ecdsa, sk-ed25519, sk-ecdsa, and rsa of 3072 bits or more"
_CURVES: dict[str, tuple[str, ec.EllipticCurve]] = {
    "ecdsa-sha2-nistp256": ("nistp256", ec.SECP256R1()),
    "ecdsa-sha2-nistp384": ("nistp384", ec.SECP384R1()),
    "ecdsa-sha2-nistp521": ("nistp521", ec.SECP521R1()),
    "sk-ecdsa-sha2-nistp256@openssh.com": ("nistp256", ec.SECP256R1()),
}
_ED25519 = frozenset({"ssh-ed25519", "sk-ssh-ed25519@openssh.com"})
KINDS = frozenset({*_CURVES, *_ED25519, "ssh-rsa"})


class SshKeyError(ValueError):
    """A line that is no public key that may log in. The message repeats nothing of a private key."""


@dataclass(frozen=True, slots=True)
class SshKey:
    """A public key."""

    kind: str
    blob: bytes
    """The key in SSH's wire form."""
    comment: str = ""

    @property
    def line(self) -> str:
        """Its one spelling."""
        return f"{self.kind} {base64.b64encode(self.blob).decode()} {self.comment}".rstrip()

    @property
    def fingerprint(self) -> str:
        """As OpenSSH shows it: SHA256:..."""
        return "SHA256:" + base64.b64encode(hashlib.sha256(self.blob).digest()).decode().rstrip("=")


def parse_keys(lines: Iterable[str]) -> tuple[SshKey, ...]:
    """Return the keys, each once. Raises SshKeyError for the first line that is none."""
    found: dict[bytes, SshKey] = {}
    for line in lines:
        key = parse_key(line)
        found.setdefault(key.blob, key)
        if len(found) > MOST_KEYS:
            raise SshKeyError(f"more than {MOST_KEYS} keys")
    return tuple(found.values())


def parse_key(line: str) -> SshKey:
    """Return the key in a line. Raises SshKeyError."""
    if "PRIVATE KEY" in line:
        raise SshKeyError("this is a private key, which never leaves its owner: give the .pub file")
    if len(line) > LONGEST_LINE or not line.isprintable() or not line.isascii():
        raise SshKeyError("a key is one line of printable ASCII characters")
    kind, _, rest = line.strip().partition(" ")
    encoded, _, comment = rest.strip().partition(" ")
    if "-cert-v01@" in kind:
        raise SshKeyError("this is a certificate: give its authority's key, as an authority")
    if kind not in KINDS:
        raise SshKeyError(f"a line begins with the kind of a key, without options; allowed are {ALLOWED}")
    try:
        blob = base64.b64decode(encoded, validate=True)
        _check(kind, blob)
    except (binascii.Error, struct.error, ValueError, IndexError) as error:
        words = str(error) if isinstance(error, SshKeyError) else "the key is damaged: copy the line whole"
        raise SshKeyError(words) from error
    return SshKey(kind, blob, comment.strip()[:LONGEST_COMMENT])


def _check(kind: str, blob: bytes) -> None:
    """Raise SshKeyError, ValueError, IndexError or struct.error unless a key is whole and fit for use."""
    parts = _strings(blob)
    if parts.pop(0) != kind.encode():
        raise SshKeyError("the key is of another kind than its line says")
    is_on_token = kind.startswith("sk-")
    if is_on_token and not parts.pop().startswith(b"ssh:"):
        raise SshKeyError("the key on a token is not for SSH")
    if kind in _ED25519:
        (point,) = parts
        if len(point) != 32:
            raise SshKeyError("the key is damaged: copy the line whole")
    elif kind in _CURVES:
        name, curve = _CURVES[kind]
        given, point = parts
        if given != name.encode():
            raise SshKeyError("the key is of another curve than its line says")
        ec.EllipticCurvePublicKey.from_encoded_point(curve, point)
    else:
        exponent, modulus = (int.from_bytes(part, "big", signed=True) for part in parts)
        if not LEAST_RSA_BITS <= modulus.bit_length() <= MOST_RSA_BITS or modulus < 0:
            raise SshKeyError(f"an RSA key has {LEAST_RSA_BITS} bits or more: make one of kind ed25519")
        if exponent < 65537 or not exponent & 1 or not modulus & 1:
            raise SshKeyError("the RSA key is a weak one: make one of kind ed25519")


def _strings(blob: bytes) -> list[bytes]:
    """All strings of the wire form. Raises struct.error, ValueError."""
    found = []
    while blob:
        (length,) = struct.unpack_from(">I", blob)
        if len(blob) < 4 + length:
            raise ValueError("the key ends early")
        found.append(blob[4 : 4 + length])
        blob = blob[4 + length :]
    if not found:
        raise ValueError("the key is empty")
    return found
