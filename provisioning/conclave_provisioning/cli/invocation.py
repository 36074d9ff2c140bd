"""How a command meets the room: the options that all share, and one connection for its run."""

import os
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import click

from conclave_provisioning.cli.errors import BROKEN_PIPE, CommandError, ErrorKind
from conclave_provisioning.cli.output import Output

if TYPE_CHECKING:
    # Help and usage errors come without the room, and without what it takes to reach it.
    from conclave_provisioning.cli.client import RoomClient

Decorated = TypeVar("Decorated", bound=Callable[..., Any])
Action = Callable[["RoomClient", Output], Awaitable[None]]


@dataclass(slots=True)
class Settings:
    """What --json and --bus said, wherever on the line they stood."""

    is_json: bool = False
    bus: str | None = None


def _set_json(context: click.Context, parameter: click.Parameter, value: bool) -> None:
    context.ensure_object(Settings).is_json |= value


def _set_bus(context: click.Context, parameter: click.Parameter, value: str | None) -> None:
    settings = context.ensure_object(Settings)
    settings.bus = value or settings.bus


def shared_options(command: Decorated) -> Decorated:
    """Add --json and --bus to a command or group."""
    add_json = click.option(
        "--json",
        is_flag=True,
        expose_value=False,
        callback=_set_json,
        help="Print one JSON object on stdout, errors too.",
    )
    add_bus = click.option(
        "--bus",
        metavar="ADDRESS",
        envvar="CONCLAVE_BUS",
        expose_value=False,
        callback=_set_bus,
        help="D-Bus address of the room; else CONCLAVE_BUS, else the system bus.",
    )
    return add_json(add_bus(command))


def run(action: Action) -> None:
    """Run `action` with a connection to the room, and end that. Raises CommandError."""
    import asyncio

    from conclave_provisioning.cli.client import RoomClient

    context = click.get_current_context()
    settings = context.ensure_object(Settings)

    async def connected() -> None:
        client = await RoomClient.open(settings.bus)
        try:
            await action(client, Output(is_json=settings.is_json))
        finally:
            await client.close()

    try:
        asyncio.run(connected())
    except CommandError as error:
        error.command = context.command_path
        raise
    except BrokenPipeError as error:
        # `conclavectl watch | head`: the reader has enough. Python would complain again at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise click.exceptions.Exit(BROKEN_PIPE) from error


def run_alone(action: Callable[[Output], None]) -> None:
    """Run `action` without a room. Raises CommandError."""
    context = click.get_current_context()
    try:
        action(Output(is_json=context.ensure_object(Settings).is_json))
    except CommandError as error:
        error.command = context.command_path
        raise


def done(output: Output, words: str, **data: Any) -> None:
    """Say that something was done."""
    output.data(ok=True, **data)
    output.line(words)


def refuse(message: str, *, hint: str) -> CommandError:
    """The error for an argument that only the room's state shows to be wrong."""
    return CommandError(ErrorKind.INVALID_ARGUMENT, message, hint=hint)
