"""Which tones are in a recording of the guest's loudspeaker, and the tone that the guest's microphone hears.

A recording of several rooms at once is not one tone: how much of each pitch is in it says who is heard.
"""

import math
from array import array
from collections.abc import Iterable

RATE_HZ = 48_000
BLOCK_SAMPLES = 4800
"""100 ms: pitches that are 10 Hz apart are told from each other (Goertzel's filter over a whole block)."""


def tone_pcm(frequency_hz: int, *, channels: int = 2) -> bytes:
    """A second of a tone, 16-bit little-endian, as `aplay -f S16_LE` takes it; it repeats without a seam."""
    one = (round(9000 * math.sin(2 * math.pi * frequency_hz * n / RATE_HZ)) for n in range(RATE_HZ))
    return array("h", (sample for sample in one for _ in range(channels))).tobytes()


def left_of(pcm: bytes, *, channels: int = 2) -> "array[int]":
    """The first channel of 16-bit samples."""
    samples = array("h", pcm[: len(pcm) // (2 * channels) * 2 * channels])
    return samples[::channels]


def strengths(samples: "array[int]", frequencies_hz: Iterable[int]) -> dict[int, float]:
    """How much of the sound's power each pitch has, from 0 to 1: the median of blocks that are not silent."""
    blocks = [samples[at : at + BLOCK_SAMPLES] for at in range(0, len(samples), BLOCK_SAMPLES)]
    loud = [b for b in blocks if len(b) == BLOCK_SAMPLES and max(b) > 300]
    found = {}
    for frequency in frequencies_hz:
        shares = sorted(_share(block, frequency) for block in loud)
        found[frequency] = shares[len(shares) // 2] if shares else 0.0
    return found


def _share(block: "array[int]", frequency_hz: int) -> float:
    coefficient = 2 * math.cos(2 * math.pi * frequency_hz / RATE_HZ)
    before = before_that = 0.0
    total = 0.0
    for sample in block:
        total += sample * sample
        before, before_that = sample + coefficient * before - before_that, before
    power = before * before + before_that * before_that - coefficient * before * before_that
    return 2 * power / (len(block) * total) if total else 0.0
