"""Welcomes and trees that break one rule each, by mallory, who signs whatever it likes (RFC 9420 §12.4.3)."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import pytest

from conclaved.mls import (
    AcceptAny,
    Add,
    AuthenticationService,
    BasicCredential,
    Capabilities,
    CipherSuite,
    Credential,
    Extension,
    ExtensionType,
    Group,
    KeyPackageBundle,
    LeafNode,
    Lifetime,
    PreSharedKey,
    PreSharedKeyID,
    Proposal,
    ReInit,
    RemoteError,
    RequiredCapabilities,
    UnknownCredential,
    commit_creation,
    validation,
)
from conclaved.mls.codec import optional, uint8, vector
from conclaved.mls.crypto import Crypto, crypto_for
from conclaved.mls.group_info import GroupInfo
from conclaved.mls.lineage import Lineage
from conclaved.mls.psk import PskType, ResumptionPskUsage
from conclaved.mls.ratchet_tree import ParentNode, RatchetTree
from conclaved.mls.tree_hash import tree_hash
from conclaved.mls.welcome import GroupSecrets, Welcome
from tests.mls.cast import LIFETIME, NOW, PRIVATE_USE, SUITE, Circle, Person, received

CRYPTO = crypto_for(SUITE)
ERIN = Person("erin")
Nodes = list[LeafNode | ParentNode | None]


@dataclass
class Lie:
    """What mallory changes in the Welcome of the Commit by which it adds erin (leaf 4)."""

    nodes: Callable[[Nodes, Circle], Nodes] | None = None
    """The tree's nodes in their order; its hash is made to match."""
    tree: Callable[[bytes], bytes] | None = None
    """The tree's bytes."""
    info: Callable[[GroupInfo], GroupInfo] = field(default=lambda info: info)
    """The GroupInfo, before it is signed."""
    signature: Callable[[GroupInfo], GroupInfo] = field(default=lambda info: info)
    """The GroupInfo, after it is signed."""
    secrets: Callable[[GroupSecrets], GroupSecrets] = field(default=lambda secrets: secrets)
    welcome: Callable[[Welcome], Welcome] = field(default=lambda welcome: welcome)
    is_flat: bool = True
    """Whether no parent node has a key: then a leaf can be changed without a parent hash that tells."""
    proposals: tuple[Proposal, ...] = ()
    ties: tuple[PreSharedKeyID, ...] = ()
    """PSKs of other groups that go into the Commit, whatever the rules say of them."""
    bundle: dict[str, Any] = field(default_factory=dict)
    join: dict[str, Any] = field(default_factory=dict)


def encoded(nodes: Nodes) -> bytes:
    """`optional<Node> ratchet_tree<V>`."""
    return vector(
        b"\x00" if node is None else optional(uint8(1 if isinstance(node, LeafNode) else 2) + node.encode())
        for node in nodes
    )


def nodes_of(tree: RatchetTree) -> Nodes:
    nodes: Nodes = [None] * (2 * tree.n_leaves - 1)
    for subtree in tree.root.nodes():
        nodes[subtree.index] = subtree.node
    while nodes[-1] is None:
        nodes.pop()
    return nodes


def _forged(lie: Lie, circle: Circle, info: GroupInfo) -> GroupInfo:
    tree = info.extensions[0].data
    if lie.nodes is not None:
        tree = encoded(lie.nodes(nodes_of(RatchetTree.decode(tree)), circle))
        try:
            claimed = tree_hash(CRYPTO, RatchetTree.decode(tree).root)
        except RemoteError:
            claimed = b""
        info = replace(info, group_context=replace(info.group_context, tree_hash=claimed))
    if lie.tree is not None:
        tree = lie.tree(tree)
    info = replace(info, extensions=(Extension(ExtensionType.RATCHET_TREE, tree),))
    return lie.signature(lie.info(info).sign(CRYPTO, circle.people["mallory"].signer))


def told(lie: Lie) -> tuple[KeyPackageBundle, Callable[[], Group]]:
    """Erin's bundle, and her attempt to join by mallory's Welcome."""
    circle, erin = Circle("mallory"), ERIN
    circle.add("mallory", "bob", "carol", "dave", force_path=False)
    if not lie.is_flat:
        for name in ("bob", "dave", "mallory"):
            circle.commit(name)
        circle.add("mallory", "frank", force_path=False)
    bundle = erin.bundle(**lie.bundle)
    seal = commit_creation.__dict__["seal_welcome"]

    def seal_forged(crypto: Crypto, info: GroupInfo, secret: bytes, joiners: list[Any]) -> Welcome:
        changed = [(package, lie.secrets(secrets)) for package, secrets in joiners]
        sealed: Welcome = seal(crypto, _forged(lie, circle, info), secret, changed)
        return lie.welcome(sealed)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(commit_creation, "seal_welcome", seal_forged)
        patch.setattr(validation, "check_psk", lambda *_: None)
        pending = circle["mallory"].commit(
            by_value=[Add(received(bundle)), *lie.proposals, *map(PreSharedKey, lie.ties)],
            force_path=not lie.is_flat,
            psks={b"psk": b"secret"} | {tie.key: OLD_SECRET for tie in lie.ties},
        )
    assert pending.welcome is not None
    options: dict[str, Any] = {"auth": AcceptAny(), "now": NOW, **lie.join}
    return bundle, partial(Group.join, pending.welcome, bundle, erin.signer, **options)


def leaf(index: int, signs: bool = True, **changes: Any) -> Lie:
    """One leaf changed, and signed again by its owner."""
    names = ["mallory", "bob", "carol", "dave"]

    def change(nodes: Nodes, circle: Circle) -> Nodes:
        old = nodes[2 * index]
        assert isinstance(old, LeafNode)
        new = replace(old, **{name: make(nodes) for name, make in changes.items()})
        nodes[2 * index] = new.sign(CRYPTO, circle.people[names[index]].signer) if signs else new
        return nodes

    return Lie(change)


def key_of(index: int, what: str) -> Callable[[Nodes], bytes]:
    def key(nodes: Nodes) -> bytes:
        found: bytes = getattr(nodes[2 * index], what)
        return found

    return key


def parent(index: int, **changes: Any) -> Lie:
    """One parent node changed."""

    def change(nodes: Nodes, circle: Circle) -> Nodes:
        old = nodes[index]
        assert isinstance(old, ParentNode)
        nodes[index] = replace(old, **changes)
        return nodes

    return Lie(change, is_flat=False)


def context(**changes: Any) -> Lie:
    return Lie(info=lambda info: replace(info, group_context=replace(info.group_context, **changes)))


def group_extensions(*extensions: Extension) -> Lie:
    return context(extensions=extensions)


def two_leaves_swapped(nodes: Nodes, circle: Circle) -> Nodes:
    nodes[2], nodes[4] = nodes[4], nodes[2]
    return nodes


def leaf_in_a_parents_place(nodes: Nodes, circle: Circle) -> Nodes:
    nodes[1] = nodes[0]
    return nodes


def without_erin(nodes: Nodes, circle: Circle) -> Nodes:
    return nodes[:-2] if nodes[-2] is not None else nodes[:-2][:7]


def capable(**changes: Any) -> Callable[[Nodes], Capabilities]:
    def capabilities(nodes: Nodes) -> Capabilities:
        node = nodes[2]
        assert isinstance(node, LeafNode)
        return replace(node.capabilities, **changes)

    return capabilities


def required(**fields: tuple[int, ...]) -> Extension:
    return RequiredCapabilities(**fields).to_extension()


OLD_SECRET = bytes(32)


def resumption(usage: ResumptionPskUsage, group_id: bytes = b"old") -> PreSharedKeyID:
    return PreSharedKeyID(PskType.RESUMPTION, b"", usage, group_id, 3, bytes(32))


class Picky:
    """Knows dave, and does not like him."""

    def validate(self, credential: Credential, signature_key: bytes) -> None:
        if credential == BasicCredential(b"dave"):
            raise RemoteError("refused", rule="RFC 9420 §5.3.1")

    def validate_successor(self, old: Credential, new: Credential) -> None:
        return


class OldGroup:
    """All that is asked of a group that is continued."""

    def __init__(self, reinit: ReInit | None = None, suite: CipherSuite = SUITE) -> None:
        self.lineage = Lineage(suite, b"old", 3, reinit, bytes(32))


def continuing(old: OldGroup, *ties: PreSharedKeyID, hide: bool = False, epoch: int | None = None) -> Lie:
    """A group that says by `ties` what it continues, joined by who expects it to continue `old`."""
    ties = (BRANCH,) if hide else ties

    def change(info: GroupInfo) -> GroupInfo:
        given = info.group_context
        return replace(info, group_context=replace(given, epoch=given.epoch if epoch is None else epoch))

    psks = {tie.key: OLD_SECRET for tie in ties}
    join: dict[str, Any] = {"psks": psks} if hide else {"psks": psks, "continues": old}
    return Lie(ties=ties, info=change, join=join)


def reinitialised(**changes: Any) -> Lie:
    """What follows a ReInit that asked for something else."""
    asked = replace(ReInit(b"the group", 1, SUITE, ()), **changes)
    return continuing(OldGroup(asked), resumption(ResumptionPskUsage.REINIT), epoch=1)


PICKY: AuthenticationService = Picky()


BRANCH = resumption(ResumptionPskUsage.BRANCH)


PSK = PreSharedKey(PreSharedKeyID.external(SUITE, b"psk"))

ROWS: dict[str, tuple[Lie, str]] = {
    # The Welcome and what it seals
    "a Welcome of another suite": (Lie(welcome=lambda w: replace(w, cipher_suite=1)), "§12.4.3.1"),
    "a Welcome of no suite": (Lie(welcome=lambda w: replace(w, cipher_suite=99)), "§5.1"),
    "a Welcome for somebody else": (
        Lie(welcome=lambda w: replace(w, secrets=(replace(w.secrets[0], new_member=bytes(32)),))),
        "§12.4.3.1",
    ),
    "a GroupInfo that was changed": (
        Lie(welcome=lambda w: replace(w, encrypted_group_info=w.encrypted_group_info[:-1])),
        "§6.3",
    ),
    "a PSK that is not there": (Lie(proposals=(PSK,)), "§12.4.2"),
    "a GroupInfo of another suite": (context(cipher_suite=1), "§12.4.3.1"),
    "a group that this client is in already": (Lie(join={"other_groups": {b"the group"}}), "§12.4.3"),
    "a signature of somebody else": (Lie(info=lambda info: replace(info, signer=1)), "§5.1.2"),
    "a signer where nobody is": (Lie(info=lambda info: replace(info, signer=7)), "§12.4.3.1"),
    "a GroupInfo changed after it was signed": (
        Lie(signature=lambda info: replace(info, confirmation_tag=bytes(32))),
        "§5.1.2",
    ),
    "a confirmation tag of something else": (
        Lie(info=lambda info: replace(info, confirmation_tag=bytes(32))),
        "§12.4.2",
    ),
    "no path secret where there is a path": (
        Lie(secrets=lambda secrets: replace(secrets, path_secret=None), is_flat=False),
        "§7.1",
    ),
    "a path secret of other keys": (
        Lie(secrets=lambda secrets: replace(secrets, path_secret=bytes(32)), is_flat=False),
        "§12.4.3.1",
    ),
    "a path secret for no node": (
        Lie(secrets=lambda secrets: replace(secrets, path_secret=bytes(32))),
        "§12.4.3.1",
    ),
    # The tree's shape
    "a tree of another hash": (context(tree_hash=bytes(32)), "§12.4.3.1"),
    "a tree that ends with a blank node": (
        Lie(lambda nodes, _: [*nodes, None]),
        "§12.4.3.3",
    ),
    "a tree without a node": (Lie(lambda nodes, _: []), "§12.4.3.3"),
    "a tree wider than wanted": (Lie(join={"max_leaves": 4}), "§12.4.3.3"),
    "a leaf in a parent's place": (Lie(leaf_in_a_parents_place), "§12.4.3.3"),
    "a node of no type": (Lie(tree=lambda data: data[:2] + b"\x01\x03" + data[4:]), "§7.8"),
    "a tree without this client": (Lie(without_erin), "§12.4.3.1"),
    "a GroupInfo that this client has signed": (
        Lie(signature=lambda info: replace(info, signer=4).sign(CRYPTO, ERIN.signer)),
        "§12.4.3.1",
    ),
    "an unmerged leaf that is not below": (parent(1, unmerged_leaves=(2,)), "§12.4.3.1"),
    "an unmerged leaf that is blank": (parent(7, unmerged_leaves=(6,)), "§12.4.3.1"),
    "an unmerged leaf that a node between does not list": (parent(7, unmerged_leaves=(0,)), "§12.4.3.1"),
    "unmerged leaves in another order": (parent(7, unmerged_leaves=(5, 4)), "§7.1"),
    "an unmerged leaf twice": (parent(7, unmerged_leaves=(4, 4)), "§7.1"),
    "a parent that no member has set": (
        parent(3, encryption_key=CRYPTO.generate_key_pair().public_key),
        "§7.9.2",
    ),
    "a parent under another parent hash": (parent(3, parent_hash=bytes(32)), "§7.9.2"),
    "a parent's key twice": (
        Lie(
            lambda nodes, _: [*nodes[:1], ParentNode(key_of(1, "encryption_key")(nodes), b"", ()), *nodes[2:]]
        ),
        "§7.9.2",
    ),
    # Its leaves
    "leaves in each other's places": (
        Lie(two_leaves_swapped, is_flat=False),
        "§7.9.2",
    ),
    "a leaf that its owner did not sign": (leaf(1, signs=False, signature=lambda _: bytes(64)), "§5.1.2"),
    "an encryption key twice": (leaf(1, encryption_key=key_of(2, "encryption_key")), "§12.4.3.1"),
    "a signature key twice": (leaf(1, signs=False, signature_key=key_of(2, "signature_key")), "§7.3"),
    "an encryption key that is none": (leaf(1, encryption_key=lambda _: b"\x04" * 65), "RFC 9180 §7.1.4"),
    "a leaf without the suite": (leaf(1, capabilities=capable(cipher_suites=())), "§11.1"),
    "a leaf without the version": (leaf(1, capabilities=capable(versions=())), "§11.1"),
    "a leaf with an unlisted extension": (
        leaf(1, extensions=lambda _: (Extension(0xF0F0, b""),)),
        "§7.3",
    ),
    "a leaf without its own credential type": (leaf(1, capabilities=capable(credentials=())), "§7.3"),
    "a credential type that not all support": (
        leaf(1, credential=lambda _: UnknownCredential(0xF0F0, b"?")),
        "§7.3",
    ),
    "a leaf for ever": (leaf(1, lifetime=lambda _: Lifetime(0, 1 << 40)), "§7.2"),
    "a credential that is refused": (Lie(join={"auth": PICKY}), "§5.3.1"),
    "a KeyPackage of our own that has expired": (
        Lie(bundle={"lifetime": replace(LIFETIME, not_after=NOW - 1)}),
        "§7.3",
    ),
    # The GroupContext
    "a group extension that not all support": (group_extensions(Extension(0xF0F0, b"")), "§13.4"),
    "a required extension": (group_extensions(required(extension_types=(0xF0F0,))), "§11.1"),
    "a required proposal": (group_extensions(required(proposal_types=(0xF0F0,))), "§11.1"),
    "a required credential": (group_extensions(required(credential_types=(9,))), "§11.1"),
    "malformed external senders": (
        group_extensions(Extension(ExtensionType.EXTERNAL_SENDERS, b"\x05")),
        "§2.1",
    ),
    # What it continues
    "a descent that is not there": (Lie(join={"continues": OldGroup()}), "§12.4.3.1"),
    "a descent that is hidden": (continuing(OldGroup(), hide=True), "§12.4.3.1"),
    "a descent from two": (
        continuing(OldGroup(), BRANCH, resumption(ResumptionPskUsage.BRANCH, b"two")),
        "§12.4.3.1",
    ),
    "a descent from another group": (
        continuing(OldGroup(), resumption(ResumptionPskUsage.BRANCH, b"another"), epoch=1),
        "§12.4.3.1",
    ),
    "a descent of another kind": (
        continuing(OldGroup(), resumption(ResumptionPskUsage.REINIT), epoch=1),
        "§12.4.3.1",
    ),
    "a descent in a later epoch": (continuing(OldGroup(), BRANCH), "§12.4.3.1"),
    "a subgroup of another suite": (
        continuing(OldGroup(suite=CipherSuite.MLS_256_DHKEMP384_AES256GCM_SHA384_P384), BRANCH, epoch=1),
        "§11.3",
    ),
    "another group id than the ReInit's": (reinitialised(group_id=b"another"), "§11.2"),
    "another suite than the ReInit's": (reinitialised(cipher_suite=1), "§11.2"),
    "another version than the ReInit's": (reinitialised(version=2), "§11.2"),
    "other extensions than the ReInit's": (
        reinitialised(extensions=(Extension(PRIVATE_USE, b""),)),
        "§11.2",
    ),
}


def attempt(name: str) -> tuple[str, KeyPackageBundle, Callable[[], Group]]:
    """A row's section, the bundle that must not be consumed, and the call that is refused."""
    lie, rule = ROWS[name]
    return rule if rule.startswith("RFC") else f"RFC 9420 {rule}", *told(lie)


def unbroken() -> Group:
    """The same, with nothing broken."""
    told(Lie(is_flat=False))[1]()
    return told(Lie())[1]()
