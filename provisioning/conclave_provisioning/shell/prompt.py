"""The interactive prompt: one command a line, until Ctrl-D, `exit` or a long silence.

The line editor is the standard library's `readline`, which costs two milliseconds of the start. It is given
no file to complete, to read or to write: the history is this session's, in memory, and leaves out every line
that holds a link.
"""

import math
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from types import FrameType

from conclave_provisioning.cli.output import safe
from conclave_provisioning.shell.completion import Candidate
from conclave_provisioning.shell.request import RequestError, split

LEAVE = frozenset({"exit", "quit", "logout"})
LONGEST_HISTORY = 500
# Wide enough for the longest option, and help beside it.
COLUMN = 24
MOST_SHOWN = 100
TICK_S = 0.2
_BINDINGS = (
    "tab: complete",
    "set bell-style none",
    "set show-all-if-ambiguous on",
    "set page-completions off",
    "set completion-query-items 0",
    "set enable-bracketed-paste on",
    # Would put the home folders of other users on the line.
    r'"\e&": abort',
    r'"\e~": abort',
)


class _IdleTooLongError(Exception):
    """Nobody typed."""


class _Watch:
    """Ends the wait for a line by Ctrl-C, or after a long silence.

    Where Ctrl-C comes while the line editor itself waits for the rest of a key, Python hears of it only by
    the next signal: so an alarm ticks. It alone raises, because the editor can hand on one exception.
    """

    def __init__(self, idle_s: int) -> None:
        self._idle_s = idle_s
        self._ends = math.inf
        self._is_interrupted = False
        signal.signal(signal.SIGALRM, self._on_tick)

    def start(self) -> None:
        """A line is awaited."""
        self._ends = time.monotonic() + self._idle_s
        self._is_interrupted = False
        signal.signal(signal.SIGINT, self._on_interrupt)
        signal.setitimer(signal.ITIMER_REAL, TICK_S, TICK_S)

    def stop(self) -> None:
        """It is there: from here on Ctrl-C is for the command."""
        signal.setitimer(signal.ITIMER_REAL, 0)
        # A tick may be under way still.
        self._ends = math.inf
        self._is_interrupted = False
        signal.signal(signal.SIGINT, signal.default_int_handler)

    def _on_interrupt(self, number: int, frame: FrameType | None) -> None:
        self._is_interrupted = True

    def _on_tick(self, number: int, frame: FrameType | None) -> None:
        if self._is_interrupted:
            raise KeyboardInterrupt
        if time.monotonic() >= self._ends:
            raise _IdleTooLongError


def converse(
    run: Callable[[Sequence[str]], int],
    refuse: Callable[[RequestError], int],
    complete: Callable[[str, str], Sequence[Candidate]],
    *,
    idle_s: int,
) -> int:
    """Read commands and run them; returns the exit code of the last one.

    `refuse` says why a line is none. Ctrl-C ends the command under way, or the line, and not the session.
    """
    name = safe(os.uname().nodename.partition(".")[0])
    is_terminal = sys.stdin.isatty() and sys.stdout.isatty()
    if is_terminal:
        _prepare_editor(complete, f"{name}> ")
        print(f"Conclave room {name}: Tab completes, help explains, Ctrl-D leaves.")
    watch = _Watch(idle_s)
    code = 0
    while True:
        try:
            words = _read(f"{name}> " if is_terminal else "", watch)
            if words is None or (words and words[0] in LEAVE):
                return code
            if words:
                code = run(words)
        except RequestError as error:
            code = refuse(error)
        except KeyboardInterrupt:
            print()
        except _IdleTooLongError:
            print(f"\nleft: nothing was typed for {idle_s} s", file=sys.stderr)
            return code


def _read(prompt: str, watch: _Watch) -> list[str] | None:
    """The next line's words; None at the end. Raises RequestError, KeyboardInterrupt, _IdleTooLongError."""
    watch.start()
    try:
        line = input(prompt)
    except EOFError:
        if prompt:
            print()
        return None
    finally:
        watch.stop()
    words = split(line)
    if prompt:
        _remember(line)
    return words


def _remember(line: str) -> None:
    import readline

    length = readline.get_current_history_length()
    is_new = length == 0 or readline.get_history_item(length) != line
    if line.strip() and is_new and is_harmless(line):
        readline.add_history(line)


def is_harmless(line: str) -> bool:
    """Whether a line may be called back by whoever sits down at this terminal next: it holds no link."""
    return "://" not in line and "#" not in line


def _prepare_editor(complete: Callable[[str, str], Sequence[Candidate]], prompt: str) -> None:
    import readline

    found: list[Candidate] = []

    def offer(begun: str, number: int) -> str | None:
        if number == 0:
            line = readline.get_line_buffer()
            found[:] = complete(line[: readline.get_begidx()], begun)
        # Several words end alike in nothing: the blank is part of each.
        return f"{found[number].word} " if number < len(found) else None

    def show(begun: str, matches: Sequence[str], longest: int) -> None:
        print()
        for candidate in found[:MOST_SHOWN]:
            print(f"  {safe(candidate.word):<{COLUMN}} {safe(candidate.explanation)}".rstrip())
        if len(found) > MOST_SHOWN:
            print(f"  and {len(found) - MOST_SHOWN} more")
        print(prompt + readline.get_line_buffer(), end="", flush=True)

    for binding in _BINDINGS:
        readline.parse_and_bind(binding)
    readline.set_auto_history(False)
    readline.set_history_length(LONGEST_HISTORY)
    readline.set_completer_delims(" \t")
    readline.set_completer(offer)
    readline.set_completion_display_matches_hook(show)
