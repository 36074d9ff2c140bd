"""The watchdog's food: given only after each part that a hang would hide has answered.

An event loop that lives says little: the panel's loop, the meeting's or the bus may be stuck beside it, and
people would stand before a room that does nothing until somebody pulls its plug. So each part is asked for a
sign of life, all at once, and systemd hears of the daemon only if all of them gave one in time. None of the
questions goes through a worker thread, where signatures of a slow TPM and what members ask for queue up.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping

from conclaved.service.events import EVENT_ATTRIBUTE, Event

log = logging.getLogger(__name__)

Question = Callable[[], Awaitable[None]]
"""Returns when the part has answered. Raises whatever it likes for one that did not."""

ANSWER_SHARE = 1 / 2
"""Of what systemd allows: how long a part may take."""
REST_SHARE = 1 / 6
"""And how long nobody asks afterwards. Together they leave a third to a machine that is busy."""


class Liveness:
    """Asks the same parts again and again. One event loop owns it."""

    def __init__(
        self,
        questions: Mapping[str, Question],
        feed: Callable[[], None],
        allowed_s: float,
        *,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """`questions` by what people call the part; `allowed_s` is the time between two signs of life."""
        self._questions = questions
        self._feed = feed
        self._allowed_s = allowed_s
        self._pause = pause
        self._asked: dict[str, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Feed the watchdog while all parts answer, until cancelled."""
        try:
            while True:
                silent = await self.ask()
                if silent:
                    names, hangs = ", ".join(silent), {EVENT_ATTRIBUTE: Event.HANGS}
                    log.error("no sign of life from: %s; the watchdog is not fed", names, extra=hangs)
                else:
                    self._feed()
                await self._pause(self._allowed_s * REST_SHARE)
        finally:
            for task in self._asked.values():
                task.cancel()

    async def ask(self) -> tuple[str, ...]:
        """Ask all parts at once; return those that have not answered in time.

        One that has not answered yet is not asked again before it has.
        """
        for name, question in self._questions.items():
            if name not in self._asked:
                self._asked[name] = asyncio.ensure_future(question())
        await asyncio.wait(self._asked.values(), timeout=self._allowed_s * ANSWER_SHARE)
        silent = []
        for name, task in list(self._asked.items()):
            if not task.done():
                silent.append(name)
                continue
            del self._asked[name]
            error = None if task.cancelled() else task.exception()
            if error is not None:
                log.warning("%s: %s", name, str(error) or type(error).__name__)
            if task.cancelled() or error is not None:
                silent.append(name)
        return tuple(silent)
