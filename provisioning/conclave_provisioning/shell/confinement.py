"""Which of `conclavectl`'s commands are refused in the restricted shell, and why. Pure.

The words are parsed by click's own parsers, command by command, without converting a value: nothing is
opened and no callback runs. What is wrong with the words otherwise is left for the command itself to say.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import click

from conclave_provisioning.cli.named_file import names_file
from conclave_provisioning.shell.request import PROGRAM, RequestError

REFUSED_OPTIONS = frozenset({"bus"})
"""Whoever may choose the bus chooses who answers as the room."""


def check(root: click.Command, words: Sequence[str]) -> None:
    """Raise RequestError if the words name a file of the device, or another bus."""
    for path, parameter, text in _given(root, words):
        if parameter.name in REFUSED_OPTIONS:
            raise RequestError(
                f"--{parameter.name} is not for the admin's shell", hint="leave it out: this room is meant"
            )
        if names_file(parameter.type, text):
            way = ">" if isinstance(parameter.type, click.Path) else "<"
            option = f"{_label(parameter)} " if isinstance(parameter, click.Option) else ""
            raise RequestError(
                f"{_label(parameter)} names a file of the device, which nobody can over SSH",
                hint=f"give - in its place: ssh DEVICE {path} ... {option}- {way} FILE",
            )


def _label(parameter: click.Parameter) -> str:
    if isinstance(parameter, click.Option):
        return max(parameter.opts, key=len)
    return parameter.human_readable_name


def _given(root: click.Command, words: Sequence[str]) -> Iterator[tuple[str, click.Parameter, str]]:
    """Every text that the words give to a parameter, with the command's path."""
    command: click.Command | None = root
    context: click.Context | None = None
    name, rest = PROGRAM, list(words)
    while command is not None:
        context = click.Context(command, info_name=name, parent=context, **command.context_settings)
        try:
            values, rest, _ = command.make_parser(context).parse_args(list(rest))
            for parameter in command.params:
                for text in _texts(values.get(parameter.name or "")):
                    yield _words(context), parameter, text
            if not isinstance(command, click.Group) or not rest:
                return
            found, command, rest = command.resolve_command(context, rest)
            name = found or ""
        except click.ClickException:
            # The command will say so itself, and do nothing.
            return


def _words(context: click.Context) -> str:
    return context.command_path.removeprefix(PROGRAM).strip()


def _texts(value: Any) -> Iterable[str]:
    if isinstance(value, str):
        return (value,)
    if isinstance(value, list | tuple):
        return [text for item in value for text in _texts(item)]
    return ()
