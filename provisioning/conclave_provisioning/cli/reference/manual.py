"""Manual pages (man(7)) out of the commands' own help: one for the program, one for each command or group."""

import re
from collections.abc import Iterator
from importlib import metadata

import click

from conclave_provisioning.cli.command import PROGRAM, root
from conclave_provisioning.cli.reference.commands import walk

SECTION = 1
_BARE = "\b"


def pages() -> dict[str, str]:
    """Each page's text by its file name: `conclavectl.1`, `conclavectl-config.1`..."""
    found: dict[str, list[str]] = {}
    for words, command in walk():
        name = "-".join((PROGRAM, *words[:1]))
        page = found.setdefault(f"{name}.{SECTION}", [])
        if len(words) <= 1:
            page += _head(name, words, command)
        page += _command(words, command)
    others = sorted(name.removesuffix(f".{SECTION}") for name in found)
    return {name: "\n".join([*page, *_see_also(name, others), ""]) for name, page in found.items()}


def _head(name: str, words: tuple[str, ...], command: click.Command) -> list[str]:
    version = metadata.version("conclave")
    short = command.get_short_help_str(200).rstrip(".") if words else "provision and watch a meeting room"
    return [
        f'.TH {name.upper()} {SECTION} "" "Conclave {version}" "Conclave"',
        ".nh",
        ".ad l",
        ".SH NAME",
        f"{_escape(name)} \\- {_escape(short)}",
    ]


def _command(words: tuple[str, ...], command: click.Command) -> Iterator[str]:
    path = " ".join((PROGRAM, *words))
    context = click.Context(command, info_name=path)
    is_sub = len(words) > 1
    if is_sub:
        yield f".SH {_escape(path.upper())}"
        yield f".B {_escape(path)} {_escape(' '.join(command.collect_usage_pieces(context)))}"
    else:
        yield ".SH SYNOPSIS"
        yield f".B {_escape(path)} {_escape(' '.join(command.collect_usage_pieces(context)))}"
        yield ".SH DESCRIPTION"
    yield from _text(command.help or "")
    records = (parameter.get_help_record(context) for parameter in command.get_params(context))
    options = [record for record in records if record is not None and record[1]]
    if options:
        yield ".SS Options" if is_sub or words else ".SH OPTIONS"
        for flags, words_of_help in options:
            yield from (".TP", f".B {_escape(flags)}", _escape(words_of_help))
    if command is root:
        yield ".SH COMMANDS"
        for name, place in root.places.items():
            yield from (
                ".TP",
                f".BR {_escape(PROGRAM)}-{_escape(name)} ({SECTION})",
                _escape(place.short_help),
            )


def _text(text: str) -> Iterator[str]:
    """Paragraphs; those that are marked as bare keep their lines."""
    for paragraph in re.split(r"\n\s*\n", _dedent(text)):
        lines = paragraph.splitlines()
        if not lines:
            continue
        yield ".PP"
        if lines[0].strip() == _BARE:
            yield ".nf"
            yield from map(_escape, lines[1:])
            yield ".fi"
        else:
            yield _escape(" ".join(line.strip() for line in lines))


def _dedent(text: str) -> str:
    lines = text.splitlines()
    indents = [len(line) - len(line.lstrip()) for line in lines[1:] if line.strip(" ") not in ("", _BARE)]
    cut = min(indents, default=0)
    return "\n".join(
        [*lines[:1], *(line[cut:] if line[:cut].isspace() else line.lstrip(" ") for line in lines[1:])]
    )


def _see_also(name: str, others: list[str]) -> list[str]:
    own = name.removesuffix(f".{SECTION}")
    listed = ", ".join(f"{_escape(other)}({SECTION})" for other in others if other != own)
    return [".SH SEE ALSO", listed]


def _escape(text: str) -> str:
    """Text as roff reads it: no escape, no request at a line's beginning, hyphens as they are typed."""
    safe = text.replace("\\", "\\e").replace("-", "\\-").replace("\t", " ")
    return f"\\&{safe}" if safe[:1] in (".", "'") else safe
