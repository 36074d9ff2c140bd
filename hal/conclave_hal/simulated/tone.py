"""A pure tone as samples, and the pitch of samples that may be one.

Samples are 16-bit signed, mono, 48000 a second.
"""

import math
import sys
from array import array

SAMPLE_RATE_HZ = 48_000
FRAME_SAMPLES = 960
"""20 ms, one Opus packet."""
_AMPLITUDE = 9_000
_QUIET = 300
"""Peaks below this are silence: what Opus makes of a muted line, not a tone."""


def tone_frames(frequency_hz: int) -> list[bytes]:
    """One second of the tone as 50 frames, which repeat seamlessly for a whole number of hertz."""
    wave = array("h", (_sample(frequency_hz * n % SAMPLE_RATE_HZ) for n in range(SAMPLE_RATE_HZ)))
    data = wave.tobytes()
    size = 2 * FRAME_SAMPLES
    return [data[start : start + size] for start in range(0, len(data), size)]


def _sample(phase: int) -> int:
    return round(_AMPLITUDE * math.sin(2 * math.pi * phase / SAMPLE_RATE_HZ))


def dominant_frequency_hz(samples: "array[int]") -> float:
    """The frequency of the strongest tone, from the time between its rising zero crossings.

    0.0 for silence. Good to better than 0.5 % for a tone that crosses at least three times.
    """
    peak = max(max(samples, default=0), -min(samples, default=0))
    if peak < _QUIET:
        return 0.0
    # A crossing counts once the wave has been well below zero, so that noise makes none.
    armed_below = -peak // 4
    crossings: list[float] = []
    is_armed = False
    before = samples[0]
    for index, sample in enumerate(samples):
        if sample < armed_below:
            is_armed = True
        elif is_armed and sample >= 0:
            crossings.append(index - sample / (sample - before) if sample != before else float(index))
            is_armed = False
        before = sample
    if len(crossings) < 3:
        return 0.0
    return SAMPLE_RATE_HZ * (len(crossings) - 1) / (crossings[-1] - crossings[0])


def samples_of(data: bytes) -> "array[int]":
    """Little-endian 16-bit samples as an array. Raises ValueError for half a sample."""
    samples = array("h", data)
    if sys.byteorder == "big":
        samples.byteswap()
    return samples
