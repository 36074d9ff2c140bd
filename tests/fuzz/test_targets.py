"""The fuzzers' targets, and what fuzzing has found: inputs that once raised something else."""

import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from conclaved.mls import RemoteError
from tests.fuzz.targets import DECODERS, TARGETS, Target
from tests.fuzz.transparent_crypto import transparent

FOUND = Path(__file__).parent / "found"
ALLOWANCE = 200_000
"""Bytes of memory that a short input may take."""


@pytest.fixture(scope="module", autouse=True)
def provider() -> Iterator[None]:
    with transparent():
        yield


@pytest.fixture(scope="module", params=TARGETS)
def target(request: pytest.FixtureRequest, provider: None) -> Target:
    return TARGETS[request.param]()


def test_most_seeds_go_through(target: Target) -> None:
    outcomes = [target.run(seed) for seed in target.seeds]
    assert sum(outcomes) >= len(outcomes) - 1
    # And once more: nothing has changed.
    assert outcomes == [target.run(seed) for seed in target.seeds]


def test_damaged_seeds_come_to_nothing_worse_than_a_refusal(target: Target) -> None:
    dice = Random(3)
    for _ in range(400):
        data = bytearray(dice.choice(target.seeds))
        for _ in range(dice.randrange(1, 4)):
            at = dice.randrange(len(data))
            match dice.randrange(3):
                case 0:
                    data[at] = dice.randrange(256)
                case 1:
                    del data[at : at + dice.randrange(1, 4)]
                case _:
                    data[at:at] = dice.randbytes(dice.randrange(1, 4))
            if not data:
                break
        target.run(bytes(data))


def test_what_was_found_is_mended() -> None:
    for path in sorted(FOUND.glob("*.bin")):
        TARGETS[path.stem.split("-")[0]]().run(path.read_bytes())


@pytest.mark.parametrize("name", DECODERS)
def test_a_length_alone_takes_no_memory(name: str) -> None:
    """Four bytes that promise a gigabyte, at every place of an otherwise good input."""
    decode, seeds = DECODERS[name], [seed[1:] for seed in TARGETS["decode"]().seeds]
    promise = b"\xbf\xff\xff\xff"
    inputs = [promise, promise * 4]
    for seed in seeds[:6]:
        inputs += [seed[:at] + promise + seed[at + 4 :] for at in range(0, min(len(seed), 120), 3)]
    for data in inputs:
        tracemalloc.start()
        try:
            decode(data)
        except RemoteError:
            pass
        finally:
            _, peak = tracemalloc.get_traced_memory()
            tracemalloc.stop()
        assert peak < ALLOWANCE
