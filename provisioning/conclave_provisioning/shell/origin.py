"""From where and with which key an admin came, out of what sshd tells a session.

SSH_CONNECTION has the addresses; the file SSH_USER_AUTH (sshd_config: ExposeAuthInfo) has a line for each
method that succeeded, with the public key or certificate: "publickey ssh-ed25519 AAAA...". A certificate
(OpenSSH PROTOCOL.certkeys) names itself by key id and serial, and is signed by an authority: its
fingerprint, as OpenSSH shows it, is that of the certified key.
"""

import base64
import binascii
import hashlib
import ipaddress
import struct
from collections.abc import Mapping
from pathlib import Path

LONGEST_FILE = 64 * 1024
CERTIFICATE = "-cert-v01@openssh.com"
LONGEST_ID = 64
# How many strings of the certified key follow the nonce, by the kind of key.
_KEY_STRINGS = {
    "ssh-ed25519": 1,
    "ssh-rsa": 2,
    "ecdsa-sha2-nistp256": 2,
    "ecdsa-sha2-nistp384": 2,
    "ecdsa-sha2-nistp521": 2,
    "sk-ssh-ed25519@openssh.com": 2,
    "sk-ecdsa-sha2-nistp256@openssh.com": 3,
}


def origin(environment: Mapping[str, str], user: str) -> str:
    """Return "ssh USER from ADDRESS key SHA256:..."; "console USER" without SSH.

    What cannot be told is left out. Reads the file that sshd wrote; raises nothing.
    """
    words = environment.get("SSH_CONNECTION", "").split()
    if not words:
        return f"console {user}"
    try:
        # An address may carry a zone; nothing else is an address.
        where = str(ipaddress.ip_address(words[0]))
    except ValueError:
        where = "an unknown address"
    key = _key(environment.get("SSH_USER_AUTH", ""))
    return f"ssh {user} from {where}" + (f" {key}" if key else "")


def _key(path: str) -> str:
    if not path:
        return ""
    try:
        with Path(path).open("rb") as file:
            text = file.read(LONGEST_FILE).decode("ascii", "replace")
    except (OSError, ValueError):
        return ""
    for line in text.splitlines():
        method, *rest = line.split()
        if method == "publickey" and len(rest) >= 2:
            return key_words(rest[0], rest[1])
    return ""


def key_words(kind: str, encoded: str) -> str:
    """Return "key SHA256:..." or, for a certificate, "certificate ID serial N of CA SHA256:... key ...".

    Empty for what is neither.
    """
    try:
        blob = base64.b64decode(encoded, validate=True)
        if not kind.endswith(CERTIFICATE):
            return f"key {fingerprint(blob)}"
        return _certificate_words(blob)
    except (binascii.Error, struct.error, KeyError, ValueError):
        return ""


def fingerprint(blob: bytes) -> str:
    """Return the fingerprint of a public key in SSH's wire form, as OpenSSH writes it."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")


def _certificate_words(blob: bytes) -> str:
    kind, rest = _string(blob)
    plain = kind.decode("ascii").removesuffix(CERTIFICATE)
    # The SK kinds have the suffix before the domain.
    plain = plain if plain in _KEY_STRINGS else f"{plain}@openssh.com"
    _nonce, rest = _string(rest)
    key = _packed(plain.encode())
    for _ in range(_KEY_STRINGS[plain]):
        part, rest = _string(rest)
        key += _packed(part)
    (serial,) = struct.unpack_from(">Q", rest)
    key_id, rest = _string(rest[12:])
    # Principals, valid after and before, critical options, extensions, reserved: then the signer's key.
    _principals, rest = _string(rest)
    rest = rest[16:]
    for _ in range(3):
        _skipped, rest = _string(rest)
    authority, _ = _string(rest)
    name = key_id.decode("utf-8", "replace")[:LONGEST_ID]
    quoted = '"' + "".join(c if c.isprintable() and c != '"' else "?" for c in name) + '"'
    return f"certificate {quoted} serial {serial} of CA {fingerprint(authority)} key {fingerprint(key)}"


def _string(data: bytes) -> tuple[bytes, bytes]:
    """The first string of SSH's wire form, and what follows it. Raises struct.error, ValueError."""
    (length,) = struct.unpack_from(">I", data)
    if len(data) < 4 + length:
        raise ValueError("the key ends early")
    return data[4 : 4 + length], data[4 + length :]


def _packed(data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + data
