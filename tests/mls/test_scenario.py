"""Many members, many epochs, everything at once: they agree, and outsiders do not."""

import random
from collections.abc import Sequence

import pytest

from conclaved.mls import (
    AcceptAny,
    Add,
    AuthenticatedContent,
    Extension,
    Group,
    GroupContextExtensions,
    KeyPackageBundle,
    MlsError,
    PreSharedKey,
    PreSharedKeyID,
    Proposal,
    RemoteError,
    Remove,
)
from tests.mls.cast import PRIVATE_USE, SUITE, Circle, Person, received

PSKS = {b"one": b"first key", b"two": b"second key"}
MOST = 12


class Story:
    """A circle whose life is drawn from a seed."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        self.circle = Circle("p0", "p1", "p2")
        self.born = 3
        self.gone: list[Group] = []
        self.past: list[tuple[int, bytes]] = []

    def index(self, name: str) -> int:
        return self.circle[name].own_leaf_index

    def epoch(self) -> None:
        """One epoch: chatter, proposals by some, a Commit by one, everybody checks."""
        dice, circle = self.dice, self.circle
        names = list(circle.groups)
        committer = dice.choice(names)
        known: dict[str, Sequence[AuthenticatedContent]] = {name: [] for name in names}

        def propose(by: str, message: AuthenticatedContent) -> None:
            for name, got in circle.send(by, message).items():
                known[name] = [*known[name], *got]

        touched = {committer}
        for name in dice.sample(names, dice.randrange(len(names))):
            if name in touched:
                continue
            if dice.random() < 0.6 or len(names) < 4:
                touched.add(name)
                propose(name, circle[name].update_proposal())
            else:
                victim = dice.choice(names)
                if victim not in touched and victim != name:
                    touched.add(victim)
                    propose(name, circle[name].sign_proposal(Remove(self.index(victim))))
        by_value: list[Proposal] = []
        newcomers: list[tuple[Person, KeyPackageBundle]] = []
        for _ in range(dice.choice([0, 0, 1, 2])):
            if len(names) + len(newcomers) < MOST:
                person = Person(f"p{self.born}")
                self.born += 1
                newcomers.append((person, person.bundle()))
                by_value.append(Add(received(newcomers[-1][1])))
        if dice.random() < 0.3:
            by_value.append(PreSharedKey(PreSharedKeyID.external(SUITE, dice.choice([*PSKS]))))
        if dice.random() < 0.2:
            by_value.append(GroupContextExtensions((Extension(PRIVATE_USE, dice.randbytes(8)),)))
        self.advance(committer, known, by_value, newcomers)

    def advance(
        self,
        committer: str,
        known: dict[str, Sequence[AuthenticatedContent]],
        by_value: Sequence[Proposal],
        newcomers: list[tuple[Person, KeyPackageBundle]],
    ) -> None:
        dice, circle = self.dice, self.circle
        pending = circle[committer].commit(
            by_reference=known[committer], by_value=by_value, psks=PSKS, force_path=dice.random() < 0.5
        )
        speaker = circle[dice.choice(list(circle.groups))]
        said = speaker.protect(speaker.sign_application(b"an old word"))
        groups_before = dict(circle.groups)
        circle.deliver(committer, pending, known, psks=PSKS)
        self.gone += [group for name, group in groups_before.items() if name not in circle.groups]
        for person, bundle in newcomers:
            name = person.name
            assert pending.welcome is not None
            circle.people[name] = person
            circle.groups[name] = Group.join(
                pending.welcome,
                bundle,
                person.signer,
                psks=PSKS,
                auth=AcceptAny(),
            )
            with pytest.raises(RemoteError):
                circle.groups[name].unprotect(said)
        self.check()

    def check(self) -> None:
        circle = self.circle
        circle.assert_agreement()
        speaker = circle[self.dice.choice(list(circle.groups))]
        word = speaker.protect(speaker.sign_application(b"a word"))
        for group in circle.groups.values():
            if group is not speaker:
                assert group.unprotect(word).body == b"a word"
        for group in self.gone:
            with pytest.raises(MlsError):
                group.unprotect(word)
        now = (next(iter(circle.groups.values())).epoch, speaker.epoch_authenticator)
        assert now not in self.past
        self.past.append(now)


@pytest.mark.parametrize("seed", range(6))
def test_members_agree_through_a_random_life_and_nobody_else_reads(seed: int) -> None:
    story = Story(seed)
    for _ in range(15):
        story.epoch()
    assert len(story.past) == 15
