"""The security code as speech, by the program espeak-ng, for those who cannot read it from where they sit.

The digits go to the program's standard input: its command line could be read by every user of the device.
They are read one by one, with a pause after each group.
"""

import asyncio
import io
from contextlib import suppress

from conclave_hal.panel import LANGUAGES

PROGRAM = "espeak-ng"
WORDS_A_MINUTE = "130"
DEADLINE_S = 10.0
"""For the whole code; a fast machine needs a tenth of a second."""
SAMPLE_RATE_HZ = 48_000
MAX_SECONDS = 60
"""What a speaker takes at most (`AudioSink.announce`)."""


class SpeechError(Exception):
    """The code cannot be spoken; `hint` says what to do."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


def spelled(code: str) -> str:
    """The code as it is read out: `48217 09356` as `4 8 2 1 7. 0 9 3 5 6.`"""
    return " ".join(f"{' '.join(group)}." for group in code.split())


async def speak(code: str, language: str, *, program: str = PROGRAM, deadline_s: float = DEADLINE_S) -> bytes:
    """The samples of the spoken code: 16-bit little-endian, mono, 48 kHz. Raises SpeechError."""
    # The names of the languages are those of the voices too.
    voice = language if language in LANGUAGES else LANGUAGES[0]
    try:
        process = await asyncio.create_subprocess_exec(
            program,
            *("-v", voice, "-s", WORDS_A_MINUTE, "-b", "1", "--stdin", "--stdout"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
    except OSError as error:
        raise SpeechError(
            "this device cannot speak: espeak-ng is not installed", hint="read the code from the panel"
        ) from error
    try:
        async with asyncio.timeout(deadline_s):
            wave, _ = await process.communicate(spelled(code).encode())
    except TimeoutError as error:
        raise SpeechError("this device cannot speak: espeak-ng takes too long") from error
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    if process.returncode != 0 or not wave:
        raise SpeechError(
            f"this device cannot speak: espeak-ng fails for the language {voice}",
            hint="read the code from the panel",
        )
    return await asyncio.to_thread(_resampled, wave)


def _resampled(wave: bytes) -> bytes:
    """A WAV file's sound as samples of 48 kHz. Raises SpeechError for what is no sound."""
    # 18 MB of library, for whoever presses the button.
    from conclave_hal.pyav import av

    samples = bytearray()
    try:
        with av.open(io.BytesIO(wave), "r", format="wav") as container:
            resampler = av.AudioResampler(format="s16", layout="mono", rate=SAMPLE_RATE_HZ)
            for frame in (*container.decode(audio=0), None):
                for part in resampler.resample(frame):
                    samples += bytes(part.planes[0])[: 2 * part.samples]
    except (av.FFmpegError, IndexError) as error:
        raise SpeechError("this device cannot speak: espeak-ng gave no sound") from error
    return bytes(samples[: 2 * SAMPLE_RATE_HZ * MAX_SECONDS])
