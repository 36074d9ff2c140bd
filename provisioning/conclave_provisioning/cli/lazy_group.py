"""A group that imports a command when it is used, and not for the list of them: `--help` has to be quick."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import click


@dataclass(frozen=True, slots=True)
class Place:
    """Where a command is, and what it does."""

    module: str
    """In this package; the command's name there is its own, with _ for -."""
    short_help: str
    """As the command itself says it; a test compares."""


class LazyGroup(click.Group):
    """See the file's head. Its commands are in `places`, in the order in which they are listed."""

    places: Mapping[str, Place] = {}

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, in their order."""
        return list(self.places)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name, imported now if it was not before."""
        if cmd_name not in self.commands and cmd_name in self.places:
            module = import_module(f"{__package__}.{self.places[cmd_name].module}")
            self.commands[cmd_name] = getattr(module, cmd_name.replace("-", "_"))
        return self.commands.get(cmd_name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that the words begin with; for a word that is none, click guesses among all names."""
        if args and args[0] not in self.places:
            for name in self.places:
                self.get_command(ctx, name)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, place.short_help) for name, place in self.places.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[Any]:
        """The names that begin so, with what they do; and the options."""
        from click.shell_completion import CompletionItem

        found = [
            CompletionItem(name, help=place.short_help)
            for name, place in self.places.items()
            if name.startswith(incomplete)
        ]
        return [*found, *click.Command.shell_complete(self, ctx, incomplete)]
