"""Every command that there is, by its words."""

from collections.abc import Iterator

import click

from conclave_provisioning.cli.command import root

Words = tuple[str, ...]


def walk(command: click.Command = root, words: Words = ()) -> Iterator[tuple[Words, click.Command]]:
    """Each command and group with its words, the root first."""
    yield words, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            if found is not None and not found.hidden:
                yield from walk(found, (*words, name))


def leaves() -> dict[str, click.Command]:
    """Those that do something, by their words with blanks between."""
    return {" ".join(words): command for words, command in walk() if not isinstance(command, click.Group)}
