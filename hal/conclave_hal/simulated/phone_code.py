"""The QR code behind the lock: the security code in plain text, which any phone shows.

There is no address in it and nothing to install: people send the digits to the others by a way of their own.
"""

from functools import lru_cache

from conclave_hal.display_text import display_text
from conclave_hal.panel import Lock, MeetingState, PanelView

QUIET_MODULES = 4
"""White around a code (ISO/IEC 18004 §6.3.8)."""


def phone_text(view: PanelView) -> str:
    """Title, digits, and which room's panel showed them; empty where no code is to be compared."""
    is_current = view.state is MeetingState.IN_MEETING and view.lock is Lock.LOCKED
    if not is_current or not view.security_code:
        return ""
    where = f"{display_text(view.room)} #{view.code_epoch}"
    return "\n".join(filter(None, [display_text(view.title), view.security_code, where]))


def phone_code(view: PanelView) -> dict[str, object] | None:
    """`size` in modules with the quiet zone, and `path`: the dark ones as an SVG path of unit squares."""
    text = phone_text(view)
    return None if not text else {"size": _drawn(text)[0], "path": _drawn(text)[1]}


@lru_cache(maxsize=1)
def _drawn(text: str) -> tuple[int, str]:
    import segno  # only for who has a code to compare

    matrix = segno.make(text, error="m", micro=False).matrix
    squares = [
        f"M{x + QUIET_MODULES} {y + QUIET_MODULES}h1v1h-1z"
        for y, row in enumerate(matrix)
        for x, module in enumerate(row)
        if module
    ]
    return len(matrix) + 2 * QUIET_MODULES, "".join(squares)
