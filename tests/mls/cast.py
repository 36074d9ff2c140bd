"""The cast of these tests: people with keys, and a circle of them that is one group."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from conclaved.mls import (
    AcceptAny,
    Add,
    AuthenticatedContent,
    AuthenticationService,
    BasicCredential,
    CipherSuite,
    Credential,
    Extension,
    Group,
    KeyPackage,
    KeyPackageBundle,
    Lifetime,
    PendingCommit,
    Proposal,
    SoftwareSigner,
)

SUITE = CipherSuite.MLS_128_DHKEMP256_AES128GCM_SHA256_P256
LIFETIME = Lifetime(1_000, 2_000)
NOW = 1_500
PRIVATE_USE = 0xF001


class Person:
    """A client with a signature key."""

    def __init__(self, name: str, suite: CipherSuite = SUITE) -> None:
        self.name = name
        self.suite = suite
        self.credential: Credential = BasicCredential(name.encode())
        self.signer = SoftwareSigner.generate(suite)

    def bundle(self, **options: Any) -> KeyPackageBundle:
        options = {"lifetime": LIFETIME, "extension_types": [PRIVATE_USE], **options}
        return KeyPackageBundle.generate(self.suite, self.signer, self.credential, **options)

    def found(self, extensions: Iterable[Extension] = (), auth: AuthenticationService | None = None) -> Group:
        return Group.create(
            self.suite,
            b"the group",
            self.signer,
            self.credential,
            lifetime=LIFETIME,
            extension_types=[PRIVATE_USE],
            extensions=extensions,
            auth=auth or AcceptAny(),
        )


def received(bundle: KeyPackageBundle) -> KeyPackage:
    """The KeyPackage as a peer reads it off the wire."""
    return KeyPackage.decode(bundle.key_package.encode())


class Circle:
    """Members of one group in one process, each with its own view of it."""

    def __init__(
        self,
        *names: str,
        suite: CipherSuite = SUITE,
        extensions: Iterable[Extension] = (),
        auth: AuthenticationService | None = None,
    ) -> None:
        self.auth = auth or AcceptAny()
        self.people = {name: Person(name, suite) for name in names}
        first = names[0]
        self.groups: dict[str, Group] = {first: self.people[first].found(extensions, self.auth)}
        if names[1:]:
            self.add(first, *names[1:])

    def __getitem__(self, name: str) -> Group:
        return self.groups[name]

    def add(self, by: str, *names: str, **options: Any) -> list[Group]:
        """Add people in one Commit; gives the groups that were left behind."""
        bundles = {}
        for name in names:
            person = self.people.setdefault(name, Person(name, self.groups[by].suite))
            bundles[name] = person.bundle()
        adds: list[Proposal] = [Add(received(bundle)) for bundle in bundles.values()]
        pending = self.groups[by].commit(by_value=adds, **options)
        assert pending.welcome is not None
        before = self.deliver(by, pending, psks=options.get("psks", {}))
        for name, bundle in bundles.items():
            self.groups[name] = Group.join(
                pending.welcome,
                bundle,
                self.people[name].signer,
                psks=options.get("psks", {}),
                auth=self.auth,
            )
        return before

    def commit(self, by: str, *proposals: Proposal, **options: Any) -> list[Group]:
        """Commit by value; every other member that is still in takes it in."""
        pending = self.groups[by].commit(by_value=proposals, **options)
        allow_reinit = options.get("allow_reinit", False)
        return self.deliver(by, pending, psks=options.get("psks", {}), allow_reinit=allow_reinit)

    def deliver(
        self,
        by: str,
        pending: PendingCommit,
        proposals: Mapping[str, Sequence[AuthenticatedContent]] | None = None,
        psks: dict[bytes, bytes] | None = None,
        allow_reinit: bool = False,
    ) -> list[Group]:
        """Carry a pending Commit to everybody. Whom it removes is out of the circle afterwards."""
        message, before = self.groups[by].protect(pending.content), list(self.groups.values())
        for name, group in list(self.groups.items()):
            if name == by:
                self.groups[name] = pending.merge()
                continue
            known = (proposals or {}).get(name, ())
            staged = group.stage(group.unprotect(message), known, psks=psks or {}, allow_reinit=allow_reinit)
            if staged.removes_us:
                del self.groups[name]
            else:
                self.groups[name] = staged.merge()
        return before

    def send(self, by: str, message: AuthenticatedContent) -> dict[str, Sequence[AuthenticatedContent]]:
        """Carry a message to everybody; what each of them, the sender included, then holds."""
        data = self.groups[by].protect(message)
        return {
            name: [message if name == by else group.unprotect(data)] for name, group in self.groups.items()
        }

    def assert_agreement(self) -> None:
        groups = list(self.groups.values())
        assert len({group.epoch_authenticator for group in groups}) == 1
        assert len({group.export("test", b"context", 20) for group in groups}) == 1
        assert len({group.group_context.encode() for group in groups}) == 1


def fingerprint(group: Group) -> tuple[object, ...]:
    """Everything about a group's epoch that an operation could change; reading a message leaves it."""
    return (
        group.group_context.encode(),
        group.ratchet_tree,
        group.epoch_authenticator,
        group.resumption_psk,
        group.stage_of_life,
        group.reinit,
    )


def all_bytes(group: Group) -> tuple[object, ...]:
    """All of a group's state: what `fingerprint` says, and each secret and ratchet."""
    secrets = group._secrets
    ratchets = {
        leaf: [(each.generation, [bytes(ahead) for ahead in each._ahead], dict(each._kept)) for each in pair]
        for leaf, pair in secrets.secret_tree._ratchets.items()
    }
    return (
        fingerprint(group),
        {name: bytes(secret) for name, secret in secrets.keys._secrets.items()},
        {node: bytes(secret) for node, secret in secrets.secret_tree._nodes.items()},
        ratchets,
        {node: key.public_key for node, key in secrets._private_keys.items()},
        sorted(secrets._updates),
        sorted(secrets._sent),
    )
