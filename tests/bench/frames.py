"""SFrame: protect and unprotect, as the media path calls them, beside the bare AEAD."""

import os
import statistics
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from conclaved.sframe import CipherSuite, EpochKeys, MediaKeyring, ReceiverContext, SenderContext
from tests.bench.stopwatch import no_collection, timed

SUITE = CipherSuite.AES_128_GCM_SHA256_128
SIZES = (160, 1200, 25_000)
MEMBERS = frozenset(range(3))
BASE_KEY = bytes(range(1, 17))
METADATA = bytes(12)
AT_ONCE_BYTES = 250_000

Work = Callable[[bytes], object]


@dataclass(frozen=True, slots=True)
class Lane:
    """One way to seal a frame and open it again; median seconds a frame."""

    name: str
    seal_s: float
    open_s: float


@dataclass(frozen=True, slots=True)
class FrameFigures:
    """Frames of one size: the bare AEAD, one key of RFC 9605, and all keys of a meeting with their policy."""

    size_bytes: int
    bare: Lane
    context: Lane
    keyring: Lane


def _keyring(own_leaf: int) -> MediaKeyring:
    ring = MediaKeyring(SUITE)
    ring.advance(EpochKeys(1, BASE_KEY, len(MEMBERS), own_leaf, MEMBERS), 0.0)
    return ring


def _each(work: Work, items: Iterable[bytes]) -> list[object]:
    return [work(item) for item in items]


def measure_frames(size: int, *, rounds: int, turns: int) -> FrameFigures:
    """Figures for frames of `size` bytes: up to `turns` are sealed and then opened, in each of `rounds`."""
    # What lies between sealing and opening has to fit the cache, as a single frame does.
    turns = max(1, min(turns, AT_ONCE_BYTES // size))
    frames = [os.urandom(size)] * turns
    key, nonce, aad = AESGCM(bytes(16)), bytes(12), bytes(12)
    sender, receiver = SenderContext(SUITE, 300, BASE_KEY), ReceiverContext(SUITE, 300, BASE_KEY)
    ring_out, ring_in = _keyring(1), _keyring(2)
    lanes: dict[str, tuple[Work, Work]] = {
        "bare": (lambda frame: key.encrypt(nonce, frame, aad), lambda data: key.decrypt(nonce, data, aad)),
        "context": (
            lambda frame: sender.protect(frame, METADATA),
            lambda data: receiver.unprotect(data, METADATA),
        ),
        "keyring": (
            lambda frame: ring_out.protect(0, frame, METADATA, 0.0),
            lambda data: ring_in.unprotect(data, METADATA, 0.0),
        ),
    }
    names = tuple(lanes)
    samples: dict[str, tuple[list[float], list[float]]] = {name: ([], []) for name in lanes}
    with no_collection():
        for each in range(rounds):
            # Each lane is first in its turn: what the one before leaves to the allocator is not its fault.
            first = each % len(lanes)
            for name in (*names[first:], *names[:first]):
                seal, open_ = lanes[name]
                seal_s, sealed = timed(lambda seal=seal: _each(seal, frames))  # type: ignore[misc]
                open_s, _ = timed(lambda open_=open_, sealed=sealed: _each(open_, sealed))  # type: ignore[misc]
                samples[name][0].append(seal_s / turns)
                samples[name][1].append(open_s / turns)
    measured = {
        name: Lane(name, statistics.median(seals), statistics.median(opens))
        for name, (seals, opens) in samples.items()
    }
    return FrameFigures(size, measured["bare"], measured["context"], measured["keyring"])
