"""The loudspeaker: a double of the card takes what it plays, and the real `aplay` is asked once."""

import asyncio
import shutil
from array import array
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import pytest

from conclave_hal.alsa.speaker import MAX_BLOCKS_A_SECOND, AlsaSpeaker, AlsaSpeakerOptions
from conclave_hal.device import Health
from conclave_hal.errors import DeviceGoneError, UsageError
from conclave_hal.media import Codec, EncodedFrame
from conclave_hal.simulated.microphone import MicrophoneOptions, SimulatedMicrophone
from conclave_hal.simulated.tone import dominant_frequency_hz
from tests.hal.alsa.fake_card import FakeCard
from tests.hal.waiting import Clock, no_pause, running, until_state

OPTIONS = AlsaSpeakerOptions("hw:CARD=Room", channels=1, buffer_ms=40, jitter_ms=20)
LOUD = array("h", [1000] * 960).tobytes()


@pytest.fixture
async def card(tmp_path: Path) -> AsyncIterator[FakeCard]:
    made = FakeCard(tmp_path)
    yield made
    made.unplug()


def speaker_at(card: FakeCard) -> AlsaSpeaker:
    return AlsaSpeaker(OPTIONS, is_there=card.is_there, program=str(card.program), pause=no_pause)


@pytest.fixture
async def speaker(card: FakeCard) -> AsyncIterator[AlsaSpeaker]:
    """Running, at the card."""
    device = speaker_at(card)
    async with asyncio.timeout(30), running(device):
        await until_state(device, lambda state: state.health is Health.READY)
        yield device


async def tone(frequency_hz: int, packets: int) -> list[EncodedFrame]:
    """A second of a voice."""
    microphone = SimulatedMicrophone(MicrophoneOptions(frequency_hz))
    await microphone.open()
    async with aclosing(microphone.frames()) as frames:
        made = [await anext(frames) for _ in range(packets)]
    await microphone.close()
    return made


async def test_silence_is_played_while_nobody_speaks(card: FakeCard, speaker: AlsaSpeaker) -> None:
    await card.until(lambda: len(card.heard) >= 5)
    assert card.loud == []


async def test_the_program_is_told_device_format_and_buffer(card: FakeCard, speaker: AlsaSpeaker) -> None:
    told = set(card.arguments)
    assert {"--device=hw:CARD=Room", "--rate=48000", "--channels=1", "--buffer-time=40000"} <= told
    assert {"--format=S16_LE", "--file-type=raw", "--period-time=20000"} <= told


async def test_a_voice_is_heard_as_it_was_spoken(card: FakeCard, speaker: AlsaSpeaker) -> None:
    for packet in await tone(660, 14):
        before = len(card.loud)
        assert await speaker.play("1/0", packet)
        if packet.data and before:
            await card.until(lambda before=before: len(card.loud) > before)  # type: ignore[misc]
        else:
            await card.until(lambda: len(card.loud) > 0)
    sound = array("h", b"".join(card.loud))
    # What the encoder fades in is left out.
    assert dominant_frequency_hz(sound[2 * 960 :]) == pytest.approx(660, rel=0.03)
    report = speaker.reports()["1/0"]
    assert (report.frames_decoded, report.frames_failed) == (14, 0)


async def test_an_announcement_returns_when_it_has_been_played(card: FakeCard, speaker: AlsaSpeaker) -> None:
    await speaker.announce(LOUD * 5)
    await card.until(lambda: len(card.loud) >= 5)
    assert card.loud == [LOUD] * 5


async def test_a_newer_announcement_cuts_the_older_one_off(card: FakeCard, speaker: AlsaSpeaker) -> None:
    older = asyncio.ensure_future(speaker.announce(LOUD * 2900))
    await asyncio.sleep(0)
    await speaker.announce(LOUD)
    await older
    assert len(card.loud) < 2900


async def test_no_samples_at_all_cut_off_what_plays(card: FakeCard, speaker: AlsaSpeaker) -> None:
    older = asyncio.ensure_future(speaker.announce(LOUD * 2900))
    await asyncio.sleep(0)
    await speaker.announce(b"")
    await older
    assert len(card.loud) < 2900


async def test_a_damaged_packet_is_counted_and_the_next_one_plays(speaker: AlsaSpeaker) -> None:
    good = (await tone(440, 1))[0]
    for data in (b"", b"\xff\xff\xff"):
        assert not await speaker.play("1/0", EncodedFrame(Codec.OPUS, data, 0))
    assert await speaker.play("1/0", good)
    report = speaker.reports()["1/0"]
    assert (report.frames_decoded, report.frames_failed) == (1, 2)
    await speaker.stop("1/0")
    assert speaker.reports() == {}


async def test_a_card_that_goes_says_why_and_comes_back(card: FakeCard, speaker: AlsaSpeaker) -> None:
    announcing = asyncio.ensure_future(speaker.announce(LOUD * 2900))
    await asyncio.sleep(0)
    card.unplug()
    await until_state(speaker, lambda state: state.health is Health.FAILED)
    with pytest.raises(DeviceGoneError):
        await announcing
    with pytest.raises(DeviceGoneError):
        await speaker.announce(LOUD)
    card.plug_in()
    await until_state(speaker, lambda state: state.health is Health.READY)
    await speaker.announce(LOUD)


async def test_a_device_without_a_clock_is_not_fed_without_end(card: FakeCard) -> None:
    clock = Clock()
    device = AlsaSpeaker(OPTIONS, is_there=card.is_there, program=str(card.program), pause=clock.pause)
    async with asyncio.timeout(30), running(device):
        while not clock.pauses:
            await card.until(lambda: True)
            await asyncio.sleep(0)
        assert 0 < clock.pauses[0] <= 1
        held = OPTIONS.buffer_ms // 20 + 1
        await card.until(lambda: len(card.heard) == MAX_BLOCKS_A_SECOND + held)
        await clock.tick()
        await card.until(lambda: len(card.heard) > MAX_BLOCKS_A_SECOND + held)


async def test_what_aplay_says_last_is_the_reason(card: FakeCard) -> None:
    card.unplug()
    device = AlsaSpeaker(OPTIONS, is_there=lambda name: True, program=str(card.program), pause=no_pause)
    async with running(device):
        failed = await until_state(device, lambda state: state.health is Health.FAILED)
    assert failed.reason == "hw:CARD=Room: aplay: main:831: audio open error: No such device"


async def test_without_the_program_the_reason_names_it(card: FakeCard) -> None:
    device = AlsaSpeaker(OPTIONS, is_there=card.is_there, program=str(card.program) + "-none", pause=no_pause)
    async with running(device):
        failed = await until_state(device, lambda state: state.health is Health.FAILED)
    assert "cannot be started: No such file" in failed.reason


async def test_a_card_that_is_not_plugged_in_starts_no_program(card: FakeCard) -> None:
    card.unplug()
    device = speaker_at(card)
    async with running(device):
        failed = await until_state(device, lambda state: state.health is Health.FAILED)
    assert failed.reason == "hw:CARD=Room is not plugged in"


async def test_a_speaker_refuses_pictures_and_half_samples(card: FakeCard) -> None:
    device = speaker_at(card)
    with pytest.raises(UsageError):
        await device.play("1/0", EncodedFrame(Codec.OPUS, b"", 0))
    await device.open()
    with pytest.raises(UsageError):
        await device.play("1/1", EncodedFrame(Codec.H264, b"", 0))
    with pytest.raises(UsageError):
        await device.announce(b"\0")
    await device.close()


@pytest.mark.skipif(shutil.which("aplay") is None, reason="no alsa-utils here")
async def test_the_real_aplay_takes_what_it_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sound = tmp_path / "sound"
    (tmp_path / "asound.conf").write_text(
        f'pcm.room {{ type file slave.pcm {{ type null }} file "{sound}" format raw }}\n'
    )
    monkeypatch.setenv("ALSA_CONFIG_PATH", str(tmp_path / "asound.conf"))
    device = AlsaSpeaker(AlsaSpeakerOptions("room"), pause=no_pause)
    async with asyncio.timeout(30), running(device):
        await until_state(device, lambda state: state.health is Health.READY)
        await device.announce(LOUD * 3)
    stereo = array("h", sound.read_bytes())
    assert stereo.count(1000) == 2 * 3 * 960
