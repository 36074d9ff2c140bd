"""MLS: what members of a group of N wait for, from bytes to bytes, beside the floor.

Leaf 0 founds the group and adds all others in one Commit; some of them join by its Welcome. Twenty
empty Commits by random members later the tree is *warm*: most of its parents hold keys. Then leaf 0
commits (an update of its own keys, an Add, a Remove) and leaf N/2 takes it in.
"""

import random
import statistics
from collections.abc import Callable
from dataclasses import dataclass, field

from conclaved.mls import (
    AcceptAny,
    Add,
    Commit,
    Group,
    KeyPackage,
    KeyPackageBundle,
    PendingCommit,
    Proposal,
    Remove,
    Signer,
)
from conclaved.mls.ratchet_tree import RatchetTree
from conclaved.mls.tree_math import common_ancestor_level
from tests.bench.floor import Counts, costs_of_primitives, creating, joining, processing
from tests.bench.stopwatch import no_collection, timed
from tests.mls.cast import NOW, Person

WARMING_COMMITS = 20


@dataclass(slots=True)
class Series:
    """Times of one operation and the floor under each, in seconds."""

    times: list[float] = field(default_factory=list)
    floors: list[float] = field(default_factory=list)

    def add(self, seconds: float, floor: float) -> None:
        self.times.append(seconds)
        self.floors.append(floor)

    @property
    def median_s(self) -> float:
        return statistics.median(self.times)

    @property
    def floor_s(self) -> float:
        return statistics.median(self.floors)

    @property
    def ratio(self) -> float:
        """How many times the floor an operation takes."""
        return statistics.median(a / b for a, b in zip(self.times, self.floors, strict=True))


@dataclass(frozen=True, slots=True)
class GroupFigures:
    """All operations in a group of one size, by name."""

    members: int
    series: dict[str, Series]


OPERATIONS = (
    "bulk add, create",
    "join",
    "update, create",
    "update, process",
    "add, create",
    "add, process",
    "remove, create",
    "remove, process",
)


def measure_group(
    members: int, *, rounds: int, bulk_rounds: int, tell: Callable[[str], None], seed: int = 1
) -> GroupFigures:
    """Figures for a group of `members` (at least 3)."""
    return _Gathering(members, seed, tell).measure(rounds, bulk_rounds)


class _Gathering:
    """A group of N in one process. Only those who act hold a view of it: the founder and the walkers."""

    def __init__(self, members: int, seed: int, tell: Callable[[str], None]) -> None:
        self.members = members
        self.dice = random.Random(seed)
        self.tell = tell
        self.series = {name: Series() for name in OPERATIONS}
        self.costs: dict[str, float] = {}
        self.people = [Person(f"member {index}") for index in range(members)]
        self.founder = self.people[0].found()
        self.walkers: dict[int, Group] = {}

    def measure(self, rounds: int, bulk_rounds: int) -> GroupFigures:
        self.tell(f"MLS, {self.members} members: adding them in one Commit")
        with no_collection():
            self.assemble(bulk_rounds)
        self.tell(f"MLS, {self.members} members: warming the tree")
        for _ in range(WARMING_COMMITS):
            self.a_walker_commits()
        # A device holds one group, not twenty: the others would only sweep its caches.
        kept = {self.members // 2, *self.dice.sample(sorted(self.walkers), min(3, len(self.walkers)))}
        self.walkers = {index: self.walkers[index] for index in sorted(kept)}
        for each in range(rounds):
            self.tell(f"MLS, {self.members} members: warm commits, round {each + 1} of {rounds}")
            self.weigh()
            package = Person("newcomer").bundle().key_package.encode()
            with no_collection():
                # First, so that the collection's cold caches are nobody's.
                self.a_walker_commits()
                self.founder_commits("update")
                (newcomer,) = self.founder_commits("add", package)
                self.founder_commits("remove", removes=newcomer)
        return GroupFigures(self.members, self.series)

    def weigh(self) -> None:
        """What the primitives cost at this moment: on a busy machine it is not what it was."""
        self.costs = costs_of_primitives(rounds=3, sample_s=0.001)

    def record(self, name: str, seconds: float, counts: Counts) -> None:
        self.series[name].add(seconds, counts.seconds(self.costs))

    def assemble(self, bulk_rounds: int) -> None:
        """Add everybody `bulk_rounds` times, the last time for good, and have the walkers join."""
        bundles = [person.bundle() for person in self.people[1:]]
        packages = [bundle.key_package.encode() for bundle in bundles]
        for _ in range(bulk_rounds - 1):
            self.weigh()
            self.create("bulk add, create", packages)[0].discard()
        self.weigh()
        pending, _ = self.create("bulk add, create", packages)
        self.founder = pending.merge()
        welcome = pending.welcome
        assert welcome is not None
        others = range(1, self.members)
        walkers = {self.members // 2, *self.dice.sample(others, min(WARMING_COMMITS, len(others)))}
        for count, index in enumerate(sorted(walkers)):
            self.tell(f"MLS, {self.members} members: join {count + 1} of {len(walkers)}")
            bundle, signer = bundles[index - 1], self.people[index].signer

            def join(bundle: KeyPackageBundle = bundle, signer: Signer = signer) -> Group:
                return Group.join(welcome, bundle, signer, auth=AcceptAny(), now=NOW)

            self.weigh()
            seconds, group = timed(join)
            shared = self.shared_path(group, 0, index)
            self.record("join", seconds, joining(members=self.members, shared=shared))
            self.walkers[index] = group

    def create(
        self, name: str, packages: list[bytes], removes: int | None = None
    ) -> tuple[PendingCommit, bytes]:
        """The founder's Commit, from KeyPackages on the wire to messages for the wire."""
        group = self.founder

        def work() -> tuple[PendingCommit, bytes]:
            proposals: list[Proposal] = [Add(KeyPackage.decode(data)) for data in packages]
            if removes is not None:
                proposals.append(Remove(removes))
            pending = group.commit(by_value=proposals, now=NOW)
            return pending, group.protect(pending.content)

        seconds, (pending, message) = timed(work)
        body = pending.content.body
        assert isinstance(body, Commit)
        assert body.path is not None
        counts = creating(
            depth=_depth(group),
            path=len(body.path.nodes),
            seals=sum(len(node.encrypted_path_secret) for node in body.path.nodes),
            joiners=len(packages),
        )
        self.record(name, seconds, counts)
        return pending, message

    def founder_commits(
        self, kind: str, package: bytes | None = None, removes: int | None = None
    ) -> tuple[int, ...]:
        """A measured Commit, taken in by everybody, by leaf N/2 under the watch. Gives the added leaves."""
        packages = [] if package is None else [package]
        pending, message = self.create(f"{kind}, create", packages, removes)
        receiver = self.members // 2
        group = self.walkers[receiver]
        seconds, following = timed(lambda: _take_in(group, message))
        counts = processing(
            depth=_depth(group), shared=self.shared_path(following, 0, receiver), joiners=len(packages)
        )
        self.record(f"{kind}, process", seconds, counts)
        self.walkers[receiver] = following
        for index, walker in self.walkers.items():
            if index != receiver:
                self.walkers[index] = _take_in(walker, message)
        self.founder = pending.merge()
        return pending.staged.added

    def a_walker_commits(self) -> None:
        """An empty Commit by a random walker, which nobody measures."""
        committer = self.dice.choice(sorted(self.walkers))
        pending = self.walkers[committer].commit()
        message = self.walkers[committer].protect(pending.content)
        for index, walker in self.walkers.items():
            self.walkers[index] = pending.merge() if index == committer else _take_in(walker, message)
        self.founder = _take_in(self.founder, message)

    def shared_path(self, group: Group, committer: int, receiver: int) -> int:
        """How many nodes of the committer's filtered direct path are above the receiver too."""
        lowest = common_ancestor_level(committer, receiver)
        steps = RatchetTree.decode(group.ratchet_tree).filtered_direct_path(committer)
        return sum(step.parent.level >= lowest for step in steps)


def _depth(group: Group) -> int:
    return group.leaf_count.bit_length() - 1


def _take_in(group: Group, message: bytes) -> Group:
    return group.stage(group.unprotect(message), now=NOW).merge()
