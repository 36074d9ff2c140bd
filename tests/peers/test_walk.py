"""Long walks of a group of many stacks: whatever comes next, by whomever, all agree.

Two departures of ts-mls 1.6.4 from RFC 9420 are walked around, and nothing else is:
- A tree in which a leaf is unmerged at some ancestors has to list the same leaves at all of them, or it lets
  nobody in (§7.9.2 asks only that what is between leaf and ancestor lists it too): `TOO_STRICT`.
- Whoever is removed by a commit that gives the leaf to somebody else does not notice: it is not asked.
"""

import random
from collections.abc import Callable

import pytest

from conclaved.mls import CipherSuite
from tests.peers.circle import Circle, Programs
from tests.peers.client import Add, Client, Commit, Proposal, Psk, Remove, Update
from tests.peers.peer import PeerRefused

pytestmark = pytest.mark.peers

STEPS = 40
SMALLEST, LARGEST = 4, 18
PSK_ID = b"of all"
TOO_STRICT = "must list leaf node in its unmerged_leaves"


class Walk:
    """One group and a source of chance; every step is one commit."""

    def __init__(self, programs: Programs, suite: CipherSuite, seed: int) -> None:
        self.chance = random.Random(seed)
        self.stacks = programs.stacks(suite)
        self.born = 0
        founder = self.chance.choice(self.stacks)
        self.circle = Circle(programs, suite, founder, encrypts_handshake=self.chance.random() < 0.5)
        self.circle.learn_psk(PSK_ID, bytes(32))
        self.kept_out = 0
        self.circle.add(founder, *(self.newcomer() for _ in range(SMALLEST + 2)))
        self.steps: list[Callable[[], str]] = [
            self.refresh,
            self.change_members,
            self.change_members,
            self.commit_by_reference,
            self.commit_by_reference,
            self.enter,
            self.enter_in_place,
        ]

    def newcomer(self) -> str:
        self.born += 1
        return f"{self.chance.choice(self.stacks)}.{self.born}"

    def anyone(self, *but: str) -> str:
        return self.chance.choice([name for name in self.circle.members if name not in but])

    def some(self, most: int, *but: str) -> list[str]:
        """Members who can go, as many as the group can spare."""
        others = [name for name in self.circle.members if name not in but]
        spare = max(0, len(self.circle.members) - SMALLEST)
        return self.chance.sample(others, min(self.chance.randint(0, most), spare, len(others)))

    def newcomers(self, most: int) -> list[str]:
        room = max(0, LARGEST - len(self.circle.members))
        return [self.newcomer() for _ in range(min(self.chance.randint(0, most), room))]

    def refresh(self) -> str:
        by = self.anyone()
        self.circle.commit(by, *([Psk(PSK_ID)] if self.chance.random() < 0.5 else []))
        return f"{by} commits"

    def change_members(self) -> str:
        by = self.anyone()
        leaving, coming = self.some(3, by), self.newcomers(3)
        clients = {name: self.circle.client(name) for name in coming}
        proposals: list[Proposal] = [Remove(self.circle.leaf(name)) for name in leaving]
        proposals += [Add(client.key_package()) for client in clients.values()]
        self.chance.shuffle(proposals)
        self.change(lambda: self.circle.commit(by, *proposals), clients, leaving)
        return f"{by} removes {leaving} and adds {coming}"

    def change(self, act: Callable[[], Commit], clients: dict[str, Client], leaving: list[str]) -> None:
        """A commit that removes and adds, and the newcomers' joins."""
        if clients:
            for name in leaving:
                if name.startswith("ts-mls"):
                    del self.circle.members[name]
        commit = act()
        kept_out: list[str] = []
        for name, client in clients.items():
            try:
                self.circle.welcome(commit, {name: client})
            except PeerRefused as error:
                self.let_pass(name, error)
                kept_out.append(name)
        if kept_out:
            by = self.anyone()
            leaves = {identity: leaf for leaf, identity in self.circle[by].view().members}
            self.circle.commit(by, *(Remove(leaves[name.encode()]) for name in kept_out))

    def let_pass(self, name: str, error: PeerRefused) -> None:
        """A newcomer could not come in: only what is known of ts-mls is let pass."""
        if not name.startswith("ts-mls") or TOO_STRICT not in str(error):
            raise error
        self.kept_out += 1

    def commit_by_reference(self) -> str:
        by = self.anyone()
        leaving, coming = self.some(2, by), self.newcomers(2)
        clients = {name: self.circle.client(name) for name in coming}
        for name in leaving:
            self.circle.propose(self.anyone(name), Remove(self.circle.leaf(name)))
        for client in clients.values():
            self.circle.propose(self.anyone(), Add(client.key_package()))
        updating = [
            name
            for name in self.circle.members
            if name not in (by, *leaving) and not name.startswith("ts-mls") and self.chance.random() < 0.3
        ]
        for name in updating:
            self.circle.propose(name, Update())
        self.change(lambda: self.circle.commit(by), clients, leaving)
        return f"{by} commits to removing {leaving}, adding {coming}, updates of {updating}"

    def enter(self) -> str:
        if len(self.circle.members) >= LARGEST:
            return self.refresh()
        by, name = self.anyone(), self.newcomer()
        return self.enter_as(name, by, in_place=False)

    def enter_in_place(self) -> str:
        name = self.anyone()
        return self.enter_as(name, self.anyone(name), in_place=True)

    def enter_as(self, name: str, by: str, *, in_place: bool) -> str:
        old = self.circle.members.get(name)
        try:
            self.circle.enter(by, name, in_place=in_place)
        except PeerRefused as error:
            self.let_pass(name, error)
            if old is not None:
                self.circle.members[name] = old
            return f"{name} could not enter"
        return f"{name} enters with the info of {by}" + (" in its own place" if in_place else "")

    def step(self) -> str:
        return self.chance.choice(self.steps)()


WALKS = [*((number, seed) for number in (1, 2, 3, 5) for seed in range(3)), (7, 0)]


@pytest.mark.parametrize(("number", "seed"), WALKS)
def test_a_walk_of_many_stacks_keeps_them_together(programs: Programs, number: int, seed: int) -> None:
    walk = Walk(programs, CipherSuite(number), seed)
    told: list[str] = []
    for _ in range(STEPS):
        try:
            told.append(walk.step())
            walk.circle.agree()
            walk.circle.say(walk.anyone(), b"still here")
        except Exception as error:
            raise AssertionError(f"after {told[-3:]} ({len(told)} steps)") from error
