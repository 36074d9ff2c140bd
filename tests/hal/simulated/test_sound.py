"""From the simulated microphone to the simulated speaker, through real Opus."""

import asyncio
import math
from array import array
from contextlib import aclosing
from itertools import pairwise

import pytest

from conclave_hal.media import Codec, EncodedFrame
from conclave_hal.simulated.microphone import MicrophoneOptions, SimulatedMicrophone
from conclave_hal.simulated.mute_switch import SimulatedMuteSwitch
from conclave_hal.simulated.speaker import SimulatedSpeaker
from conclave_hal.simulated.tone import SAMPLE_RATE_HZ, dominant_frequency_hz
from conclave_hal.switches import SwitchPosition

PACKETS = 12
"""240 ms: past the fade-in, and one whole block that is measured."""


async def heard(microphone: SimulatedMicrophone, packets: int = PACKETS) -> dict[str, object]:
    """What the speaker finds in the microphone's first packets."""
    speaker = SimulatedSpeaker()
    await microphone.open()
    await speaker.open()
    async with asyncio.timeout(20), aclosing(microphone.frames()) as frames:
        for _ in range(packets):
            assert await speaker.play("1/0", await anext(frames))
    report = speaker.reports()["1/0"]
    assert (report.frames_decoded, report.frames_failed) == (packets, 0)
    await microphone.close()
    await speaker.close()
    return dict(report.detail)


@pytest.mark.parametrize("frequency_hz", [110, 440, 1318, 5000])
async def test_the_speaker_measures_the_tone_that_the_microphone_hears(frequency_hz: int) -> None:
    found = await heard(SimulatedMicrophone(MicrophoneOptions(frequency_hz)))
    assert found["frequency_hz"] == pytest.approx(frequency_hz, rel=0.02)
    assert found["seconds"] == pytest.approx(PACKETS * 0.02)


async def test_a_blocking_mute_switch_leaves_silence() -> None:
    switch = SimulatedMuteSwitch()
    await switch.move(SwitchPosition.BLOCKING)
    found = await heard(SimulatedMicrophone(MicrophoneOptions(440), switch))
    assert found["frequency_hz"] == 0.0


async def test_time_stamps_advance_by_packets_of_20_ms() -> None:
    microphone = SimulatedMicrophone(MicrophoneOptions())
    await microphone.open()
    async with asyncio.timeout(20), aclosing(microphone.frames()) as frames:
        stamps = [(await anext(frames)).timestamp for _ in range(4)]
    await microphone.close()
    steps = [(after - before) % 2**32 for before, after in pairwise(stamps)]
    assert all(step > 0 and step % 960 == 0 for step in steps)


@pytest.mark.parametrize("data", [b"", b"\x03", b"\xff\xff\xff"])
async def test_a_damaged_packet_is_counted_and_the_next_one_plays(data: bytes) -> None:
    microphone, speaker = SimulatedMicrophone(MicrophoneOptions()), SimulatedSpeaker()
    await microphone.open()
    await speaker.open()
    async with asyncio.timeout(20), aclosing(microphone.frames()) as frames:
        good = await anext(frames)
    assert not await speaker.play("1/0", EncodedFrame(Codec.OPUS, data, 0))
    assert await speaker.play("1/0", good)
    report = speaker.reports()["1/0"]
    assert (report.frames_decoded, report.frames_failed) == (1, 1)
    await microphone.close()
    await speaker.close()


def tone(frequency_hz: float, noise: float = 0.0) -> "array[int]":
    return array(
        "h",
        (
            round(
                8000
                * (
                    math.sin(2 * math.pi * frequency_hz * n / SAMPLE_RATE_HZ)
                    + noise * ((n * 7919 % 13) / 6 - 1)
                )
            )
            for n in range(SAMPLE_RATE_HZ // 10)
        ),
    )


@pytest.mark.parametrize("frequency_hz", [101.0, 441.3, 999.9, 7900.0])
def test_a_pitch_between_whole_hertz_is_measured_within_two_percent(frequency_hz: float) -> None:
    assert dominant_frequency_hz(tone(frequency_hz)) == pytest.approx(frequency_hz, rel=0.002)
    assert dominant_frequency_hz(tone(frequency_hz, noise=0.1)) == pytest.approx(frequency_hz, rel=0.02)


@pytest.mark.parametrize("samples", [array("h"), array("h", [0] * 4800), array("h", [20, -20] * 2400)])
def test_silence_has_no_pitch(samples: "array[int]") -> None:
    assert dominant_frequency_hz(samples) == 0.0
