"""Questions to whoever is at the terminal, asked while a command has the room on the line.

They go to stderr: stdout is the answer's.
"""

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import click

from conclave_provisioning.cli.errors import CommandError, ErrorKind
from conclave_provisioning.cli.output import safe

TICK_S = 0.2
"""As long as a Ctrl-C may go unheard."""


def confirm(question: str, *, lacking: str, refused: str, instead: str) -> None:
    """Go on only if a person says yes. Raises click.Abort, or CommandError.

    `lacking` is the error where nobody can be asked, `refused` the one after a no, `instead` its hint.
    """
    if not sys.stdin.isatty():
        raise CommandError(ErrorKind.USAGE, lacking, hint="add --yes")
    with interruptible():
        is_meant = click.confirm(safe(question), err=True)
    if not is_meant:
        raise CommandError(ErrorKind.USAGE, refused, hint=instead)


def ask(question: str, *, hidden: bool = False) -> str:
    """What a person types; may be empty unless it is `hidden`. Raises click.Abort."""
    with interruptible():
        typed: str = (
            click.prompt(safe(question), hide_input=True, err=True)
            if hidden
            else click.prompt(safe(question), err=True, default="", show_default=False)
        )
    return typed


@contextmanager
def interruptible() -> Iterator[None]:
    """Hear the first Ctrl-C: the event loop of a command would keep it until the question is answered.

    Where it comes just before the line editor waits for a key, Python hears of it only by the next signal: so
    an alarm ticks meanwhile.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    interrupt = signal.signal(signal.SIGINT, signal.default_int_handler)
    alarm = signal.signal(signal.SIGALRM, lambda number, frame: None)
    timer = signal.setitimer(signal.ITIMER_REAL, TICK_S, TICK_S)
    try:
        yield
    except click.Abort:
        click.echo(err=True)
        raise
    finally:
        signal.setitimer(signal.ITIMER_REAL, *timer)
        signal.signal(signal.SIGALRM, alarm)
        signal.signal(signal.SIGINT, interrupt)
