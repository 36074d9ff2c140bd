"""The ALSA drivers on a sound card of the kernel whose output is its input (snd-aloop)."""

import asyncio
from array import array
from pathlib import Path
from statistics import median

import av
import pytest
from av.audio.frame import AudioFrame
from av.packet import Packet

from conclave_hal import threaded_source
from conclave_hal.alsa import playing
from conclave_hal.alsa.listening import opus
from conclave_hal.device import Health
from conclave_hal.drivers import Slot
from conclave_hal.media import AudioSink, AudioSource, EncodedFrame
from conclave_hal.simulated.tone import SAMPLE_RATE_HZ, dominant_frequency_hz, samples_of, tone_frames
from tests.hal.waiting import running, until_state
from tests.vm.guest.devices import PATIENCE_S, device

CARDS = Path("/sys/bus/platform/drivers/snd_aloop")
WITHIN = 0.01
"""Of the pitch: an emulated card does not keep time to a hair."""


@pytest.fixture(autouse=True)
def patience_with_sound(patience: None, monkeypatch: pytest.MonkeyPatch) -> None:
    for deadline in ("FIRST_ITEM_S", "NEXT_ITEM_S", "LOOK_DEADLINE_S"):
        monkeypatch.setattr(threaded_source, deadline, PATIENCE_S)
    monkeypatch.setattr(playing, "WRITE_DEADLINE_S", PATIENCE_S)


def microphone() -> AudioSource:
    return device(AudioSource, Slot.MICROPHONE, "alsa", device="hw:CARD=Loopback,DEV=1")


def speaker() -> AudioSink:
    # Much sound in the card: an emulated processor comes late.
    return device(AudioSink, Slot.SPEAKER, "alsa", device="hw:CARD=Loopback,DEV=0", buffer_ms=500)


class Ear:
    """Decodes what the microphone delivers, and tells the pitch of each packet's sound."""

    def __init__(self) -> None:
        self._decoder = av.CodecContext.create("libopus", "r")
        self._decoder.sample_rate, self._decoder.layout = SAMPLE_RATE_HZ, "mono"

    def pitch(self, frame: EncodedFrame) -> float:
        """Hertz; 0 for silence."""
        sound = array("h")
        for decoded in self._decoder.decode(Packet(frame.data)):
            sound += samples_of(bytes(decoded.planes[0])[: 2 * decoded.samples])
        return dominant_frequency_hz(sound)


async def heard(source: AudioSource, packets: int) -> float:
    """The pitch of so many packets in which something sounds."""
    ear = Ear()
    pitches: list[float] = []
    async with asyncio.timeout(PATIENCE_S):
        async for frame in source.frames():
            pitch = ear.pitch(frame)
            if pitch:
                pitches.append(pitch)
            if len(pitches) == packets:
                break
    return median(pitches)


async def is_ready(*devices: AudioSource | AudioSink) -> None:
    for each in devices:
        await until_state(each, lambda state: state.health is Health.READY)


async def test_a_sound_of_the_room_is_heard_at_its_pitch() -> None:
    ear, mouth = microphone(), speaker()
    async with running(ear), running(mouth):
        await is_ready(ear, mouth)
        saying = asyncio.create_task(mouth.announce(b"".join(tone_frames(880)) * 10))
        assert await heard(ear, 25) == pytest.approx(880, rel=WITHIN)
        saying.cancel()


async def test_a_voice_of_the_meeting_is_heard_at_its_pitch() -> None:
    def frames() -> list[AudioFrame]:
        made = []
        for sound in tone_frames(600):
            frame = AudioFrame("s16", "mono", len(sound) // 2)
            frame.sample_rate = SAMPLE_RATE_HZ
            frame.planes[0].update(sound)
            made.append(frame)
        return made

    packets = list(opus(frames()))
    ear, mouth = microphone(), speaker()
    async with running(ear), running(mouth):
        await is_ready(ear, mouth)

        async def speak() -> None:
            while True:
                for packet in packets:
                    assert await mouth.play("somebody", packet)
                    await asyncio.sleep(0.02)

        speaking = asyncio.create_task(speak())
        assert await heard(ear, 25) == pytest.approx(600, rel=WITHIN)
        speaking.cancel()


async def test_a_card_that_is_unplugged_while_it_sounds_comes_back() -> None:
    ear, mouth = microphone(), speaker()
    async with running(ear), running(mouth):
        await is_ready(ear, mouth)
        hearing = asyncio.create_task(heard(ear, 1000))
        await asyncio.to_thread(CARDS.joinpath("unbind").write_text, "snd_aloop.0")
        try:
            for each in (ear, mouth):
                await until_state(each, lambda state: state.health is Health.FAILED)
        finally:
            await asyncio.to_thread(CARDS.joinpath("bind").write_text, "snd_aloop.0")
        await is_ready(ear, mouth)
        hearing.cancel()
        await asyncio.gather(hearing, return_exceptions=True)
