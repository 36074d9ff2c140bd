"""What is heard when several speak."""

from array import array

import pytest

from conclave_hal.alsa.mixing import BLOCK_BYTES, BLOCK_SAMPLES, SILENCE, Mixer, mixed, spread


def block(value: int) -> bytes:
    return array("h", [value] * BLOCK_SAMPLES).tobytes()


@pytest.mark.parametrize(
    ("values", "heard"),
    [
        ([], 0),
        ([0, 0], 0),
        ([700], 700),
        ([700, 0, -50], 650),
        ([20000, 20000], 32767),
        ([-20000, -20000], -32768),
        ([32767, 32767, -32768], 32766),
    ],
)
def test_voices_are_added_and_too_loud_is_clipped(values: list[int], heard: int) -> None:
    assert mixed([block(value) for value in values]) == block(heard)


def test_every_channel_hears_the_same() -> None:
    mono = array("h", [1, -2, 3]).tobytes()
    assert spread(mono, 1) == mono
    assert spread(mono, 2) == array("h", [1, 1, -2, -2, 3, 3]).tobytes()


def test_a_voice_waits_until_enough_of_it_is_there() -> None:
    mixer = Mixer(jitter_blocks=2)
    mixer.say("ana", block(1))
    assert mixer.block() == SILENCE
    mixer.say("ana", block(2))
    assert [mixer.block(), mixer.block(), mixer.block()] == [block(1), block(2), SILENCE]
    mixer.say("ana", block(3))
    assert mixer.block() == SILENCE, "after a hole it waits again"


def test_a_voice_that_comes_too_fast_loses_its_oldest_sound() -> None:
    mixer = Mixer(jitter_blocks=2)
    for value in range(100):
        mixer.say("ana", block(value))
    assert [mixer.block() for _ in range(6)] == [*(block(value) for value in range(95, 100)), SILENCE]


def test_one_who_leaves_is_not_heard_any_more() -> None:
    mixer = Mixer(jitter_blocks=1)
    mixer.say("ana", block(1))
    mixer.say("ben", block(10))
    mixer.forget("ana")
    mixer.forget("nobody")
    assert mixer.block() == block(10)


def test_an_announcement_is_heard_over_the_voices_and_takes_the_place_of_the_one_before() -> None:
    mixer = Mixer(jitter_blocks=1)
    assert mixer.announce(block(100) * 3) == 3
    mixer.say("ana", block(1))
    assert mixer.block() == block(101)
    assert mixer.announce(block(200) + b"\1\0") == 2
    assert mixer.block() == block(200)
    assert mixer.block() == b"\1\0" + bytes(BLOCK_BYTES - 2)
    assert (mixer.block(), mixer.announcement_blocks) == (SILENCE, 0)
