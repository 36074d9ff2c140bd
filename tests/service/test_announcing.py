"""The code spoken, and what is silent meanwhile."""

import asyncio
import shutil
import stat
from pathlib import Path

import pytest

from conclave_hal.errors import DeviceGoneError
from conclave_hal.none import NoSpeaker
from conclave_hal.panel import LANGUAGES
from conclave_hal.simulated.tone import dominant_frequency_hz, samples_of
from conclaved.service.announcing import Announcing
from conclaved.service.spoken_code import SAMPLE_RATE_HZ, SpeechError, speak, spelled

CODE = "48217 09356 71140 62893 30518 95427"
needs_espeak = pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="espeak-ng is not installed")


class Speaker(NoSpeaker):
    """Plays until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[bytes] = []
        self.cut_off = 0
        self.is_playing = asyncio.Event()
        self.may_end = asyncio.Event()

    async def announce(self, samples: bytes) -> None:
        if not samples:
            self.cut_off += 1
            return
        self.heard.append(samples)
        self.is_playing.set()
        await self.may_end.wait()


async def spoken(code: str, language: str) -> bytes:
    return f"{language} {code}".encode()


def program(folder: Path, text: str) -> str:
    """A program in the place of espeak-ng."""
    path = folder / "espeak-ng"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def test_digits_are_read_one_by_one_with_a_stop_after_each_group() -> None:
    assert spelled("48217 09356") == "4 8 2 1 7. 0 9 3 5 6."


@needs_espeak
@pytest.mark.parametrize("language", LANGUAGES)
async def test_every_language_speaks_the_whole_code_within_a_minute(language: str) -> None:
    samples = await speak(CODE, language)
    assert 8 < len(samples) / 2 / SAMPLE_RATE_HZ < 40
    middle = samples_of(samples[SAMPLE_RATE_HZ : SAMPLE_RATE_HZ + 96_000])
    assert dominant_frequency_hz(middle) > 0


async def test_the_digits_are_never_on_the_program_s_command_line(tmp_path: Path) -> None:
    seen, read = tmp_path / "seen", tmp_path / "read"
    fake = program(tmp_path, f'echo "$@" > {seen}; cat > {read}')
    with pytest.raises(SpeechError):
        await speak(CODE, "de", program=fake)
    assert seen.read_text().split()[:2] == ["-v", "de"]
    assert not any(group in seen.read_text() for group in CODE.split())
    assert read.read_text() == spelled(CODE)


async def test_a_device_without_the_program_says_so(tmp_path: Path) -> None:
    with pytest.raises(SpeechError, match="not installed"):
        await speak(CODE, "en", program=str(tmp_path / "nothing"))


async def test_a_program_that_hangs_is_ended(tmp_path: Path) -> None:
    with pytest.raises(SpeechError, match="too long"):
        await speak(CODE, "en", program=program(tmp_path, "exec sleep 60"), deadline_s=0.05)


async def test_what_is_no_sound_is_not_played(tmp_path: Path) -> None:
    with pytest.raises(SpeechError, match="no sound"):
        await speak(CODE, "en", program=program(tmp_path, "cat >/dev/null; echo hello"))


async def test_while_the_code_is_spoken_the_microphone_sends_nothing() -> None:
    speaker, hushed = Speaker(), list[bool]()
    announcing = Announcing(speaker, hushed.append, lambda line: None, speak=spoken)
    announcing.say_code(CODE, "ja")
    await speaker.is_playing.wait()
    assert hushed == [True]
    assert speaker.heard == [f"ja {CODE}".encode()]
    speaker.may_end.set()
    await announcing.close()
    assert hushed == [True, False]


async def test_a_code_that_is_no_longer_shown_is_no_longer_spoken() -> None:
    speaker, hushed = Speaker(), list[bool]()
    announcing = Announcing(speaker, hushed.append, lambda line: None, speak=spoken)
    announcing.say_code(CODE, "en")
    await speaker.is_playing.wait()
    announcing.code_is(CODE)
    assert announcing._task is not None
    assert not announcing._task.cancelling()
    announcing.code_is("11111 22222")
    assert announcing._task.cancelling()
    await announcing.close()
    assert hushed[-1] is False
    assert speaker.cut_off == 1


async def test_a_second_press_starts_the_code_anew() -> None:
    speaker = Speaker()
    announcing = Announcing(speaker, lambda is_hushed: None, lambda line: None, speak=spoken)
    for count in (1, 2):
        speaker.is_playing.clear()
        announcing.say_code(CODE, "en")
        await speaker.is_playing.wait()
        assert len(speaker.heard) == count
    announcing.code_is("")
    assert announcing._task is not None
    assert announcing._task.cancelling()
    await announcing.close()


async def test_people_learn_why_nothing_was_said() -> None:
    async def mute(code: str, language: str) -> bytes:
        raise SpeechError("espeak-ng is not installed", hint="read it")

    said: list[str] = []
    announcing = Announcing(Speaker(), lambda is_hushed: None, said.append, speak=mute)
    announcing.say_code(CODE, "en")
    await asyncio.gather(announcing._task or asyncio.sleep(0))
    assert said == ["the code is not spoken: espeak-ng is not installed; read it"]


async def test_a_room_without_a_speaker_says_that_it_has_none() -> None:
    with pytest.raises(DeviceGoneError):
        await NoSpeaker().announce(b"")
    said: list[str] = []
    announcing = Announcing(NoSpeaker(), lambda is_hushed: None, said.append, speak=spoken)
    announcing.say_code(CODE, "en")
    await asyncio.gather(announcing._task or asyncio.sleep(0))
    assert "this room has no speaker" in said[0]
