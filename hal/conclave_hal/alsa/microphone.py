"""Driver `alsa` of the slot microphone: a sound card that hears."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from dataclasses import dataclass
from typing import Annotated

from conclave_hal.alsa.cards import is_plugged_in, require, sound_device
from conclave_hal.device import DeviceState, Health
from conclave_hal.drivers import Driver
from conclave_hal.media import AudioSource, EncodedFrame
from conclave_hal.options import Option, integer
from conclave_hal.threaded_source import ThreadedSource

KEPT_PACKETS = 5
"""100 ms that wait for a slow reader; older sound is of no use to anybody."""


@dataclass(frozen=True, slots=True)
class AlsaMicrophoneOptions:
    """Options of a microphone at a sound card."""

    device: Annotated[str, Option(sound_device(), "the card, best by its id: hw:CARD=...")]
    channels: Annotated[
        int, Option(integer(0, 16), "channels of the card, mixed into one; 0 for two, or else one")
    ] = 0


class AlsaMicrophone(ThreadedSource[DeviceState, None, EncodedFrame], AudioSource):
    """Listens while it is enabled and read."""

    def __init__(
        self,
        options: AlsaMicrophoneOptions,
        *,
        is_there: Callable[[str], bool] = is_plugged_in,
        listen: Callable[[str, int], Generator[EncodedFrame | None, None, None]] | None = None,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """`listen` touches the hardware, in a thread; `pause` waits so many seconds."""
        super().__init__(f"microphone {options.device}", pause=pause)
        self._options = options
        self._is_there = is_there
        self._listen = listen or _ffmpeg

    def frames(self) -> AsyncGenerator[EncodedFrame, None]:
        """Opus packets of 20 ms until `close`; raises DeviceGoneError when the card goes."""
        return self._delivered()

    async def request_keyframe(self) -> None:
        """Every packet decodes alone."""

    def _look(self) -> None:
        require(self._options.device, self._is_there)

    def _is_still(self, found: None) -> bool:
        return self._is_there(self._options.device)

    def _capture(self, found: None) -> Generator[EncodedFrame | None, None, None]:
        return self._listen(self._options.device, self._options.channels)

    def _ready(self, found: None, is_capturing: bool) -> DeviceState:
        return DeviceState(Health.READY)

    def _keeps(self, found: None) -> int:
        return KEPT_PACKETS

    def _keep(self, waiting: deque[EncodedFrame], item: EncodedFrame) -> None:
        if len(waiting) >= KEPT_PACKETS:
            waiting.popleft()
        waiting.append(item)


def _ffmpeg(device: str, channels: int) -> Generator[EncodedFrame | None, None, None]:
    from conclave_hal.alsa.listening import listen  # FFmpeg, in the thread that needs it

    return listen(device, channels)


DRIVER = Driver(AlsaMicrophoneOptions, lambda options, made: AlsaMicrophone(options))
