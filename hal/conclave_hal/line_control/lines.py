"""Lines of text in a stream of bytes that may be damaged. Sans-IO.

A line ends with CR, LF or both. Between lines NULs are nothing: an idle wire makes them. Within a line a NUL
is a byte that the port found broken (its parity or its stop bit was wrong), so the line is not what was
sent. Such a line, one with bytes that are not printable ASCII, and one that is too long, is one piece of
garbage, however long it goes on: the next line is understood again.
"""

from dataclasses import dataclass, field

MAX_LINE_BYTES = 512
"""An invitation's link is at most half of it."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line as it was sent, without its end."""

    text: str = field(repr=False)
    """Printable ASCII, not empty. Not in `repr`: passwords and links come this way."""


@dataclass(frozen=True, slots=True)
class Garbage:
    """Something came that was no line."""


class LineReader:
    """Cuts bytes into lines."""

    def __init__(self) -> None:
        self._begun = bytearray()
        self._is_damaged = False

    def feed(self, data: bytes) -> tuple[Line | Garbage, ...]:
        """What `data` completes. Empty lines are left out, so that CR LF ends one line and not two."""
        found: list[Line | Garbage] = []
        for byte in data:
            if byte in b"\r\n":
                if self._is_damaged:
                    found.append(Garbage())
                elif self._begun.strip():
                    found.append(Line(self._begun.decode("ascii").strip()))
                self._begun.clear()
                self._is_damaged = False
            elif byte == 0 and not self._begun:
                continue
            elif byte == 0x09 or 0x20 <= byte < 0x7F:
                self._begun.append(byte)
            else:
                self._is_damaged = True
            if len(self._begun) > MAX_LINE_BYTES:
                self._is_damaged = True
                self._begun.clear()
        return tuple(found)
