"""Ours: the operations that every stack measures (see `tests/peers/rust/stdio/src/bench.rs`), bytes to bytes.

Leaf 0 founds and adds N - 1 in one commit (*flat*); leaf N/2 and the warming leaves join by its Welcome. An
empty commit is measured, then each warming leaf makes one (*warm*), and an update, an Add and a Remove are
measured. What is created is discarded all but once; leaf N/2 processes each commit `runs` times, too: it is
the group's immutable state that the same commit is staged from.
"""

import gc
import time
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from conclaved.mls import (
    Add,
    Commit,
    Group,
    KeyPackage,
    KeyPackageBundle,
    Lifetime,
    PendingCommit,
    Proposal,
    Remove,
    Signer,
    StagedCommit,
    WireFormat,
)
from conclaved.mls.mls_message import MlsMessage
from conclaved.mls.ratchet_tree import RatchetTree
from conclaved.mls.tree_math import common_ancestor_level
from tests.bench.floor import Counts, costs_of_primitives, creating, joining, opening, processing, sealing
from tests.bench.mls.figure import MEMORY, Figure
from tests.bench.mls.identities import SUITE, Cast
from tests.bench.stopwatch import no_collection
from tests.peers.warming import warming_leaves

T = TypeVar("T")
NOW = 1_500
LIFETIME = Lifetime(1_000, 2_000)
MESSAGE = bytes([7]) * 1024
APPLICATION_MESSAGES = 200


def timed(times: list[float], call: Callable[[], T]) -> T:
    """Call, and note this thread's processor time in seconds."""
    begun = time.thread_time()
    result = call()
    times.append(time.thread_time() - begun)
    return result


def timed_wall(times: list[float], call: Callable[[], T]) -> T:
    """Call, and note the time on the wall: for what more than one thread works at."""
    begun = time.perf_counter()
    result = call()
    times.append(time.perf_counter() - begun)
    return result


def measure_ours(n: int, cast: Cast) -> Iterator[Figure]:
    """All figures for one N, at least 4."""
    bench = _Bench(n, cast)
    yield from bench.assemble()
    yield from bench.commits()
    yield from bench.messages()
    bench.worker.shutdown()


@dataclass(frozen=True, slots=True)
class _Measured:
    """One commit: how it was made and taken in, and what it is made of."""

    created: list[float]
    processed: list[float]
    message: bytes
    pending: PendingCommit
    following: Group


class _Bench:
    def __init__(self, n: int, cast: Cast) -> None:
        self.n, self.cast = n, cast
        self.runs = 10 if n <= 1000 else 3
        self.worker = ThreadPoolExecutor(1)
        self.costs: dict[str, float] = {}
        self.founder = self._found()
        self.walkers: dict[int, Group] = {}
        self.receiver = n // 2

    def _floor(self, counts: Counts) -> float:
        """Of what has just been measured: on a busy machine the primitives cost what they cost now."""
        self.costs = costs_of_primitives(rounds=3, sample_s=0.001)
        return counts.seconds(self.costs)

    def _found(self) -> Group:
        who = self.cast.clients[0]
        return Group.create(
            SUITE, b"bench", who.signer, who.credential, lifetime=LIFETIME, auth=self.cast.judge()
        )

    def _bundle(self, index: int) -> KeyPackageBundle:
        who = self.cast.clients[index]
        return KeyPackageBundle.generate(SUITE, who.signer, who.credential, lifetime=LIFETIME)

    def _chains(self, joiners: int) -> Counts:
        """Each chain verified once: one signature of a certificate a member, and its key is read."""
        if self.cast.root is None:
            return Counts()
        return Counts(verify=joiners, parse=joiners)

    def _counts(self, pending: PendingCommit, joiners: int) -> Counts:
        body = pending.content.body
        assert isinstance(body, Commit)
        assert body.path is not None
        seals = sum(len(node.encrypted_path_secret) for node in body.path.nodes)
        return creating(
            depth=_depth(self.founder),
            path=len(body.path.nodes),
            seals=seals,
            joiners=joiners,
            public=True,
        ).plus(self._chains(joiners))

    def _create(
        self, times: list[float], packages: Sequence[bytes], removed: int | None
    ) -> tuple[PendingCommit, bytes]:
        group = self.founder

        def work() -> tuple[PendingCommit, bytes]:
            proposals: list[Proposal] = [Add(_package(data)) for data in packages]
            if removed is not None:
                proposals.append(Remove(removed))
            pending = group.commit(
                by_value=proposals, wire_format=WireFormat.PUBLIC_MESSAGE, now=NOW, worker=self.worker
            )
            return pending, group.protect_public(pending.content)

        return timed(times, work)

    def assemble(self) -> Iterator[Figure]:
        """Add everybody, and join."""
        bundles = [self._bundle(index) for index in range(1, self.n)]
        packages = [MlsMessage(bundle.key_package).encode() for bundle in bundles]
        times: list[float] = []
        with no_collection():
            for _ in range(2):
                # Chains that a former run has seen are not news to its judge.
                self.founder = self._found()
                timed_wall(times, lambda: self._create([], packages, None))[0].discard()
            self.founder = self._found()
            pending, _ = timed_wall(times, lambda: self._create([], packages, None))
        welcome = pending.welcome
        assert welcome is not None
        floor = self._floor(self._counts(pending, self.n - 1))
        yield Figure.of("bulk_add", times, len(welcome), floor)
        self.founder = pending.merge()
        times = []
        with no_collection():
            for index in (self.receiver, *warming_leaves(self.n)):
                bundle, signer = bundles[index - 1], self.cast.clients[index].signer

                def join(bundle: KeyPackageBundle = bundle, signer: Signer = signer) -> Group:
                    return Group.join(
                        welcome, bundle, signer, auth=self.cast.judge(), now=NOW, worker=self.worker
                    )

                self.walkers[index] = timed_wall(times, join)
        shared = _shared_path(self.walkers[self.receiver], 0, self.receiver)
        counts = joining(members=self.n, shared=shared).plus(self._chains(self.n))
        yield Figure.of("join", times, len(welcome), self._floor(counts))
        yield self._memory(welcome, bundles[self.n - 2])

    def _memory(self, welcome: bytes, bundle: KeyPackageBundle) -> Figure:
        """The most that one more member takes while it joins, as the interpreter counts it.

        What the library beneath keeps for each parsed key, some 400 bytes, is not in it.
        """
        gc.collect()
        tracemalloc.start()
        signer = self.cast.clients[self.n - 1].signer
        Group.join(welcome, bundle, signer, auth=self.cast.judge(), now=NOW)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return Figure(MEMORY, 0.0, 0.0, peak)

    def _measure(self, package: bytes | None = None, removed: int | None = None) -> _Measured:
        packages = [] if package is None else [package]
        created: list[float] = []
        processed: list[float] = []
        with no_collection():
            for _ in range(self.runs - 1):
                self._create(created, packages, removed)[0].discard()
            pending, message = self._create(created, packages, removed)
            group = self.walkers[self.receiver]

            def stage() -> StagedCommit:
                return group.stage(group.unprotect(message), now=NOW)

            for _ in range(self.runs - 1):
                timed(processed, stage).discard()
            staged = timed(processed, stage)
        following = staged.merge()
        for index, walker in self.walkers.items():
            self.walkers[index] = following if index == self.receiver else _take_in(walker, message)
        return _Measured(created, processed, message, pending, following)

    def _report(self, name: str, joiners: int, measured: _Measured) -> Iterator[Figure]:
        size = len(measured.message)
        creation = self._floor(self._counts(measured.pending, joiners))
        shared = _shared_path(measured.following, 0, self.receiver)
        counts = processing(depth=_depth(self.founder), shared=shared, joiners=joiners, public=True)
        yield Figure.of(f"{name}_create", measured.created, size, creation)
        floor = self._floor(counts.plus(self._chains(joiners)))
        yield Figure.of(f"{name}_process", measured.processed, size, floor)
        self.founder = measured.pending.merge()

    def commits(self) -> Iterator[Figure]:
        """Update a flat tree, warm it, update it, add and remove."""
        yield from self._report("flat_update", 0, self._measure())
        order = warming_leaves(self.n)
        for index in (*order[4:], *order[:4]):
            self._warm(index)
        kept = (self.receiver, *order[:4])
        self.walkers = {index: self.walkers[index] for index in kept}
        yield from self._report("warm_update", 0, self._measure())
        package = MlsMessage(self._bundle(self.n).key_package).encode()
        yield from self._report("warm_add", 1, self._measure(package=package))
        yield from self._report("warm_remove", 0, self._measure(removed=self.n - 1))

    def _warm(self, committer: int) -> None:
        pending = self.walkers[committer].commit(wire_format=WireFormat.PUBLIC_MESSAGE)
        message = self.walkers[committer].protect_public(pending.content)
        for index, walker in self.walkers.items():
            self.walkers[index] = pending.merge() if index == committer else _take_in(walker, message)
        self.founder = _take_in(self.founder, message)

    def messages(self) -> Iterator[Figure]:
        """Application messages of 1 kB."""
        sealed: list[float] = []
        opened: list[float] = []
        sender, receiver = self.founder, self.walkers[self.receiver]
        with no_collection():
            for _ in range(APPLICATION_MESSAGES):
                message = timed(sealed, lambda: sender.protect(sender.sign_application(MESSAGE)))
                timed(opened, partial(receiver.unprotect, message))
        yield Figure.of("app_encrypt_1k", sealed, len(message), self._floor(sealing()))
        yield Figure.of("app_decrypt_1k", opened, len(message), self._floor(opening()))


def _package(data: bytes) -> KeyPackage:
    content = MlsMessage.decode(data).content
    assert isinstance(content, KeyPackage)
    return content


def _depth(group: Group) -> int:
    return group.leaf_count.bit_length() - 1


def _take_in(group: Group, message: bytes) -> Group:
    return group.stage(group.unprotect(message), now=NOW).merge()


def _shared_path(group: Group, committer: int, receiver: int) -> int:
    """How many nodes of the committer's filtered direct path are above the receiver too."""
    lowest = common_ancestor_level(committer, receiver)
    steps = RatchetTree.decode(group.ratchet_tree).filtered_direct_path(committer)
    return sum(step.parent.level >= lowest for step in steps)
