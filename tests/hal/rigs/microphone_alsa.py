"""A microphone at a sound card: a tone takes the card's place, and real Opus is made of it in its thread."""

import errno
import os
import time
from collections.abc import AsyncIterator, Generator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from unittest.mock import patch

from av.audio.frame import AudioFrame

from conclave_hal.alsa.listening import FRAME_SAMPLES, RATE_HZ, opus
from conclave_hal.alsa.microphone import AlsaMicrophone, AlsaMicrophoneOptions
from conclave_hal.drivers import Driver, Slot
from conclave_hal.media import EncodedFrame
from conclave_hal.simulated.tone import tone_frames
from tests.hal.rigs import Rig


@asynccontextmanager
async def rig(folder: Path) -> AsyncIterator[Rig]:
    """A card that is plugged in and hears 440 Hz."""
    card = folder / "card"
    card.touch()

    def heard() -> Iterator[AudioFrame]:
        for samples in tone_frames(440):
            time.sleep(0.02)
            if not card.exists():
                raise OSError(errno.ENODEV, os.strerror(errno.ENODEV))
            frame = AudioFrame(format="s16", layout="mono", samples=FRAME_SAMPLES)
            frame.sample_rate = RATE_HZ
            frame.planes[0].update(samples)
            yield frame

    def listen(device: str, channels: int) -> Generator[EncodedFrame, None, None]:
        while True:
            yield from opus(heard())

    async def unplug() -> None:
        card.unlink()

    async def plug_in() -> None:
        card.touch()

    driver = Driver(
        AlsaMicrophoneOptions,
        lambda options, made: AlsaMicrophone(options, is_there=lambda name: card.exists(), listen=listen),
    )
    with patch("conclave_hal.alsa.microphone.DRIVER", driver):
        yield Rig(Slot.MICROPHONE, "alsa", {"device": "hw:CARD=Room"}, unplug, plug_in)
