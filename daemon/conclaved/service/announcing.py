"""What the room itself says over its speaker: the chime for a join from outside, and the security code.

One thing at a time: the next cuts off the one before. While the code is spoken the room's microphone sends
nothing: digits in a machine's voice prove nothing to those who hear them through the meeting itself, since
whoever plays in the middle could speak others in the same voice.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial

from conclave_hal.errors import HalError
from conclave_hal.media import AudioSink
from conclaved.service.chime import chime
from conclaved.service.spoken_code import SpeechError, speak

log = logging.getLogger(__name__)

CUT_OFF_S = 1.0
"""For a speaker to fall silent. The microphone stays shut meanwhile."""


class Announcing:
    """Owned by the event loop of the room."""

    def __init__(
        self,
        speaker: AudioSink,
        hush: Callable[[bool], None],
        failed: Callable[[str], None],
        *,
        speak: Callable[[str, str], Awaitable[bytes]] = speak,
    ) -> None:
        """`hush(True)` keeps the microphone from sending; `failed` gets a line for the people in the room."""
        self._speaker = speaker
        self._hush = hush
        self._failed = failed
        self._speak = speak
        self._task: asyncio.Task[None] | None = None
        self._code = ""

    def ring(self) -> None:
        """Chime once. A room without a speaker stays silent: its panel counts down all the same."""
        self._begin(self._ring)

    def say_code(self, code: str, language: str) -> None:
        """Speak the code that is on the glass."""
        self._begin(partial(self._say, code, language))
        self._code = code

    def code_is(self, code: str) -> None:
        """Stop speaking unless this is the code that is being spoken: an old one is not to be compared."""
        if self._code and self._code != code:
            self.stop()

    def stop(self) -> None:
        """Be silent."""
        self._code = ""
        if self._task is not None:
            self._task.cancel()

    async def close(self) -> None:
        """Be silent, and return when nothing runs any more."""
        self.stop()
        if self._task is not None:
            await asyncio.gather(self._task, return_exceptions=True)

    def _begin(self, what: Callable[[], Awaitable[None]]) -> None:
        before = self._task
        self.stop()

        async def after() -> None:
            if before is not None:
                await asyncio.gather(before, return_exceptions=True)
            await what()

        self._task = asyncio.create_task(after())

    async def _play(self, samples: bytes) -> None:
        """Returns when it was heard; whoever ends the waiting ends the sound."""
        try:
            await self._speaker.announce(samples)
        except asyncio.CancelledError:
            with suppress(HalError, TimeoutError):
                async with asyncio.timeout(CUT_OFF_S):
                    await self._speaker.announce(b"")
            raise

    async def _ring(self) -> None:
        try:
            await self._play(chime())
        except HalError as error:
            log.info("nobody heard the chime: %s", error)

    async def _say(self, code: str, language: str) -> None:
        try:
            samples = await self._speak(code, language)
            self._hush(True)
            await self._play(samples)
        except (SpeechError, HalError) as error:
            hint = f"; {error.hint}" if error.hint else ""
            self._failed(f"the code is not spoken: {error}{hint}")
        finally:
            self._hush(False)
