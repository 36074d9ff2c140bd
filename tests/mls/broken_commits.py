"""Commits that break one rule each, by mallory, a committer that does not check itself.

Each row: what mallory commits, and the section that must name the refusal.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import pytest

from conclaved.mls import (
    Add,
    AuthenticatedContent,
    BasicCredential,
    Capabilities,
    Credential,
    Extension,
    ExtensionType,
    ExternalInit,
    ExternalSender,
    Group,
    GroupContextExtensions,
    KeyPackage,
    LeafChange,
    LeafNode,
    LeafNodeSource,
    PreSharedKey,
    PreSharedKeyID,
    Proposal,
    ReInit,
    RemoteError,
    Remove,
    RequiredCapabilities,
    Sender,
    SenderType,
    UnknownCredential,
    Update,
    WireFormat,
    commit_creation,
    external_senders_extension,
)
from conclaved.mls.codec import vector
from conclaved.mls.crypto import Crypto, crypto_for
from conclaved.mls.epoch import GroupState
from conclaved.mls.framing import FramedContent
from conclaved.mls.message_protection import sign_content
from conclaved.mls.proposal_list import Applied, ResolvedProposal, apply_proposals
from conclaved.mls.psk import PskType, ResumptionPskUsage
from conclaved.mls.treekem import NewPath, encrypt_path
from conclaved.mls.update_path import UpdatePath
from conclaved.mls.validation import Judge
from tests.mls.cast import LIFETIME, NOW, PRIVATE_USE, SUITE, Circle, Person

CRYPTO = crypto_for(SUITE)
OUTSIDER = Person("outsider")


class Doorkeeper:
    """An authentication service that knows two names that it does not like."""

    def validate(self, credential: Credential, signature_key: bytes) -> None:
        if credential == BasicCredential(b"refused"):
            raise RemoteError("refused", rule="RFC 9420 §5.3.1")

    def validate_successor(self, old: Credential, new: Credential) -> None:
        if new == BasicCredential(b"usurper"):
            raise RemoteError("refused", rule="RFC 9420 §5.3.1")


PSKS = {b"psk": b"the pre-shared key"}


@dataclass
class Attempt:
    """What mallory (leaf 0) commits; bob is leaf 1, carol leaf 2."""

    by_value: Sequence[Proposal] = ()
    by_reference: Sequence[AuthenticatedContent] = ()
    leaf: LeafChange | None = None
    allow_reinit: bool = False
    path: Callable[[UpdatePath], UpdatePath | None] = field(default=lambda path: path)
    is_known: bool = True
    """Whether the receiver has been given the proposals that are committed by reference."""
    reseal: bool = False
    """Whether the path's secrets are sealed anew, others than its public keys are made of."""
    tag: bytes | None = None
    """The confirmation tag, if it is another than it should be."""


Scene = Callable[[Circle], Attempt]


def package(
    change: Callable[[KeyPackage], KeyPackage] = lambda package: package,
    change_leaf: Callable[[LeafNode], LeafNode] = lambda leaf: leaf,
    person: Person | None = None,
) -> KeyPackage:
    """A newcomer's KeyPackage, changed and signed again as it then is."""
    person = person or Person("newcomer")
    original = person.bundle().key_package
    leaf = change_leaf(original.leaf_node).sign(CRYPTO, person.signer)
    changed = change(replace(original, leaf_node=leaf))
    return KeyPackage.decode(changed.sign(CRYPTO, person.signer).encode())


def capable(**fields: tuple[int, ...]) -> Callable[[LeafNode], LeafNode]:
    """A change of a leaf's capabilities."""
    changes: dict[str, Any] = dict(fields)
    return lambda leaf: replace(leaf, capabilities=replace(leaf.capabilities, **changes))


def add(**changes: Any) -> Scene:
    return lambda circle: Attempt([Add(package(**changes))])


def other_kind(source: LeafNodeSource) -> Callable[[LeafNode], LeafNode]:
    parent_hash = b"" if source is LeafNodeSource.COMMIT else None
    return lambda leaf: replace(leaf, leaf_node_source=source, lifetime=None, parent_hash=parent_hash)


def forged_signature(*, leaf: bool) -> Scene:
    def scene(circle: Circle) -> Attempt:
        good = package()
        if leaf:
            person = Person("forger")
            wrong = replace(good.leaf_node, signature_key=person.signer.public_key)
            return Attempt([Add(replace(good, leaf_node=wrong).sign(CRYPTO, person.signer))])
        return Attempt([Add(replace(good, signature=good.leaf_node.signature))])

    return scene


def key_of(leaf: int, what: str) -> Scene:
    """A newcomer with a key that a member already has."""

    def scene(circle: Circle) -> Attempt:
        theirs = circle["bob"].leaf(leaf)
        assert theirs is not None
        if what == "encryption":
            return Attempt(
                [Add(package(change_leaf=lambda leaf: replace(leaf, encryption_key=theirs.encryption_key)))]
            )
        return Attempt([Add(package(person=circle.people["carol"]))])

    return scene


def update(**changes: Any) -> Scene:
    """Carol's Update, changed and signed again, committed by reference."""

    def scene(circle: Circle) -> Attempt:
        carol = circle["carol"]
        body = carol.update_proposal().body
        assert isinstance(body, Update)
        leaf = replace(body.leaf_node, **{name: change(circle) for name, change in changes.items()})
        leaf = leaf.sign(CRYPTO, circle.people["carol"].signer, carol.group_id, 2)
        return Attempt(by_reference=[carol.sign_proposal(Update(leaf))])

    return scene


def psk(**fields: Any) -> Scene:
    return lambda circle: Attempt([PreSharedKey(replace(PreSharedKeyID.external(SUITE, b"psk"), **fields))])


def psk_twice(circle: Circle) -> Attempt:
    identifier = PreSharedKeyID.external(SUITE, b"psk")
    return Attempt([PreSharedKey(identifier), PreSharedKey(identifier)])


def extensions(*given: Extension) -> Scene:
    return lambda circle: Attempt([GroupContextExtensions(given)])


def required(**fields: tuple[int, ...]) -> Extension:
    return RequiredCapabilities(**fields).to_extension()


def reinit(*proposals: Proposal) -> Scene:
    return lambda circle: Attempt(proposals, allow_reinit=True)


def unknown_reference(circle: Circle) -> Attempt:
    """By reference to a proposal that bob has not been given."""
    return Attempt(by_reference=[circle["carol"].sign_proposal(Remove(1))], is_known=False)


def from_outside(proposal: Callable[[Circle], Proposal]) -> Scene:
    """A proposal that only members may make, by an external sender that the group has."""

    def scene(circle: Circle) -> Attempt:
        bob, sender = circle["bob"], Sender(SenderType.EXTERNAL, 0)
        framed = FramedContent(bob.group_id, bob.epoch, sender, b"", proposal(circle))
        signature = sign_content(CRYPTO, OUTSIDER.signer, WireFormat.PUBLIC_MESSAGE, framed, b"")
        message = AuthenticatedContent(WireFormat.PUBLIC_MESSAGE, framed, signature, None)
        return Attempt(by_reference=[message])

    return scene


def update_of_carol(circle: Circle) -> Update:
    leaf = circle["bob"].leaf(2)
    assert leaf is not None
    return Update(leaf)


def only_adds_the_unable(circle: Circle) -> Attempt:
    """A newcomer with a credential type that nobody else says to support."""
    erin = Person("newcomer")
    erin.credential = UnknownCredential(0xF0F0, b"who knows")
    return Attempt([Add(package(person=erin))])


def path_secret_of_other_keys(circle: Circle) -> Attempt:
    """Every public key of the path but the lowest is another than its path secret gives."""
    return Attempt(reseal=True)


def same_client_twice(circle: Circle) -> Attempt:
    person = Person("newcomer")
    return Attempt([Add(package(person=person)), Add(package(person=person))])


def changed_twice(circle: Circle) -> Attempt:
    return Attempt([Remove(2)], [circle["carol"].update_proposal()])


def update_by_committer(circle: Circle) -> Attempt:
    return Attempt(by_reference=[circle["mallory"].update_proposal()])


def update_by_value(circle: Circle) -> Attempt:
    body = circle["mallory"].update_proposal().body
    assert isinstance(body, Update)
    return Attempt([body])


def path(change: Callable[[UpdatePath], UpdatePath | None], *proposals: Proposal) -> Scene:
    return lambda circle: Attempt(proposals, path=change)


def path_with_key_in_use(circle: Circle) -> Attempt:
    theirs = circle["bob"].leaf(2)
    assert theirs is not None

    def change(path: UpdatePath) -> UpdatePath:
        first = replace(path.nodes[0], encryption_key=theirs.encryption_key)
        return replace(path, nodes=(first, *path.nodes[1:]))

    return Attempt(path=change)


def path_leaf(**fields: Any) -> Scene:
    """A path whose leaf is changed and signed again."""

    def scene(circle: Circle) -> Attempt:
        def change(path: UpdatePath) -> UpdatePath:
            leaf = replace(path.leaf_node, **fields)
            group, signer = circle["mallory"], circle.people["mallory"].signer
            return replace(path, leaf_node=leaf.sign(CRYPTO, signer, group.group_id, 0))

        return Attempt(path=change)

    return scene


def path_leaf_with_old_key(circle: Circle) -> Attempt:
    old = circle["bob"].leaf(0)
    assert old is not None
    return path_leaf(encryption_key=old.encryption_key)(circle)


def leaf_takes_key_of_carol(circle: Circle) -> Attempt:
    return Attempt(leaf=LeafChange(signer=circle.people["carol"].signer))


def without_ciphertext(path: UpdatePath) -> UpdatePath:
    first = replace(path.nodes[-1], encrypted_path_secret=path.nodes[-1].encrypted_path_secret[:-1])
    return replace(path, nodes=(*path.nodes[:-1], first))


def with_another_key(path: UpdatePath) -> UpdatePath:
    key = CRYPTO.generate_key_pair().public_key
    return replace(path, nodes=(*path.nodes[:-1], replace(path.nodes[-1], encryption_key=key)))


def refused_add(circle: Circle) -> Attempt:
    return Attempt([Add(package(person=Person("refused")))])


NO_CREDENTIALS = capable(credentials=())
ROWS: dict[str, tuple[Scene, str]] = {
    # Leaves and KeyPackages
    "a KeyPackage of another suite": (add(change=lambda p: replace(p, cipher_suite=1)), "§10.1"),
    "a KeyPackage of another version": (add(change=lambda p: replace(p, version=2)), "§10.1"),
    "init key equals leaf key": (
        add(change=lambda p: replace(p, init_key=p.leaf_node.encryption_key)),
        "§10.1",
    ),
    "an init key that is no point": (
        add(change=lambda p: replace(p, init_key=b"\x04" * 65)),
        "RFC 9180 §7.1.4",
    ),
    "a leaf key that is no point": (
        add(change_leaf=lambda leaf: replace(leaf, encryption_key=b"\x04" * 65)),
        "RFC 9180 §7.1.4",
    ),
    "a KeyPackage signed by another key": (forged_signature(leaf=False), "§5.1.2"),
    "a leaf signed by another key": (forged_signature(leaf=True), "§5.1.2"),
    "a KeyPackage with an update's leaf": (add(change_leaf=other_kind(LeafNodeSource.UPDATE)), "§7.3"),
    "a KeyPackage with a commit's leaf": (add(change_leaf=other_kind(LeafNodeSource.COMMIT)), "§7.3"),
    "an expired KeyPackage": (
        add(change_leaf=lambda leaf: replace(leaf, lifetime=replace(LIFETIME, not_after=NOW - 1))),
        "§7.3",
    ),
    "a KeyPackage for ever": (
        add(change_leaf=lambda leaf: replace(leaf, lifetime=replace(LIFETIME, not_after=1 << 40))),
        "§7.2",
    ),
    "a KeyPackage from the future": (
        add(change_leaf=lambda leaf: replace(leaf, lifetime=replace(LIFETIME, not_before=NOW + 1))),
        "§7.3",
    ),
    "an unlisted leaf extension": (
        add(change_leaf=lambda leaf: replace(leaf, extensions=(Extension(0xF0F0, b""),))),
        "§7.3",
    ),
    "an unlisted KeyPackage extension": (
        add(change=lambda p: replace(p, extensions=(Extension(0xF0F0, b""),))),
        "§10",
    ),
    "a leaf without the group's suite": (add(change_leaf=capable(cipher_suites=(1,))), "§11.1"),
    "a leaf without the group's version": (add(change_leaf=capable(versions=(2,))), "§11.1"),
    "a leaf without its own credential type": (add(change_leaf=NO_CREDENTIALS), "§7.2"),
    "a leaf without the group's extension": (add(change_leaf=capable(extensions=())), "§13.4"),
    "a signature key in use": (key_of(2, "signature"), "§7.3"),
    "an encryption key in use": (key_of(2, "encryption"), "§7.3"),
    # Single proposals
    "a Remove of nobody": (lambda circle: Attempt([Remove(3)]), "§12.1.3"),
    "a Remove beyond the tree": (lambda circle: Attempt([Remove(99)]), "§12.1.3"),
    "an Update that keeps its key": (
        update(encryption_key=lambda circle: circle["bob"].leaf(2).encryption_key),
        "§7.3",
    ),
    "an Update with the key of another member": (
        update(encryption_key=lambda circle: circle["bob"].leaf(1).encryption_key),
        "§7.3",
    ),
    "an Update with another source": (
        update(leaf_node_source=lambda _: LeafNodeSource.COMMIT, parent_hash=lambda _: b""),
        "§7.3",
    ),
    "an Update without the group's extension": (
        update(capabilities=lambda _: Capabilities((1,), (2,), (), (), (1, 2))),
        "§13.4",
    ),
    "a PSK nonce of the wrong length": (psk(nonce=b"short"), "§12.1.4"),
    "a reinit PSK": (
        psk(psk_type=PskType.RESUMPTION, psk_id=b"", usage=ResumptionPskUsage.REINIT),
        "§12.1.4",
    ),
    "a branch PSK": (
        psk(psk_type=PskType.RESUMPTION, psk_id=b"", usage=ResumptionPskUsage.BRANCH),
        "§12.1.4",
    ),
    "a PSK that is not there": (psk(psk_id=b"unknown"), "§12.4.2"),
    "a ReInit to an older version": (reinit(ReInit(b"new", 0, 2, ())), "§12.1.5"),
    "a ReInit and something else": (reinit(ReInit(b"new", 1, 2, ()), Remove(2)), "§12.2"),
    "two ReInits": (reinit(*[ReInit(b"new", 1, 2, ())] * 2), "§12.2"),
    "ReInit": (lambda circle: Attempt([ReInit(b"new", 1, 2, ())]), "§12.1.5"),
    "ExternalInit": (lambda circle: Attempt([ExternalInit(b"kem output")]), "§12.2"),
    "an extension that not all support": (extensions(Extension(0xF0F0, b"")), "§13.4"),
    "an extension twice": (extensions(*[Extension(PRIVATE_USE, b"")] * 2), "§13.4"),
    "malformed required capabilities": (
        extensions(Extension(ExtensionType.REQUIRED_CAPABILITIES, b"\x05")),
        "§2.1",
    ),
    "malformed external senders": (extensions(Extension(ExtensionType.EXTERNAL_SENDERS, b"\x05")), "§2.1"),
    "a required extension that not all have": (extensions(required(extension_types=(0xF0F0,))), "§11.1"),
    "a required proposal that not all have": (extensions(required(proposal_types=(0xF0F0,))), "§11.1"),
    "a required credential that not all have": (extensions(required(credential_types=(9,))), "§11.1"),
    # The list
    "an Update by the committer by value": (update_by_value, "§12.2"),
    "an Update by the committer by reference": (update_by_committer, "§12.2"),
    "a Remove of the committer": (lambda circle: Attempt([Remove(0)]), "§12.2"),
    "Update and Remove of one leaf": (changed_twice, "§12.2"),
    "two Removes of one leaf": (lambda circle: Attempt([Remove(2), Remove(2)]), "§12.2"),
    "a client twice": (same_client_twice, "§12.2"),
    "a PSK twice": (psk_twice, "§12.2"),
    "two changes of the extensions": (
        lambda circle: Attempt([GroupContextExtensions(())] * 2),
        "§12.2",
    ),
    # The path
    "no path and no proposals": (path(lambda _: None), "§12.4"),
    "a Remove without a path": (path(lambda _: None, Remove(2)), "§12.4"),
    "other extensions without a path": (path(lambda _: None, GroupContextExtensions(())), "§12.4"),
    "a path key in use": (path_with_key_in_use, "§12.4.2"),
    "a path key twice": (
        path(lambda path: replace(path, nodes=(path.nodes[0], path.nodes[0]))),
        "§12.4.2",
    ),
    "a path too short": (path(lambda path: replace(path, nodes=path.nodes[1:])), "§7.5"),
    "a path with another public key": (path(with_another_key), "§7.9.2"),
    "a path without a ciphertext": (path(without_ciphertext), "§7.6"),
    "a path leaf with the old key": (path_leaf_with_old_key, "§7.3"),
    "a path leaf with another source": (
        path_leaf(leaf_node_source=LeafNodeSource.UPDATE, parent_hash=None),
        "§7.3",
    ),
    "a path leaf with another parent hash": (path_leaf(parent_hash=b"x" * 32), "§7.9.2"),
    "a path leaf without the group's extension": (
        path_leaf(capabilities=Capabilities((1,), (2,), (), (), (1, 2))),
        "§13.4",
    ),
    "a path leaf with another's signature key": (leaf_takes_key_of_carol, "§7.3"),
    "a path leaf without the suite": (
        path_leaf(capabilities=Capabilities((1,), (), (), (), (1, 2))),
        "§11.1",
    ),
    "a path leaf with an unlisted extension": (path_leaf(extensions=(Extension(0xF0F0, b""),)), "§7.3"),
    "a path whose secrets are not its keys": (path_secret_of_other_keys, "§7.5"),
    "a confirmation tag of something else": (lambda circle: Attempt(tag=bytes(32)), "§12.4.2"),
    # Whom it comes from
    "a reference to an unknown proposal": (unknown_reference, "§12.4"),
    "an Update from outside": (from_outside(update_of_carol), "§12.1.8"),
    "an ExternalInit from outside": (from_outside(lambda _: ExternalInit(b"kem output")), "§12.1.8"),
    "a credential type that not all support": (only_adds_the_unable, "§7.3"),
    "an external sender that is refused": (
        extensions(external_senders_extension([ExternalSender(b"key", BasicCredential(b"refused"))])),
        "§5.3.1",
    ),
    "a credential that is refused": (refused_add, "§5.3.1"),
    "a successor that is refused": (path_leaf(credential=BasicCredential(b"usurper")), "§5.3.1"),
}

OF_RECEIVERS = {
    "a confirmation tag of something else",
    "a reference to an unknown proposal",
    "a successor that is refused",
}
"""What an honest committer cannot get wrong."""


def unchecked(
    state: GroupState, committer: int, proposals: Sequence[ResolvedProposal], judge: Judge
) -> Applied:
    """Mallory applies what it likes, where that can be applied at all."""
    valid = []
    for each in proposals:
        impossible = isinstance(each.proposal, Remove) and (
            each.proposal.removed == committer or state.tree.leaf(each.proposal.removed) is None
        )
        if not impossible and each not in valid:
            valid.append(each)
    return apply_proposals(state.tree, state.context.extensions, valid)


def scene_of_the_crime() -> Circle:
    """Mallory, bob and carol, in a group with a policy and an external sender."""
    senders = external_senders_extension([ExternalSender(OUTSIDER.signer.public_key, OUTSIDER.credential)])
    return Circle(
        "mallory", "bob", "carol", extensions=[Extension(PRIVATE_USE, b"policy"), senders], auth=Doorkeeper()
    )


def _resealed(crypto: Crypto, path: NewPath, *given: Any) -> UpdatePath:
    secrets = [CRYPTO.random(CRYPTO.hash_size) for _ in path.path_secrets]
    return encrypt_path(crypto, replace(path, path_secrets=secrets), *given)


def _encode_even_twice(extensions: Iterable[Extension]) -> bytes:
    return vector(each.encode() for each in extensions)


def commit_of(circle: Circle, attempt: Attempt) -> bytes:
    """Mallory's message, made without a single check."""
    seal = _resealed if attempt.reseal else encrypt_path
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(commit_creation, "applied_list", unchecked)
        patch.setattr(commit_creation, "check_is_verified", lambda *_: None)
        patch.setattr(commit_creation, "check_path", lambda *_, **__: None)
        patch.setattr(commit_creation, "check_merged_path", lambda *_, **__: None)
        patch.setattr(commit_creation, "_make_welcome", lambda *_, **__: None)
        patch.setattr(commit_creation, "look_up", lambda ids, _psks: [(each, b"") for each in ids])
        for module in ("proposal", "group_context"):
            patch.setattr(f"conclaved.mls.{module}.encode_extensions", _encode_even_twice)
        patch.setattr(commit_creation, "encrypt_path", lambda *given: attempt.path(seal(*given)))
        if attempt.tag is not None:
            patch.setattr(commit_creation, "confirmation_tag", lambda *_: attempt.tag)
        pending = circle["mallory"].commit(
            by_value=attempt.by_value,
            by_reference=attempt.by_reference,
            leaf=attempt.leaf,
            psks=PSKS,
        )
        return circle["mallory"].protect(pending.content)


def attempt(circle: Circle, name: str) -> tuple[str, Group, Callable[[], object]]:
    """A row's section, the group that must not change, and the call that is refused."""
    scene, rule = ROWS[name]
    attempt, bob = scene(circle), circle["bob"]
    message = commit_of(circle, attempt)
    known = attempt.by_reference if attempt.is_known else ()
    rule = rule if rule.startswith("RFC") else f"RFC 9420 {rule}"
    try:
        commit = bob.unprotect(message)
    except RemoteError:
        # One that cannot even be read; the message's key is not used up by that.
        return rule, bob, partial(bob.unprotect, message)
    stage = partial(bob.stage, commit, known, psks=PSKS, now=NOW, allow_reinit=attempt.allow_reinit)
    return rule, bob, stage
