"""Signatures of the device's key in each place where it can live, beside a bare one of the same library.

By the wall clock: a TPM works in another process. The devices are simulated; a real TPM takes 200 to 600 ms.
"""

import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from tests.bench.stopwatch import no_collection
from tests.key_places import PLACES, key_place

BARE = "bare"


@dataclass(frozen=True, slots=True)
class KeyFigures:
    """Median seconds of one signature."""

    bare_s: float
    """`EllipticCurvePrivateKey.sign`, with nothing around it."""
    places: dict[str, float]


def measure_keys(*, rounds: int, turns: int, tell: Callable[[str], None]) -> KeyFigures:
    """Figures of every place. In each of `rounds` all take their turn, with `turns` signatures each."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        key, algorithm = ec.generate_private_key(ec.SECP256R1()), ec.ECDSA(hashes.SHA256())
        signs: dict[str, Callable[[bytes], bytes]] = {BARE: lambda data: key.sign(data, algorithm)}
        for word in PLACES:
            tell(f"keys, {word}")
            backend = stack.enter_context(key_place(word, folder / word))()
            signs[word] = backend.open(backend.generate().content).sign
        samples: dict[str, list[float]] = {name: [] for name in signs}
        with no_collection():
            for number in range(rounds):
                tell(f"keys, round {number + 1} of {rounds}")
                for name, sign in signs.items():
                    begun = time.perf_counter()
                    for turn in range(turns):
                        sign(turn.to_bytes(200, "big"))
                    samples[name].append((time.perf_counter() - begun) / turns)
    medians = {name: statistics.median(each) for name, each in samples.items()}
    return KeyFigures(medians.pop(BARE), medians)
