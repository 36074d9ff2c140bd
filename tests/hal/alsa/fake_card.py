"""A sound card below `aplay`: a program in its place, whose sound is remembered block by block."""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

from conclave_hal.alsa.mixing import BLOCK_BYTES, SILENCE


class FakeCard:
    """A mono card that is plugged in from the start. One event loop owns it."""

    def __init__(self, folder: Path) -> None:
        self.program = folder / "aplay"
        self._absent, self._sound = folder / "absent", folder / "sound"
        self._arguments = folder / "arguments"
        self.heard: list[bytes] = []
        """Every block of 20 ms so far."""
        self.program.write_text(
            f"""#!/bin/sh
if [ -e '{self._absent}' ]; then
    echo 'ALSA lib pcm.c:2666: something about a name' >&2
    echo 'aplay: main:831: audio open error: No such device' >&2
    exit 1
fi
echo "$@" > '{self._arguments}'
echo 'underrun!!! (at least 3.000 ms long)' >&2
exec cat > '{self._sound}'
"""
        )
        self.program.chmod(0o755)
        self._descriptor = -1
        self._rest = bytearray()
        self._arrived = asyncio.Event()
        self.plug_in()

    @property
    def arguments(self) -> list[str]:
        """What `aplay` was started with."""
        return self._arguments.read_text().split()

    @property
    def loud(self) -> list[bytes]:
        """The blocks that are not silent."""
        return [block for block in self.heard if block != SILENCE]

    def is_there(self, device: str) -> bool:
        """As the card's name in /proc."""
        return not self._absent.exists()

    def plug_in(self) -> None:
        """The card takes sound."""
        self._absent.unlink(missing_ok=True)
        os.mkfifo(self._sound)
        # For writing too: else it would read as its end whenever nobody writes.
        self._descriptor = os.open(self._sound, os.O_RDWR | os.O_NONBLOCK)
        asyncio.get_running_loop().add_reader(self._descriptor, self._readable)

    def unplug(self) -> None:
        """The card is gone, in the middle of whatever it plays. Safe to call twice."""
        self._absent.touch()
        self._sound.unlink(missing_ok=True)
        if self._descriptor >= 0:
            asyncio.get_running_loop().remove_reader(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = -1
        self._rest.clear()

    async def until(self, is_so: Callable[[], bool]) -> None:
        """Take sound until `is_so`."""
        while not is_so():
            self._arrived.clear()
            await self._arrived.wait()

    def _readable(self) -> None:
        self._rest += os.read(self._descriptor, BLOCK_BYTES)
        while len(self._rest) >= BLOCK_BYTES:
            self.heard.append(bytes(self._rest[:BLOCK_BYTES]))
            del self._rest[:BLOCK_BYTES]
        self._arrived.set()
