"""`conclavectl access`: who may log in as the room's admin over SSH."""

import base64
import binascii
import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import BinaryIO

import click

from conclave_provisioning.cli.changes import NOTHING, Report, change, dry_run_option, plain
from conclave_provisioning.cli.client import RoomClient
from conclave_provisioning.cli.errors import CommandError, ErrorKind
from conclave_provisioning.cli.invocation import run, shared_options
from conclave_provisioning.cli.model import Config, as_json
from conclave_provisioning.cli.output import Output
from conclave_provisioning.cli.status import here

MAX_FILE_BYTES = 256 * 1024
KEYS, AUTHORITIES, PRINCIPALS = "access.keys", "access.authorities", "access.principals"


@dataclass(frozen=True, slots=True)
class Key:
    """A public key that the room knows."""

    fingerprint: str
    """As OpenSSH shows it."""
    kind: str
    comment: str


def _key_of(line: str) -> Key:
    kind, encoded, comment = (*line.split(" ", 2), "", "")[:3]
    try:
        digest = hashlib.sha256(base64.b64decode(encoded, validate=True)).digest()
    except binascii.Error:
        return Key("", kind, comment)
    return Key("SHA256:" + base64.b64encode(digest).decode().rstrip("="), kind, comment)


@dataclass(frozen=True, slots=True)
class _Access:
    """Who may log in now, and of which generation of the settings that is."""

    keys: tuple[str, ...]
    authorities: tuple[str, ...]
    principals: tuple[str, ...]
    generation: int


async def _read(client: RoomClient) -> _Access:
    found = await client.read(Config)
    values = {setting.key: setting.value for setting in found.settings}

    def texts(key: str) -> tuple[str, ...]:
        value = plain(values.get(key, ""))
        return tuple(str(item) for item in value) if isinstance(value, list) else ()

    return _Access(texts(KEYS), texts(AUTHORITIES), texts(PRINCIPALS), found.generation)


async def _become(
    client: RoomClient,
    before: _Access,
    lists: Mapping[str, tuple[str, ...]],
    *,
    dry_run: bool,
    yes: bool = False,
) -> Report:
    # A JSON text of ASCII is a TOML text, too.
    lines = [f"{name} = {json.dumps(list(items))}" for name, items in lists.items()]
    return await change(
        client,
        "Config",
        "Apply",
        "s",
        "\n".join(("[access]", *lines, "")),
        dry_run=dry_run,
        options={"generation": before.generation, "may_lock_out": yes},
    )


@click.group(short_help="Who may log in as admin over SSH.")
@shared_options
def access() -> None:
    """Who may log in as the room's admin over SSH: public keys, and people with a certificate.

    \b
    Examples:
      conclavectl access add ana.pub
      conclavectl access add user-ca.pub --authority
      conclavectl access principals room-admin
      conclavectl access remove SHA256:0mTc...
    """


@access.command("list", short_help="Show who may log in.")
@shared_options
def list_access() -> None:
    """Show the keys, the certificate authorities, and the principals of which a certificate must name one.

    JSON: keys [{fingerprint, kind, comment}], authorities (the same), principals [name].

    \b
    Example:
      conclavectl access list
    """

    async def action(client: RoomClient, output: Output) -> None:
        found = await _read(client)
        keys, authorities = map(_key_of, found.keys), map(_key_of, found.authorities)
        known = [("key", key) for key in keys] + [("authority", key) for key in authorities]
        output.data(
            keys=[as_json(key) for what, key in known if what == "key"],
            authorities=[as_json(key) for what, key in known if what == "authority"],
            principals=list(found.principals),
        )
        if not known:
            output.line(f"nobody may log in over SSH; add a key: {here('conclavectl access add FILE')}")
            return
        own = _own_fingerprint()
        rows = [
            (
                what,
                key.comment + (" (this session)" if key.fingerprint == own else ""),
                key.kind,
                key.fingerprint,
            )
            for what, key in known
        ]
        output.table(("what", "whose", "kind", "fingerprint"), rows)
        if found.authorities:
            names = ", ".join(found.principals) or "no name: nobody comes in by a certificate"
            output.line(f"certificates must name: {names}")

    run(action)


@access.command("add", short_help="Let a key, or an authority's certificates, log in.")
@click.argument("file", type=click.File("rb"))
@click.option("--authority", is_flag=True, help="FILE is an SSH user authority's key, not an admin's own.")
@dry_run_option
@shared_options
def add_access(file: BinaryIO, authority: bool, dry_run: bool) -> None:
    """Let the public keys in FILE log in (lines as in a .pub file; - for stdin).

    Kinds: ed25519, ecdsa, both also on a security token (sk), and RSA of 3072 bits or more. A key's options
    (command=...) are refused.

    \b
    Examples:
      conclavectl access add ana.pub
      ssh admin@room access add - < ben.pub
      conclavectl access add user-ca.pub --authority

    JSON: ok, changed, dry_run, changes [{key, before, after, effect}].
    """
    lines = _read_keys(file)

    async def action(client: RoomClient, output: Output) -> None:
        before = await _read(client)
        name = "authorities" if authority else "keys"
        present: tuple[str, ...] = getattr(before, name)
        # Known by its key, whatever stands beside it.
        known = {_key_of(line).fingerprint for line in present}
        new = tuple(line for line in lines if _key_of(line).fingerprint not in known)
        report = await _become(client, before, {name: (*present, *new)}, dry_run=dry_run)
        output.data(**report.json())
        words = "certificates of this authority may log in" if authority else "may log in now"
        report.say(output, f"{words}: {', '.join(_words(_key_of(line)) for line in new)}")

    run(action)


@access.command("remove", short_help="Let a key log in no longer.")
@click.argument("key")
@click.option("--yes", is_flag=True, help="Even if it is your own key, or the last way in.")
@dry_run_option
@shared_options
def remove_access(key: str, yes: bool, dry_run: bool) -> None:
    """Let KEY, a fingerprint or what stands beside the key in `access list`, log in no longer.

    Sessions that are open go on. Where there is no such key, nothing changes.

    \b
    Examples:
      conclavectl access remove SHA256:0mTc...
      conclavectl access remove ana@example.com

    JSON: ok, changed, dry_run, changes [{key, before, after, effect}].
    """

    async def action(client: RoomClient, output: Output) -> None:
        before = await _read(client)
        meant = [line for line in (*before.keys, *before.authorities) if _is_meant(line, key)]
        if _own_fingerprint() in {_key_of(line).fingerprint for line in meant} and not yes:
            raise CommandError(
                ErrorKind.REFUSED,
                "this is the key that you came in with",
                hint=f"if that is meant: conclavectl access remove {key} --yes",
            )
        if not meant:
            output.data(**Report(False, (), dry_run).json())
            output.line(f"{key!r} is no key that may log in: {NOTHING}; see: conclavectl access list")
            return
        # Only the list that becomes another: what is written down no longer follows the image.
        lists = {"keys": before.keys, "authorities": before.authorities}
        left = {name: tuple(line for line in lines if line not in meant) for name, lines in lists.items()}
        report = await _become(
            client,
            before,
            {name: lines for name, lines in left.items() if lines != lists[name]},
            dry_run=dry_run,
            yes=yes,
        )
        output.data(**report.json())
        report.say(output, f"may log in no longer: {', '.join(_words(_key_of(line)) for line in meant)}")

    run(action)


@access.command(short_help="Set the names that a certificate must bear.")
@click.argument("names", nargs=-1, required=True)
@click.option("--yes", is_flag=True, help="Even if nobody could log in any more.")
@dry_run_option
@shared_options
def principals(names: tuple[str, ...], yes: bool, dry_run: bool) -> None:
    """Let only those certificates of the authorities log in that name one of NAMES as a principal.

    \b
    Example:
      conclavectl access principals room-admin ana@example.com

    JSON: ok, changed, dry_run, changes [{key, before, after, effect}].
    """

    async def action(client: RoomClient, output: Output) -> None:
        before = await _read(client)
        report = await _become(client, before, {"principals": names}, dry_run=dry_run, yes=yes)
        output.data(**report.json())
        report.say(output, f"certificates must name: {', '.join(names)}")

    run(action)


def _read_keys(file: BinaryIO) -> tuple[str, ...]:
    """The lines of a file of public keys, without comments. Raises CommandError."""
    content = file.read(MAX_FILE_BYTES + 1)
    if b"PRIVATE KEY" in content:
        raise CommandError(
            ErrorKind.INVALID_ARGUMENT,
            f"{file.name} holds a private key",
            hint="give the public one, FILE.pub; a private key never leaves its owner",
        )
    lines = [line.strip() for line in content.decode("utf-8", "replace").splitlines()]
    found = tuple(line for line in lines if line and not line.startswith("#"))
    if not found or len(content) > MAX_FILE_BYTES:
        raise CommandError(
            ErrorKind.INVALID_ARGUMENT,
            f"{file.name} holds no public keys" if not found else f"{file.name} is too long",
            hint="give the .pub file that ssh-keygen made",
        )
    return found


def _own_fingerprint() -> str:
    """The key that this session came in with, if the admin's shell has said so."""
    _, _, fingerprint = os.environ.get("CONCLAVE_ORIGIN", "").rpartition(" key ")
    return fingerprint


def _is_meant(line: str, wanted: str) -> bool:
    key = _key_of(line)
    return bool(wanted) and wanted in (key.fingerprint, key.comment)


def _words(key: Key) -> str:
    return f"{key.fingerprint} ({key.comment})" if key.comment else key.fingerprint
