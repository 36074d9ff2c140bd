"""Random lives of groups: all members agree, and who is out or not yet in learns nothing.

There is one total order of proposals and Commits, which members read at their own pace; words go another
way, come late, in any order or not at all. CONCLAVE_MLS_LIVES says how many lives are tried: 15, always the
same, unless it asks for more.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from conclaved.mls import (
    AcceptAny,
    Add,
    AuthenticatedContent,
    CipherSuite,
    Extension,
    Group,
    GroupContextExtensions,
    KeyPackageBundle,
    PendingCommit,
    PreSharedKey,
    PreSharedKeyID,
    Proposal,
    ReInit,
    Remove,
    Update,
    resumption_psk_key,
)
from conclaved.mls.kem import HpkePrivateKey
from tests.mls.cast import LIFETIME, PRIVATE_USE, Person, received
from tests.mls.random_member import PSKS, Entry, Epoch, Member, Path

SUITES = (1, 2, 3, 7)
MOST = 8
FEW = 15
LIVES = int(os.environ.get("CONCLAVE_MLS_LIVES", FEW))
PICK = st.integers(0, 63)


@dataclass
class Words:
    """A message that is on its way to everybody."""

    epoch: int
    data: bytes
    text: bytes
    by: Member
    heard_by: set[str] = field(default_factory=set)


class Lives(RuleBasedStateMachine):
    """A group, and the delivery service that it does not trust."""

    @initialize(suite=st.sampled_from(SUITES))
    def found(self, suite: int) -> None:
        self.suite = CipherSuite(suite)
        self.born = 0
        self.generation = 0
        founder = self.person()
        self.begin(Member(founder, self.new_group(founder, b"group 0"), 0))
        self.commit(self.members[0], [Add(received(bundle)) for bundle in self.invite(2)])

    def begin(self, *members: Member) -> None:
        self.members: list[Member] = list(members)
        self.removed: list[Member] = []
        self.log: list[Entry] = []
        self.epochs: dict[int, Epoch] = {}
        self.paths: dict[int, Path] = {}
        self.words: list[Words] = []
        self.invited: list[tuple[Person, KeyPackageBundle]] = []

    # Helpers

    def person(self) -> Person:
        self.born += 1
        return Person(f"p{self.born}", self.suite)

    def new_group(self, founder: Person, group_id: bytes, extensions: Sequence[Extension] = ()) -> Group:
        return Group.create(
            founder.suite,
            group_id,
            founder.signer,
            founder.credential,
            lifetime=LIFETIME,
            extension_types=[PRIVATE_USE],
            extensions=extensions,
            auth=AcceptAny(),
        )

    def invite(self, n: int) -> list[KeyPackageBundle]:
        """Fresh KeyPackages, of people who wait for a Welcome."""
        people = [self.person() for _ in range(n)]
        self.invited = [(person, person.bundle()) for person in people]
        return [bundle for _, bundle in self.invited]

    def pick(self, at: int) -> Member:
        return self.members[at % len(self.members)]

    def up_to_date(self, member: Member) -> Member:
        self.read(member, len(self.log))
        return member

    def read(self, member: Member, n: int) -> None:
        while member.at < min(n, len(self.log)):
            path = member.read(self.log[member.at])
            if path is not None:
                self.paths[path.epoch] = path
            if member.is_removed:
                self.members.remove(member)
                self.removed.append(member)
                return

    def current(self, at: int) -> Member:
        """A member that has read everything: some may find out that they are removed."""
        for member in list(self.members):
            if self.up_to_date(self.pick(at)) in self.members:
                break
            at += 1
            del member
        return self.pick(at)

    def commit(
        self, by: Member, by_value: Sequence[Proposal], psks: dict[bytes, bytes] | None = None
    ) -> None:
        """Commit what is known and what is given; the next entry of the log."""
        ends = any(isinstance(each, ReInit) for each in by_value)
        chosen = [] if ends else self.chosen(by, by_value)
        pending = by.group.commit(
            by_reference=chosen,
            by_value=by_value,
            psks=PSKS,
            force_path=len(by_value) % 2 == 0,
            allow_reinit=True,
        )
        self.accept(by, pending)

    def accept(self, by: Member, pending: PendingCommit) -> None:
        data = by.group.protect(pending.content)
        self.log.append(Entry(data, by, is_commit=True))
        by.at = len(self.log)
        by.enter(pending.merge())
        self.epochs[by.group.epoch] = Epoch.of(by.group)
        for person, bundle in self.invited:
            if pending.welcome is not None:
                group = Group.join(pending.welcome, bundle, person.signer, psks=PSKS, auth=AcceptAny())
                self.come_in(Member(person, group, len(self.log)))
        self.invited = []

    def come_in(self, member: Member) -> None:
        """A joiner knows nothing of what was before it: neither words, nor the paths of Commits."""
        self.members.append(member)
        for words in self.words:
            assert member.opens(words.data) is None
        self.cannot_open_paths(member.hold(), up_to=member.first_epoch - 1)

    def cannot_open_paths(self, keys: list[HpkePrivateKey], up_to: int) -> None:
        for epoch, path in self.paths.items():
            if epoch <= up_to:
                path.check_shut(keys)

    @staticmethod
    def chosen(by: Member, by_value: Sequence[Proposal]) -> list[AuthenticatedContent]:
        """Those of the known proposals that may stand in one Commit together."""
        touched = {by.group.own_leaf_index}
        touched |= {each.removed for each in by_value if isinstance(each, Remove)}
        has_context = any(isinstance(each, GroupContextExtensions) for each in by_value)
        chosen = []
        for message in by.known:
            body = message.body
            if isinstance(body, Update | Remove):
                leaf = message.sender if isinstance(body, Update) else body.removed
                if leaf in touched:
                    continue
                touched.add(leaf)
            elif isinstance(body, GroupContextExtensions):
                if has_context:
                    continue
                has_context = True
            chosen.append(message)
        return chosen

    # What may happen

    @precondition(lambda self: len(self.members) < MOST)
    @rule(at=PICK, n=st.integers(1, 2))
    def add(self, at: int, n: int) -> None:
        by = self.current(at)
        self.commit(by, [Add(received(bundle)) for bundle in self.invite(n)])

    @precondition(lambda self: len(self.members) > 2)
    @rule(at=PICK, whom=PICK, n=st.integers(1, 2))
    def remove(self, at: int, whom: int, n: int) -> None:
        by = self.current(at)
        others = [index for index in range(by.group.leaf_count) if by.group.leaf(index) is not None]
        others.remove(by.group.own_leaf_index)
        chosen = {others[(whom + each) % len(others)] for each in range(n)}
        if len(chosen) < len(others):
            self.commit(by, [Remove(index) for index in sorted(chosen)])

    @rule(at=PICK)
    def commit_nothing_new(self, at: int) -> None:
        self.commit(self.current(at), [])

    @rule(at=PICK, name=st.sampled_from(sorted(PSKS)), resumption=st.booleans())
    def inject_psk(self, at: int, name: bytes, resumption: bool) -> None:
        by = self.current(at)
        proposals = [PreSharedKey(PreSharedKeyID.external(self.suite, name))]
        if resumption:
            group = by.group
            identifier = PreSharedKeyID.resumption(self.suite, group.group_id, group.epoch)
            assert identifier.key == resumption_psk_key(group.group_id, group.epoch)
            proposals.append(PreSharedKey(identifier))
        self.commit(by, proposals)

    @rule(at=PICK, data=st.binary(max_size=8))
    def change_extensions(self, at: int, data: bytes) -> None:
        self.commit(self.current(at), [GroupContextExtensions((Extension(PRIVATE_USE, data),))])

    @rule(at=PICK, whom=PICK, kind=st.sampled_from(["update", "update", "remove", "extensions"]))
    def propose(self, at: int, whom: int, kind: str) -> None:
        by = self.current(at)
        group = by.group
        match kind:
            case "update":
                message = group.update_proposal()
            case "remove":
                index = whom % group.leaf_count
                if group.leaf(index) is None or len(group.members) < 4:
                    return
                message = group.sign_proposal(Remove(index))
            case _:
                message = group.sign_proposal(GroupContextExtensions((Extension(PRIVATE_USE, b"proposed"),)))
        self.log.append(Entry(group.protect(message), by, is_commit=False))
        by.at = len(self.log)
        by.known.append(message)

    @rule(at=PICK, other=PICK)
    def race(self, at: int, other: int) -> None:
        """Two commit at once: the order decides, the loser takes in what the winner has done."""
        first = self.current(at)
        second = self.current(other)
        if first is second or first not in self.members or first.at != second.at:
            return
        lost = second.group.commit(by_reference=self.chosen(second, []))
        self.commit(first, [])
        lost.discard()
        self.up_to_date(second)

    @precondition(lambda self: len(self.members) < MOST)
    @rule(at=PICK, resync=st.booleans(), psk=st.booleans())
    def join_externally(self, at: int, resync: bool, psk: bool) -> None:
        by = self.current(at)
        person, replaces, old = self.person(), None, None
        if resync:
            old = self.current(at + 1)
            person, replaces = old.person, old.group.own_leaf_index
            by = next((each for each in self.members if each is not old and self.is_current(each)), old)
        identifiers = [PreSharedKeyID.external(self.suite, b"one")] if psk else []
        message, group = Group.join_externally(
            by.group.group_info(allow_external=True),
            person.signer,
            person.credential,
            extension_types=[PRIVATE_USE],
            replaces=replaces,
            psk_ids=identifiers,
            psks=PSKS,
            auth=AcceptAny(),
        )
        self.log.append(Entry(message, None, is_commit=True))
        self.epochs[group.epoch] = Epoch.of(group)
        if old is not None:
            self.up_to_date(old)
            assert old.is_removed
        self.come_in(Member(person, group, len(self.log)))

    def is_current(self, member: Member) -> bool:
        return member.at == len(self.log)

    @rule(at=PICK, text=st.binary(min_size=1, max_size=40))
    def say(self, at: int, text: bytes) -> None:
        """By whoever it is, in whatever epoch that one is."""
        by = self.pick(at)
        data = by.group.protect(by.group.sign_application(text))
        self.words.append(Words(by.group.epoch, data, text, by))

    @precondition(lambda self: self.words)
    @rule(which=PICK, at=PICK)
    def hear(self, which: int, at: int) -> None:
        """Late, early, or in another order: what is of an epoch that one still has is heard, once."""
        words, member = self.words[which % len(self.words)], self.pick(at)
        if words.by is member or member.name == words.by.name:
            return
        epochs = {member.group.epoch, *(group.epoch for group in member.past)}
        if words.epoch not in epochs or member.name in words.heard_by:
            assert member.opens(words.data) is None
            return
        assert member.opens(words.data) == words.text
        words.heard_by.add(member.name)

    @rule(at=PICK, n=st.integers(1, 4))
    def catch_up(self, at: int, n: int) -> None:
        member = self.pick(at)
        self.read(member, member.at + n)

    @precondition(lambda self: len(self.members) > 1)
    @rule(at=PICK, n=st.integers(1, 3))
    def branch(self, at: int, n: int) -> None:
        """A subgroup, which lives in peace for one epoch."""
        by = self.current(at)
        others = [each for each in self.members if each is not by and self.is_current(each)][:n]
        self.continued(by, others, b"branch", self.suite, ())

    @precondition(lambda self: self.generation < 2 and len(self.log) > 3)
    @rule(at=PICK, suite=st.sampled_from(SUITES))
    def reinit(self, at: int, suite: int) -> None:
        """The group ends, and goes on under another suite."""
        by = self.current(at)
        self.generation += 1
        group_id = f"group {self.generation}".encode()
        extensions = (Extension(PRIVATE_USE, group_id),)
        self.commit(by, [ReInit(group_id, 1, suite, extensions)])
        self.settle()
        assert all(member.group.reinit is not None for member in self.members)
        self.suite = CipherSuite(suite)
        others = [each for each in self.members if each is not by]
        members = self.continued(by, others, group_id, self.suite, extensions)
        for member in self.members:
            member.group.close()
        self.begin(*members)
        self.epochs[1] = Epoch.of(members[0].group)

    def continued(
        self,
        by: Member,
        others: Sequence[Member],
        group_id: bytes,
        suite: CipherSuite,
        extensions: Sequence[Extension],
    ) -> list[Member]:
        founder = Person(by.name, suite)
        people = [Person(each.name, suite) for each in others]
        bundles = [person.bundle() for person in people]
        new = self.new_group(founder, group_id, extensions)
        pending = new.commit(by_value=[Add(received(each)) for each in bundles], continues=by.group)
        members = [Member(founder, pending.merge(), 0)]
        for old, person, bundle in zip(others, people, bundles, strict=True):
            assert pending.welcome is not None
            group = Group.join(pending.welcome, bundle, person.signer, auth=AcceptAny(), continues=old.group)
            members.append(Member(person, group, 0))
        assert len({each.group.epoch_authenticator for each in members}) == 1
        return members

    # What is always so

    @invariant()
    def check(self) -> None:
        """Whoever is in an epoch agrees with all others that are or were in it."""
        for member in getattr(self, "members", []):
            if member.group.epoch in self.epochs:
                assert Epoch.of(member.group) == self.epochs[member.group.epoch]

    def teardown(self) -> None:
        if hasattr(self, "members"):
            self.settle()

    def settle(self) -> None:
        """Everybody has read everything: who is in agrees, who is out learns nothing."""
        for member in list(self.members):
            self.up_to_date(member)
        self.check()
        assert len({member.group.epoch for member in self.members}) == 1
        assert len({epoch.authenticator for epoch in self.epochs.values()}) == len(self.epochs)
        for member in self.removed:
            self.learns_nothing(member)

    def learns_nothing(self, member: Member) -> None:
        """Who was removed tries all that it has on all that came after."""
        last = member.group.epoch
        for words in self.words:
            if words.epoch > last:
                assert member.opens(words.data) is None
        keys = member.hold()
        for epoch, path in self.paths.items():
            if epoch > last:
                path.check_shut(keys)
        following = self.epochs[last + 1]
        assert following.authenticator not in member.guesses(following.context, self.paths[last + 1])


TestLives = Lives.TestCase
TestLives.settings = settings(
    max_examples=LIVES,
    derandomize=LIVES == FEW,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)
