"""A loudspeaker at a sound card: a program in place of `aplay` takes what is played."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from unittest.mock import patch

from conclave_hal.alsa.speaker import AlsaSpeaker, AlsaSpeakerOptions
from conclave_hal.drivers import Driver, Slot
from tests.hal.alsa.fake_card import FakeCard
from tests.hal.rigs import Rig


@asynccontextmanager
async def rig(folder: Path) -> AsyncIterator[Rig]:
    """A card that is plugged in and plays."""
    card = FakeCard(folder)

    async def unplug() -> None:
        card.unplug()

    async def plug_in() -> None:
        card.plug_in()

    driver = Driver(
        AlsaSpeakerOptions,
        lambda options, made: AlsaSpeaker(options, is_there=card.is_there, program=str(card.program)),
    )
    try:
        with patch("conclave_hal.alsa.speaker.DRIVER", driver):
            yield Rig(Slot.SPEAKER, "alsa", {"device": "hw:CARD=Room", "channels": 1}, unplug, plug_in)
    finally:
        card.unplug()
