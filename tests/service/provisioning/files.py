"""Provisioning files as the laptop's tool signs them, and as somebody else might."""

import base64
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding

from conclave_provisioning.cli.provisioning_file import Content, Signer, make_signer, sign
from conclaved.identity import jws
from conclaved.identity.signer import SoftwareSigner

DEVICE = "CN-4711"
NOW = 1_800_000_000
DAY_S = 86_400
SIGNER = make_signer("IT of Example")
STRANGER = make_signer("somebody")
SETTINGS = '[policy]\nminimum_level = "locked"\n'
CONTENT = Content(
    serial=NOW,
    devices=(DEVICE, "CN-4712"),
    not_before=NOW - DAY_S,
    not_after=NOW + 30 * DAY_S,
    replace=False,
    settings=SETTINGS,
)


def file(by: Signer = SIGNER, **other: Any) -> str:
    """A file by the laptop's tool."""
    return sign(replace(CONTENT, **other), by)


def payload(**other: Any) -> dict[str, Any]:
    """What the tool signs, with other members."""
    members: dict[str, Any] = {
        "version": 1,
        "serial": NOW,
        "devices": [DEVICE],
        "not_before": NOW - DAY_S,
        "not_after": NOW + DAY_S,
        "replace": False,
        "settings": SETTINGS,
    }
    return {**members, **other}


def signed(members: Mapping[str, Any] | bytes, typ: str = "conclave-provisioning+jws") -> str:
    """Anything at all, signed by the signer that the device obeys, by the daemon's own means."""
    content = members if isinstance(members, bytes) else json.dumps(members).encode()
    chain = [SIGNER.certificate.public_bytes(Encoding.DER)]
    return jws.sign(content, SoftwareSigner(SIGNER.key), chain, typ=typ)


def altered(token: str, part: int) -> str:
    """The token with one bit of a part turned, in its one spelling."""
    parts = token.split(".")
    raw = bytearray(base64.urlsafe_b64decode(parts[part] + "=" * (-len(parts[part]) % 4)))
    raw[len(raw) // 2] ^= 1
    parts[part] = base64.urlsafe_b64encode(bytes(raw)).rstrip(b"=").decode()
    return ".".join(parts)
