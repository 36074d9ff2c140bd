"""Whether the event loop goes on: a fellow thread asks it for a beat, and counts how often it asked in vain.

Not the clock decides but scheduling: in vain counts while the loop's thread sleeps in the kernel, and no
more than a little while it only has no turn, or is busy. A driver that waits for its hardware in the loop is
found, with the line in which it waited.
"""

import asyncio
import sys
import threading
import traceback
from pathlib import Path
from types import FrameType, TracebackType
from typing import Self

ASK_EVERY_S = 0.01
MOST_IN_VAIN = 50.0
"""Half a second of waiting; a meeting's sound breaks off long before."""
AWAKE_COUNTS = 0.1
"""What an ask in vain counts while the loop's thread is not waiting for anything but its turn."""


class Pulse:
    """Watches the loop that enters it, while it is entered."""

    def __init__(self) -> None:
        self._stop = threading.Event()
        self._beaten = threading.Event()
        self._thread = threading.Thread(target=self._ask, name="pulse", daemon=True)
        self._loop_thread = 0
        self._stat = Path()
        self.stood_at = ""
        """The innermost lines in which the loop stood still; empty while it never did."""

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._loop_thread = threading.get_ident()
        self._stat = Path(f"/proc/self/task/{threading.get_native_id()}/stat")
        self._thread.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        # The thread ends within one of its pauses.
        self._thread.join()

    def _ask(self) -> None:
        in_vain = 0.0
        self._loop.call_soon_threadsafe(self._beaten.set)
        while not self._stop.wait(ASK_EVERY_S):
            if self._beaten.is_set():
                in_vain = 0.0
                self._beaten.clear()
                self._loop.call_soon_threadsafe(self._beaten.set)
                continue
            # The third field, behind the name in brackets: S is asleep (proc_pid_stat(5)).
            is_asleep = self._stat.read_text().rpartition(") ")[2].startswith("S")
            in_vain += 1 if is_asleep else AWAKE_COUNTS
            if in_vain >= MOST_IN_VAIN and not self.stood_at:
                self.stood_at = _where(sys._current_frames().get(self._loop_thread))


def _where(frame: FrameType | None) -> str:
    lines = traceback.extract_stack(frame)[-3:] if frame is not None else []
    return " > ".join(f"{line.filename}:{line.lineno} {line.name}" for line in lines) or "an unknown line"
