"""What each command prints with `--json`: the source of the published schemas.

A shape is a type (`str`, `int`, `float`, `bool`), a dataclass of `model` (whose fields are the keys), a dict
of shapes by key, a list with the shape of its items, `ANY` for whatever JSON has, or `Either` of several.
Every key is always there; keys are only ever added.
"""

from dataclasses import dataclass
from typing import Any

from conclave_provisioning.cli import model
from conclave_provisioning.cli.access import Key
from conclave_provisioning.cli.advice import Problem
from conclave_provisioning.cli.certificates import Certificate
from conclave_provisioning.cli.doctor import Check
from conclave_provisioning.cli.logs import Entry

Shape = Any


@dataclass(frozen=True)
class Either:
    """One of several shapes."""

    shapes: tuple[Shape, ...]


@dataclass(frozen=True)
class Maybe:
    """A shape, or null."""

    shape: Shape


@dataclass(frozen=True)
class Whatever:
    """Anything."""


ANY = Whatever()

CHANGES: dict[str, Shape] = {
    "ok": bool,
    "changed": bool,
    "dry_run": bool,
    "changes": [{"key": str, "before": ANY, "after": ANY, "effect": str}],
}
DONE: dict[str, Shape] = {"ok": bool}
IDENTITY: dict[str, Shape] = {"identity": (model.Identity, {"days_left": Maybe(int)})}
ENROLLED: dict[str, Shape] = {"ok": bool, "changed": bool, **IDENTITY}
ACCOUNT: dict[str, Shape] = {"account": {"url": str, "status": str, "contact": [str], "directory_url": str}}
STATUS: dict[str, Shape] = {
    "device": model.Device,
    **IDENTITY,
    "anchors": [model.Anchor],
    "blocked_keys": [str],
    "blocked_names": [str],
    "crls": [model.Crl],
    "policy": model.Policy,
    "meeting": model.Meeting,
    "hardware": model.Hardware,
    "code_shown": bool,
    "problems": [Problem],
}
SETTING: dict[str, Shape] = {
    "key": str,
    "value": ANY,
    "default": ANY,
    "source": str,
    "effect": str,
    "kind": str,
    "allowed": str,
    "choices": [str],
    "meaning": str,
    "is_secret": bool,
}
INVITED: dict[str, Shape] = {
    "link": str,
    "invitation": str,
    "meeting": {"title": str, "level": str, "not_before": int, "not_after": int, "service": str},
}
LET_IN: dict[str, Shape] = {**CHANGES, "request_id": str, "name": str, "assurance": str}
DISTRUSTED: dict[str, Shape] = {**CHANGES, "no_longer_verified": [str]}

ERROR: dict[str, Shape] = {"error": {"kind": str, "message": str, "hint": str}}
"""Of any command that could not be done."""

ANSWERS: dict[str, Shape] = {
    "status": STATUS,
    "identity set-domain": CHANGES,
    "identity enroll": Either(
        ({"ok": bool, "changed": bool, **IDENTITY}, {"ok": bool, "changed": bool}, CHANGES)
    ),
    "identity renew": Either(({"ok": bool, "changed": bool, **IDENTITY}, CHANGES)),
    "identity revoke": CHANGES,
    "identity show": IDENTITY,
    "identity test": {"ok": bool, "steps": [str]},
    "identity account": Either((ACCOUNT, CHANGES)),
    "identity record": {"record": {"name": str, "value": str, "zone_line": str, "is_seen": bool}},
    "identity csr": Either(({"csr": str}, CHANGES)),
    "identity import-chain": CHANGES,
    "identity import-key": CHANGES,
    "trust list": {"anchors": [model.Anchor], "blocked_keys": [str], "blocked_names": [str]},
    "trust add": {**CHANGES, "certificates": [Certificate]},
    "trust remove": DISTRUSTED,
    "trust block": DISTRUSTED,
    "trust unblock": CHANGES,
    "trust crl list": {"crls": [model.Crl]},
    "trust crl add": DISTRUSTED,
    "trust crl remove": CHANGES,
    "policy show": {"policy": model.Policy},
    "policy set": {
        **CHANGES,
        "policy": model.Policy,
        "meeting": {"state": str, "title": str, "left_reason": str, "minds": str, "leaving_in_s": int},
    },
    "config get": {"settings": [SETTING], "generation": int, "can_roll_back": bool, "document": str},
    "config set": CHANGES,
    "config unset": CHANGES,
    "config diff": CHANGES,
    "config apply": CHANGES,
    "config rollback": CHANGES,
    "config schema": {"settings": [SETTING], "json_schema": ANY},
    "access list": {"keys": [Key], "authorities": [Key], "principals": [str]},
    "access add": CHANGES,
    "access remove": CHANGES,
    "access principals": CHANGES,
    "provision signer": {**DONE, "file": str, "fingerprint": str},
    "provision sign": {
        **DONE,
        "file": str,
        "serial": int,
        "devices": [str],
        "not_after": int,
        "fingerprint": str,
        "sets": [str],
    },
    "provision show": {
        "serial": int,
        "devices": [str],
        "not_before": int,
        "not_after": int,
        "replace": bool,
        "fingerprint": str,
        "sets": [str],
    },
    "provision apply": CHANGES,
    "meeting create": Either((INVITED, CHANGES)),
    "meeting personal-room": Either((INVITED, CHANGES)),
    "meeting schedule add": CHANGES,
    "meeting schedule list": {"invitations": [model.Scheduled]},
    "meeting schedule remove": CHANGES,
    "meeting join": Either(({"meeting": model.Meeting}, CHANGES)),
    "meeting leave": CHANGES,
    "meeting roster": {"epoch": int, "participants": [model.Participant], "missing": [str]},
    "meeting code": {
        "code": str,
        "epoch": int,
        "code_epoch": int,
        "code_time": int,
        "reason": str,
        "compared": [str],
    },
    "meeting lobby": {"lobby": [model.Request]},
    "meeting admit": LET_IN,
    "meeting deny": LET_IN,
    "meeting kick": {**CHANGES, "leaf": int, "name": str, "assurance": str, "epoch": int},
    "meeting removed": {"removed": [model.Removed]},
    "meeting allow-back": {**CHANGES, "key_id": str, "name": str},
    "meeting hand-over": {**CHANGES, "leaf": int, "name": str, "assurance": str},
    "meeting end": {**CHANGES, "title": str},
    "meeting audit": Either(
        (
            {"record": ANY, "signer": str, "token": str},
            {"records": [str], "summaries": [ANY]},
            {**DONE, "file": str},
            {"record": ANY, "signer": ANY},
        )
    ),
    "mute": CHANGES,
    "hardware show": {"hardware": model.Hardware},
    "hardware clear-tamper": CHANGES,
    "hardware list": {"devices": [model.Slot]},
    "hardware test": {"ok": bool, "checks": [Check]},
    "hardware watch": {"event": str, "time": float, "device": model.Slot},
    "time": {"clock": ANY},
    "doctor": {"ok": bool, "checks": [Check]},
    "logs": Either(({"entries": [Entry]}, {"entry": Entry})),
    "support-bundle": {**DONE, "file": str, "bytes": int, "parts": [str], "missing": ANY},
    "watch": Either(
        ({"event": str, **STATUS}, {"event": str, "interface": str, "changed": ANY}),
    ),
    "update install": {**DONE, "update": model.Update, "restarts": bool},
    "update status": {"update": model.Update},
    "factory-reset": CHANGES,
    "reboot": CHANGES,
    "enroll-for": {
        "ok": bool,
        "changed": bool,
        "domain": str,
        "not_after": int,
        "changes": CHANGES["changes"],
    },
}
"""By the command's words."""
