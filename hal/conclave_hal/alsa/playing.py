"""Samples to a sound card, through `aplay` of alsa-utils.

FFmpeg's own ALSA output takes the largest buffer that a card has, seconds on many, and does not tell how
much of it is full: two people could not speak through that, and no clock of ours runs like the card's.
`aplay` takes the buffer that it is told, waits for the card and recovers from underruns; alsa-utils is kept
with the ALSA library itself, and is packaged everywhere, Buildroot included (BR2_PACKAGE_ALSA_UTILS_APLAY).
A card that hangs hangs a process, which can be killed, and no thread of ours.
"""

import asyncio
import contextlib
import fcntl
import sys
from collections.abc import AsyncIterator

from conclave_hal.errors import DeviceGoneError, DeviceTimeoutError

PROGRAM = "aplay"
RATE_HZ = 48_000
PERIOD_MS = 20
WRITE_DEADLINE_S = 3.0
"""For a card to take one block."""
END_S = 1.0
"""For `aplay` to end by itself once it has been asked to."""
_PIPE_BYTES = 4096
"""The smallest pipe there is: what is in it is late. 21 ms of stereo."""
_FORMAT = "S16_LE" if sys.byteorder == "little" else "S16_BE"
_NOISE = ("underrun", "Playing raw data", "overrun")
"""What `aplay` says that is no reason for its end."""


class Player:
    """A running `aplay`."""

    def __init__(self, device: str, process: asyncio.subprocess.Process) -> None:
        """Use `playing`."""
        self._device = device
        self._process = process
        self._said = ""
        self._saying = asyncio.create_task(self._listen())

    async def write(self, frames: bytes) -> None:
        """Hand over samples and wait until there is room for more: the card sets the pace.

        Raises DeviceGoneError with what `aplay` said when it has ended, DeviceTimeoutError.
        """
        stdin = self._process.stdin
        if stdin is None:
            raise DeviceGoneError(f"{self._device} is closed")
        try:
            async with asyncio.timeout(WRITE_DEADLINE_S):
                stdin.write(frames)
                await stdin.drain()
        except (BrokenPipeError, ConnectionResetError) as error:
            await self._process.wait()
            await self._saying
            raise DeviceGoneError(f"{self._device}: {self._said or 'aplay ended'}") from error
        except TimeoutError as error:
            raise DeviceTimeoutError(f"{self._device} takes no sound") from error

    async def end(self) -> None:
        """Let what has been written sound, and end."""
        stdin = self._process.stdin
        try:
            async with asyncio.timeout(END_S):
                if stdin is not None:
                    stdin.close()
                    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                        await stdin.wait_closed()
                await self._process.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()
        finally:
            await self._saying

    async def _listen(self) -> None:
        """Remember the last thing that `aplay` said which may be the reason for its end."""
        stderr = self._process.stderr
        if stderr is None:
            return
        while line := await _line(stderr):
            text = "".join(c for c in line.decode("utf-8", "replace").strip() if c.isprintable())
            if text and not any(noise in text for noise in _NOISE):
                self._said = text


async def _line(stderr: asyncio.StreamReader) -> bytes:
    try:
        return await stderr.readline()
    except ValueError:  # longer than any line of aplay is
        return b"\n"


@contextlib.asynccontextmanager
async def playing(
    device: str, channels: int, buffer_ms: int, *, program: str = PROGRAM
) -> AsyncIterator[Player]:
    """Play on a device for as long as the context lasts. Raises DeviceGoneError if there is no `aplay`."""
    arguments = (
        f"--device={device}",
        "--quiet",
        "--file-type=raw",
        f"--format={_FORMAT}",
        f"--rate={RATE_HZ}",
        f"--channels={channels}",
        f"--buffer-time={1000 * buffer_ms}",
        f"--period-time={1000 * PERIOD_MS}",
        "-",
    )
    try:
        process = await asyncio.create_subprocess_exec(
            program,
            *arguments,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
    except OSError as error:
        raise DeviceGoneError(
            f"{program} cannot be started: {error.strerror}", hint="it is in the package alsa-utils"
        ) from error
    player = Player(device, process)
    try:
        if process.stdin is not None:
            transport = process.stdin.transport
            transport.set_write_buffer_limits(0)
            pipe = transport.get_extra_info("pipe")
            # A program that has ended already has no pipe any more; the first write says so.
            with contextlib.suppress(OSError, ValueError):
                fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
        yield player
    finally:
        await player.end()
