"""Several voices and one announcement, mixed 20 ms at a time.

Each voice has a bounded queue: it begins to play once `jitter` blocks wait, so that packets that come
unevenly leave no holes, and what waits beyond twice that is thrown away, oldest first, so that nobody is
heard late for ever. Samples are added with saturation: what is too loud is clipped and never wraps around.
"""

from array import array
from collections import deque
from dataclasses import dataclass, field

RATE_HZ = 48_000
BLOCK_SAMPLES = 960
"""20 ms."""
BLOCK_BYTES = 2 * BLOCK_SAMPLES
SILENCE = bytes(BLOCK_BYTES)
LOWEST, HIGHEST = -(2**15), 2**15 - 1


@dataclass(slots=True)
class _Voice:
    waiting: deque[bytes] = field(default_factory=deque)
    is_playing: bool = False


class Mixer:
    """What is heard next. Blocks are 16-bit samples in the machine's order, mono."""

    def __init__(self, jitter_blocks: int) -> None:
        """`jitter_blocks`: how many blocks of a voice wait before it plays, at least one."""
        self._jitter_blocks = jitter_blocks
        self._voices: dict[str, _Voice] = {}
        self._announcement: deque[bytes] = deque()

    def say(self, voice: str, block: bytes) -> None:
        """Another block of a voice."""
        entry = self._voices.setdefault(voice, _Voice())
        entry.waiting.append(block)
        if len(entry.waiting) > 2 * self._jitter_blocks + 1:
            entry.waiting.popleft()

    def forget(self, voice: str) -> None:
        """Nothing more of a voice, from now on."""
        self._voices.pop(voice, None)

    def announce(self, samples: bytes) -> int:
        """Over all voices, instead of the announcement before. Returns how many blocks it takes."""
        blocks = (samples[start : start + BLOCK_BYTES] for start in range(0, len(samples), BLOCK_BYTES))
        self._announcement = deque(block.ljust(BLOCK_BYTES, b"\0") for block in blocks)
        return len(self._announcement)

    @property
    def announcement_blocks(self) -> int:
        """How much of the announcement has not been taken yet."""
        return len(self._announcement)

    def block(self) -> bytes:
        """The next 20 ms."""
        parts = [part for voice in self._voices.values() if (part := self._next(voice)) is not None]
        if self._announcement:
            parts.append(self._announcement.popleft())
        return mixed(parts)

    def _next(self, voice: _Voice) -> bytes | None:
        if not voice.is_playing and len(voice.waiting) < self._jitter_blocks:
            return None
        voice.is_playing = bool(voice.waiting)
        return voice.waiting.popleft() if voice.waiting else None


def mixed(parts: list[bytes]) -> bytes:
    """The sum of blocks, sample by sample, within 16 bits."""
    # Most voices are silent most of the time, and adding nothing would cost as much as adding something.
    loud = [part for part in parts if part != SILENCE]
    if not loud:
        return SILENCE
    if len(loud) == 1:
        return loud[0]
    sums = map(sum, zip(*(memoryview(part).cast("h") for part in loud), strict=True))
    return array("h", [LOWEST if s < LOWEST else HIGHEST if s > HIGHEST else s for s in sums]).tobytes()


def spread(block: bytes, channels: int) -> bytes:
    """A mono block as frames of `channels` channels that all hear the same."""
    if channels == 1:
        return block
    mono = array("h", block)
    frames = array("h", bytes(len(block) * channels))
    for channel in range(channels):
        frames[channel::channels] = mono
    return frames.tobytes()
