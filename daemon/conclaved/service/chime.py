"""The chime by which a room says that somebody outside it asks to join. Pure."""

import math
import sys
from array import array

SAMPLE_RATE_HZ = 48_000
TONES = ((659.26, 0.3), (523.25, 0.6))
"""Hz and seconds of the two tones, the second lower: E5 and C5, which carry in a room and startle nobody."""
_AMPLITUDE = 9_000
_ATTACK_S = 0.005
"""A tone that starts at once is a click."""


def chime() -> bytes:
    """The samples: 16-bit little-endian, mono, 48 kHz."""
    samples = array("h")
    for frequency_hz, seconds in TONES:
        count = int(seconds * SAMPLE_RATE_HZ)
        samples.extend(_sample(frequency_hz, n / SAMPLE_RATE_HZ, seconds) for n in range(count))
    if sys.byteorder == "big":
        samples.byteswap()
    return samples.tobytes()


def _sample(frequency_hz: float, at_s: float, seconds: float) -> int:
    # Struck like a bell, and silent at its end.
    envelope = min(1.0, at_s / _ATTACK_S) * math.exp(-3 * at_s / seconds) * (1 - at_s / seconds)
    return round(_AMPLITUDE * envelope * math.sin(2 * math.pi * frequency_hz * at_s))
