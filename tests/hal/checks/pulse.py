"""Whether the event loop goes on: a fellow thread asks it for a beat, and counts how often it asked in vain.

Not the clock decides but scheduling: a machine that is too busy for the loop has no time for the fellow
thread either. A driver that waits for its hardware in the loop is found, with the line in which it waited.
"""

import asyncio
import sys
import threading
import traceback
from types import FrameType, TracebackType
from typing import Self

ASK_EVERY_S = 0.01
MOST_IN_VAIN = 50
"""Half a second of a machine that is idle; a meeting's sound breaks off long before."""


class Pulse:
    """Watches the loop that enters it, while it is entered."""

    def __init__(self) -> None:
        self._stop = threading.Event()
        self._beaten = threading.Event()
        self._thread = threading.Thread(target=self._ask, name="pulse", daemon=True)
        self._loop_thread = 0
        self.stood_at = ""
        """The innermost lines in which the loop stood still; empty while it never did."""

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._loop_thread = threading.get_ident()
        self._thread.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        # The thread ends within one of its pauses.
        self._thread.join()

    def _ask(self) -> None:
        in_vain = 0
        self._loop.call_soon_threadsafe(self._beaten.set)
        while not self._stop.wait(ASK_EVERY_S):
            if self._beaten.is_set():
                in_vain = 0
                self._beaten.clear()
                self._loop.call_soon_threadsafe(self._beaten.set)
                continue
            in_vain += 1
            if in_vain == MOST_IN_VAIN and not self.stood_at:
                self.stood_at = _where(sys._current_frames().get(self._loop_thread))


def _where(frame: FrameType | None) -> str:
    lines = traceback.extract_stack(frame)[-3:] if frame is not None else []
    return " > ".join(f"{line.filename}:{line.lineno} {line.name}" for line in lines) or "an unknown line"
