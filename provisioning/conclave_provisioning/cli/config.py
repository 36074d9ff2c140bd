"""`conclavectl config`: everything an admin may set, in one document."""

import sys
from typing import Any, TextIO

import click

from conclave_provisioning.cli.changes import Report, change, dry_run_option, plain
from conclave_provisioning.cli.client import RoomClient
from conclave_provisioning.cli.errors import CommandError, ErrorKind
from conclave_provisioning.cli.invocation import run, shared_options
from conclave_provisioning.cli.model import Config, Setting
from conclave_provisioning.cli.output import Output

LONGEST_DOCUMENT = 4 * 1024 * 1024
SOURCE_STYLES = {"admin": "green"}
_JSON_TYPES = {
    "true or false": "boolean",
    "a whole number": "integer",
    "a number": "number",
    "a text": "string",
}


@click.group(short_help="The room's settings.")
@shared_options
def config() -> None:
    """The room's settings: one document, checked as a whole, taken back in one step.

    What nobody sets here is as the device maker's file says, or else the default.

    \b
    Examples:
      conclavectl config get
      conclavectl config set conference.service wss://hub.example.com
      conclavectl config diff room.toml
      conclavectl config apply room.toml
      conclavectl config rollback
    """


@config.command("get", short_help="Show settings.")
@click.argument("key", required=False)
@click.option("--document", is_flag=True, help="Print what was set as the TOML that `config apply` takes.")
@shared_options
def get_config(key: str | None, document: bool) -> None:
    """Show all settings, one (KEY), or those of a table (KEY is acme, limits.meeting...).

    One setting's value is printed alone. A secret is shown as (set).

    JSON: settings [{key, value, default, source (admin, device, default), effect, kind, allowed, choices,
    meaning, is_secret}], generation, can_roll_back, document.

    \b
    Examples:
      conclavectl config get acme
      conclavectl config get conference.service
      conclavectl config get --document > room.toml
    """

    async def action(client: RoomClient, output: Output) -> None:
        found = await client.read(Config)
        chosen = _chosen(found, key)
        output.data(
            settings=[setting_json(setting) for setting in chosen],
            generation=found.generation,
            can_roll_back=found.can_roll_back,
            document=found.document,
        )
        if document:
            if not output.is_json:
                # Our own text, whose values are escaped as TOML wants; a certificate has several lines.
                for line in found.document.splitlines():
                    output.line(line)
        elif key is not None and len(chosen) == 1 and chosen[0].key == key:
            output.line(_words(chosen[0].value))
        else:
            output.table(
                ("setting", "value", "from"),
                [(s.key, _words(s.value), (s.source, SOURCE_STYLES.get(s.source, ""))) for s in chosen],
            )

    run(action)


@config.command("set", short_help="Change settings.")
@click.argument("words", metavar="KEY VALUE [KEY VALUE]...", nargs=-1, required=True)
@dry_run_option
@shared_options
def set_config(words: tuple[str, ...], dry_run: bool) -> None:
    """Change settings; several are changed together or not at all.

    A list is written with commas. VALUE - is what stdin says; a secret is given no other way, since command
    lines are seen by others.

    \b
    Examples:
      conclavectl config set conference.service wss://hub.example.com
      conclavectl config set acme.agree_terms true acme.email it@example.com
      conclavectl config set policy.minimum_level locked --dry-run

    JSON: ok, changed, dry_run, changes [{key, before, after, effect}].
    """
    if len(words) % 2:
        raise CommandError(
            ErrorKind.USAGE,
            f"{words[-1]!r} has no value",
            hint="give keys and values by turns; to go back to a default: conclavectl config unset KEY",
        )
    if words[1::2].count("-") > 1:
        raise CommandError(ErrorKind.USAGE, "stdin is one value's", hint="set the others by themselves")
    given = dict(zip(words[::2], words[1::2], strict=True))

    async def action(client: RoomClient, output: Output) -> None:
        secret = {setting.key for setting in (await client.read(Config)).settings if setting.is_secret}
        for key, value in given.items():
            if value == "-":
                given[key] = sys.stdin.read(LONGEST_DOCUMENT).rstrip("\n")
            elif key in secret:
                raise CommandError(
                    ErrorKind.USAGE,
                    f"{key} is a secret, and others see command lines",
                    hint=f"give it on stdin: conclavectl config set {key} - < FILE",
                )
        _say(output, await change(client, "Config", "Set", "a{ss}", given, dry_run=dry_run))

    run(action)


@config.command("unset", short_help="Leave settings to the device and the defaults.")
@click.argument("keys", metavar="KEY...", nargs=-1, required=True)
@dry_run_option
@shared_options
def unset_config(keys: tuple[str, ...], dry_run: bool) -> None:
    """Leave settings to the device maker's file and the defaults again.

    \b
    Example:
      conclavectl config unset conference.service

    JSON: as `config set`.
    """

    async def action(client: RoomClient, output: Output) -> None:
        _say(output, await change(client, "Config", "Unset", "as", list(keys), dry_run=dry_run))

    run(action)


REPLACE = click.option(
    "--replace", is_flag=True, help="Unset what FILE does not name; else that stays as it is."
)


@config.command("diff", short_help="Show what a document would change.")
@click.argument("file", type=click.File("r", encoding="utf-8"))
@REPLACE
@shared_options
def diff_config(file: TextIO, replace: bool) -> None:
    """Show what applying FILE (TOML; - for stdin) would change. It is checked, and nothing changes.

    \b
    Example:
      conclavectl config diff room.toml

    JSON: as `config set`, with dry_run true.
    """
    document = _read(file)

    async def action(client: RoomClient, output: Output) -> None:
        report = await _apply(client, document, replace=replace, dry_run=True)
        output.data(**report.json())
        report.say_diff(output)
        if not report.changed:
            output.line("no difference")

    run(action)


@config.command("apply", short_help="Set what a document says.")
@click.argument("file", type=click.File("r", encoding="utf-8"))
@REPLACE
@dry_run_option
@shared_options
def apply_config(file: TextIO, replace: bool, dry_run: bool) -> None:
    """Set what FILE (TOML; - for stdin) says: all of it, or nothing if one value is wrong.

    A list is whole: whom trust.anchors does not name is trusted no longer. A secret that reads (set) stays
    as it is, so what `config get --document` prints can be applied again.

    \b
    Examples:
      conclavectl config apply room.toml --dry-run
      ssh admin@room config apply - < room.toml

    JSON: as `config set`.
    """
    document = _read(file)

    async def action(client: RoomClient, output: Output) -> None:
        _say(output, await _apply(client, document, replace=replace, dry_run=dry_run))

    run(action)


@config.command("rollback", short_help="Take back the last change of settings.")
@dry_run_option
@shared_options
def roll_back_config(dry_run: bool) -> None:
    """Go back to the settings before the last change, trust and policy among them. Twice: forth again.

    \b
    Examples:
      conclavectl config rollback --dry-run
      conclavectl config rollback

    JSON: as `config set`.
    """

    async def action(client: RoomClient, output: Output) -> None:
        _say(output, await change(client, "Config", "RollBack", dry_run=dry_run))

    run(action)


@config.command("schema", short_help="What may be set, and when it is felt.")
@shared_options
def schema() -> None:
    """Show what may be set: type, range, default, meaning, and when a change is felt.

    JSON: settings as in `config get`, json_schema: a JSON Schema (2020-12) of the document.

    \b
    Examples:
      conclavectl config schema
      conclavectl config schema --json | jq .json_schema > conclave.schema.json
    """

    async def action(client: RoomClient, output: Output) -> None:
        settings = (await client.read(Config)).settings
        output.data(
            settings=[setting_json(setting) for setting in settings], json_schema=document_schema(settings)
        )
        for setting in settings:
            output.line((setting.key, "cyan"), f" = {_words(setting.default)}")
            output.line(f"    {setting.meaning} {setting.allowed[:1].upper()}{setting.allowed[1:]}.")
            output.line(f"    A change is felt {setting.effect}.")

    run(action)


def document_schema(settings: tuple[Setting, ...]) -> dict[str, Any]:
    """A JSON Schema of the document, for editors and for whoever writes documents for many rooms."""
    root: dict[str, Any] = _object()
    for setting in settings:
        *tables, name = setting.key.split(".")
        at = root
        for table in tables:
            at = at["properties"].setdefault(table, _object())
        at["properties"][name] = _value_schema(setting)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Settings of a room", **root}


def _object() -> dict[str, Any]:
    return {"type": "object", "additionalProperties": False, "properties": {}}


def _value_schema(setting: Setting) -> dict[str, Any]:
    about = {"description": f"{setting.meaning} {setting.allowed}", "default": plain(setting.default)}
    if setting.kind == "a list of texts":
        return {"type": "array", "items": {"type": "string"}, **about}
    if setting.kind not in _JSON_TYPES:
        anchor = {"type": "object", "required": ["label", "kind", "pem"]}
        return {"type": "array", "items": anchor, **about}
    kind = {"type": _JSON_TYPES[setting.kind], **about}
    return {**kind, "enum": list(setting.choices)} if setting.choices and kind["type"] == "string" else kind


async def _apply(client: RoomClient, document: str, *, replace: bool, dry_run: bool) -> Report:
    options = {"replace": True} if replace else {}
    return await change(client, "Config", "Apply", "s", document, options=options, dry_run=dry_run)


def _say(output: Output, report: Report) -> None:
    output.data(**report.json())
    if report.changed and not report.is_dry_run:
        report.say_diff(output)
    report.say(output, f"changed; felt {report.effects}; to take it back: conclavectl config rollback")


def _read(file: TextIO) -> str:
    try:
        text = file.read(LONGEST_DOCUMENT + 1)
    except UnicodeDecodeError as error:
        raise CommandError(
            ErrorKind.INVALID_ARGUMENT, f"{file.name} is not UTF-8", hint="give a TOML file"
        ) from error
    if len(text) > LONGEST_DOCUMENT:
        raise CommandError(
            ErrorKind.INVALID_ARGUMENT,
            f"{file.name} is longer than {LONGEST_DOCUMENT // 1024} KiB",
            hint="give a document of settings: conclavectl config schema",
        )
    return text


def _chosen(found: Config, key: str | None) -> tuple[Setting, ...]:
    if key is None:
        return found.settings
    chosen = tuple(s for s in found.settings if s.key == key or s.key.startswith(key + "."))
    if not chosen:
        raise CommandError(
            ErrorKind.NOT_FOUND, f"{key!r} is no setting", hint="see what there is: conclavectl config schema"
        )
    return chosen


def setting_json(setting: Setting) -> dict[str, Any]:
    """A setting as every command prints it in `--json`."""
    return {
        "key": setting.key,
        "value": plain(setting.value),
        "default": plain(setting.default),
        "source": setting.source,
        "effect": setting.effect,
        "kind": setting.kind,
        "allowed": setting.allowed,
        "choices": list(setting.choices),
        "meaning": setting.meaning,
        "is_secret": setting.is_secret,
    }


def _words(toml: str) -> str:
    """A value for people and for shells: a text without its quotes."""
    value = plain(toml)
    return value if isinstance(value, str) else toml
