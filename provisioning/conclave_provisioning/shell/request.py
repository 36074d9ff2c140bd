"""What a client asked for, as the words of one command. Pure.

sshd hands over the client's command line as one string (SSH_ORIGINAL_COMMAND). It is split as a POSIX shell
splits quotes and blanks, so that an admin may quote as usual, and nothing of it is ever expanded: `$HOME`,
`;`, `|` and backticks are letters of a word.
"""

import shlex
from collections.abc import Sequence

PROGRAM = "conclavectl"
LONGEST_LINE = 32 * 1024
"""Characters. The longest real argument is a link, of some hundred."""


class RequestError(Exception):
    """What was asked cannot be a command; `hint` says what can."""

    def __init__(self, message: str, *, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


def split(line: str) -> list[str]:
    """Return the words of `line` without a leading `conclavectl`; none for a blank line.

    Raises RequestError for a line that is too long, holds a control character, half a surrogate (what was
    not UTF-8) or an open quote.
    """
    if len(line) > LONGEST_LINE:
        raise RequestError(
            f"the line is longer than {LONGEST_LINE // 1024} Ki characters",
            hint="give what is long on stdin, as a file: -",
        )
    # A line break would hide a second command from whoever reads a log of the first.
    if any((ord(c) < 0x20 and c != "\t") or ord(c) == 0x7F or 0xD800 <= ord(c) < 0xE000 for c in line):
        raise RequestError(
            "the line holds a control character, or is not UTF-8",
            hint="give one command, on one line",
        )
    try:
        words = shlex.split(line)
    except ValueError as error:
        raise RequestError(
            f"the line cannot be split into words: {str(error).lower()}", hint="close the quote"
        ) from error
    return without_program(words)


def without_program(words: Sequence[str]) -> list[str]:
    """Return the words without the program's name before them: commands are copied from hints and pages."""
    return list(words[1:] if words[:1] == [PROGRAM] else words)
