"""One group of clients of different stacks, which agree after every step."""

from collections.abc import Iterable

from conclaved.mls import CipherSuite
from tests.peers.client import Add, Basic, Client, Commit, Identity, Kind, Proposal, Remove, View
from tests.peers.ours import STACK, OwnClient
from tests.peers.peer import Program

EXPORT = ("peers", b"context", 32)


class Programs:
    """The running programs, by name. Our own library needs none."""

    def __init__(self, programs: Iterable[Program]) -> None:
        self.by_name = {program.name: program for program in programs}

    def stacks(self, suite: CipherSuite) -> list[str]:
        """The stacks that support a suite, ours first."""
        return [STACK, *(name for name, each in self.by_name.items() if suite in each.hello.suites)]

    def client(
        self, stack: str, suite: CipherSuite, identity: Identity, *, encrypts_handshake: bool
    ) -> Client:
        if stack == STACK:
            return OwnClient(suite, identity, encrypts_handshake=encrypts_handshake)
        return self.by_name[stack].client(suite, identity, encrypts_handshake=encrypts_handshake)


class Circle:
    """The members of one group by name; `founder` is made here, the others come with `add`."""

    def __init__(
        self,
        programs: Programs,
        suite: CipherSuite,
        founder: str,
        *,
        encrypts_handshake: bool = True,
        identities: dict[str, Identity] | None = None,
    ) -> None:
        """A name is a stack's, or begins with it and a dot: "ts-mls", "ts-mls.2".

        `identities` are those of the names that need no bare basic credential.
        """
        self._programs = programs
        self.suite = suite
        self._encrypts_handshake = encrypts_handshake
        self._identities = identities or {}
        self._psks: dict[bytes, bytes] = {}
        self.members: dict[str, Client] = {}
        self.founder = founder
        client = self.client(founder)
        client.create(b"a group of many stacks")
        self.members[founder] = client

    def identity(self, name: str) -> Identity:
        """The identity of the client of that name."""
        return self._identities.get(name, Basic(name.encode()))

    def client(self, name: str) -> Client:
        """A client that is in no group yet."""
        identity = self.identity(name)
        stack = name.partition(".")[0]
        client = self._programs.client(
            stack, self.suite, identity, encrypts_handshake=self._encrypts_handshake
        )
        for psk_id, psk in self._psks.items():
            client.add_psk(psk_id, psk)
        return client

    def __getitem__(self, name: str) -> Client:
        return self.members[name]

    def leaf(self, name: str) -> int:
        return self.members[name].view().own_leaf

    def learn_psk(self, psk_id: bytes, psk: bytes) -> None:
        """Everybody, now and later, has this external PSK."""
        self._psks[psk_id] = psk
        for client in self.members.values():
            client.add_psk(psk_id, psk)

    def commit(self, by: str, *proposals: Proposal) -> Commit:
        """One member commits and all others take it in; who is removed leaves the circle."""
        commit = self.members[by].commit(list(proposals))
        self.members[by].merge()
        self.deliver(by, commit.message)
        return commit

    def deliver(self, by: str, message: bytes) -> None:
        """Carry a handshake message to all but its sender."""
        for name, client in list(self.members.items()):
            if name != by and client.process(message).kind is Kind.REMOVED:
                del self.members[name]

    def add(self, by: str, *names: str) -> Commit:
        """Add new clients in one commit."""
        newcomers = {name: self.client(name) for name in names}
        commit = self.commit(by, *(Add(client.key_package()) for client in newcomers.values()))
        self.welcome(commit, newcomers)
        return commit

    def welcome(self, commit: Commit, newcomers: dict[str, Client]) -> None:
        """Let the clients whom a commit has added join."""
        assert commit.welcome is not None
        for name, client in newcomers.items():
            client.join(commit.welcome)
            self.members[name] = client

    def remove(self, by: str, name: str) -> Commit:
        return self.commit(by, Remove(self.leaf(name)))

    def propose(self, by: str, proposal: Proposal) -> bytes:
        """A proposal that everybody takes in, to be committed by reference."""
        message = self.members[by].propose(proposal)
        self.deliver(by, message)
        return message

    def enter(self, by: str, name: str, *, in_place: bool = False) -> bytes:
        """A client joins by an external commit with the GroupInfo of member `by`.

        `in_place` lets it take the place of its old self, which keeps its credential and key.
        """
        replaces = self.leaf(name) if in_place else None
        client = self.members.pop(name) if in_place else self.client(name)
        message = client.join_externally(self.members[by].group_info(), replaces)
        self.deliver(name, message)
        self.members[name] = client
        return message

    def say(self, by: str, data: bytes) -> bytes:
        """An application message that everybody else must read."""
        message = self.members[by].protect(data)
        for name, client in self.members.items():
            if name != by:
                received = client.process(message)
                assert (received.kind, received.data) == (Kind.APPLICATION, data), (
                    f"{name} read something else"
                )
        return message

    def agree(self) -> View:
        """Assert that all see the same group and have the same secrets; gives what they see."""
        views = {name: client.view() for name, client in self.members.items()}
        first = next(iter(views.values()))
        shared = (first.epoch, first.epoch_authenticator, first.tree_hash, first.members)
        exported = self.members[next(iter(views))].export(*EXPORT)
        for name, view in views.items():
            theirs = (view.epoch, view.epoch_authenticator, view.tree_hash, view.members)
            assert theirs == shared, f"{name} sees another group"
            assert self.members[name].export(*EXPORT) == exported, f"{name} exports something else"
        assert len({view.own_leaf for view in views.values()}) == len(views)
        assert {view.own_leaf for view in views.values()} == {leaf for leaf, _ in first.members}
        return first

    def converse(self) -> None:
        """All agree, and everybody says something that all others read."""
        self.agree()
        for name in list(self.members):
            self.say(name, b"this is " + name.encode())
