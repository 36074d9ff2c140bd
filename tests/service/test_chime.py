"""The chime: two tones that a speaker can play."""

from array import array

from conclave_hal.simulated.tone import dominant_frequency_hz, samples_of
from conclaved.service.chime import SAMPLE_RATE_HZ, TONES, chime


def test_the_chime_is_its_two_tones_one_after_the_other() -> None:
    samples = samples_of(chime())
    start = 0
    for frequency_hz, seconds in TONES:
        count = int(seconds * SAMPLE_RATE_HZ)
        tone = array("h", samples[start : start + count // 2])
        assert abs(dominant_frequency_hz(tone) - frequency_hz) < 5
        start += count
    assert start == len(samples)


def test_the_chime_neither_starts_nor_ends_with_a_click() -> None:
    samples = samples_of(chime())
    assert max(map(abs, (*samples[:3], *samples[-30:]))) < 200
