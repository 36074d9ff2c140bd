"""External Commits that break one rule each, by a newcomer that checks nothing (RFC 9420 §12.4.3.2)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import pytest

from conclaved.mls import (
    AcceptAny,
    Add,
    AuthenticatedContent,
    Capabilities,
    Commit,
    Extension,
    ExternalInit,
    Group,
    GroupContextExtensions,
    LeafNode,
    LeafNodeSource,
    PreSharedKey,
    PreSharedKeyID,
    Remove,
    Sender,
    SenderType,
    SoftwareSigner,
    external_commit,
)
from conclaved.mls.crypto import Signer, crypto_for
from conclaved.mls.proposal import ProposalOrRef
from conclaved.mls.psk import PskType, ResumptionPskUsage
from conclaved.mls.update_path import UpdatePath
from tests.mls.broken_commits import PSKS
from tests.mls.cast import NOW, PRIVATE_USE, SUITE, Circle, Person, received

CRYPTO = crypto_for(SUITE)
Proposals = tuple[ProposalOrRef, ...]


@dataclass
class Intrusion:
    """What the newcomer changes in what it sends."""

    proposals: Callable[[Proposals, Circle], Proposals] = field(default=lambda proposals, _: proposals)
    path: Callable[[UpdatePath], UpdatePath | None] = field(default=lambda path: path)
    leaf: Callable[[LeafNode, Circle], LeafNode] = field(default=lambda leaf, _: leaf)
    """Its leaf, before it is signed."""
    replaces: int | None = None
    credential: str = "newcomer"
    as_carol: bool = False
    """Whether it signs with carol's key."""
    signs_with: Signer | None = None
    """Another key than its leaf's for the message."""
    sender: SenderType = SenderType.NEW_MEMBER_COMMIT
    """What it says that it is."""
    allow_external: bool = True


def sent(circle: Circle, intrusion: Intrusion) -> bytes:
    """The newcomer's message, made without a single check."""
    person = Person(intrusion.credential)
    if intrusion.as_carol:
        person.signer = circle.people["carol"].signer

    def commit(proposals: Proposals, path: UpdatePath) -> Commit:
        return Commit(intrusion.proposals(proposals, circle), intrusion.path(path))

    def leaf_node(*fields: Any) -> LeafNode:
        return intrusion.leaf(LeafNode(*fields), circle)

    real_sign = external_commit.__dict__["sign_content"]
    with pytest.MonkeyPatch.context() as patch:
        for name in ("check_external_commit", "check_path", "check_merged_path"):
            patch.setattr(external_commit, name, lambda *_: None)
        patch.setattr(external_commit, "Commit", commit)
        patch.setattr(external_commit, "LeafNode", leaf_node)
        patch.setattr(external_commit, "Sender", lambda _: Sender(intrusion.sender))
        if intrusion.signs_with is not None:
            patch.setattr(
                external_commit,
                "sign_content",
                lambda crypto, _, *rest: real_sign(crypto, intrusion.signs_with, *rest),
            )
        message, group = Group.join_externally(
            circle["bob"].group_info(allow_external=True),
            person.signer,
            person.credential,
            extension_types=[PRIVATE_USE],
            replaces=intrusion.replaces,
            auth=AcceptAny(),
        )
    group.close()
    return message


def more(*proposals: ProposalOrRef) -> Intrusion:
    return Intrusion(lambda given, _: (*given, *proposals))


def add_somebody(given: Proposals, circle: Circle) -> Proposals:
    return (*given, Add(received(Person("friend").bundle())))


def psk(**changes: Any) -> PreSharedKey:
    return PreSharedKey(replace(PreSharedKeyID.external(SUITE, b"psk"), **changes))


def leaf(**changes: Any) -> Intrusion:
    return Intrusion(leaf=lambda leaf, _: replace(leaf, **changes))


def with_key_of(index: int) -> Callable[[LeafNode, Circle], LeafNode]:
    def change(leaf: LeafNode, circle: Circle) -> LeafNode:
        theirs = circle["bob"].leaf(index)
        assert theirs is not None
        return replace(leaf, encryption_key=theirs.encryption_key)

    return change


def refer_to_carols(given: Proposals, circle: Circle) -> Proposals:
    return (*given, carols_proposal(circle).proposal_reference(CRYPTO))


def carols_proposal(circle: Circle) -> AuthenticatedContent:
    """The same each time: its PSK id is."""
    carol, identifier = circle["carol"], PreSharedKeyID(PskType.EXTERNAL, b"psk", None, b"", 0, bytes(32))
    return CAROLS.setdefault(id(circle), carol.sign_proposal(PreSharedKey(identifier)))


CAROLS: dict[int, AuthenticatedContent] = {}
TWICE = psk()
ROWS: dict[str, tuple[Intrusion, str]] = {
    "unwanted": (Intrusion(allow_external=False), "§12.4.3.2"),
    "without a path": (Intrusion(path=lambda _: None), "§12.4.3.2"),
    "with a reference to nothing": (more(bytes(32)), "§12.4"),
    "with a reference to a proposal that is there": (Intrusion(refer_to_carols), "§12.4.3.2"),
    "as a sender of proposals": (Intrusion(sender=SenderType.NEW_MEMBER_PROPOSAL), "§6.1"),
    "as an external sender": (Intrusion(sender=SenderType.EXTERNAL), "§6.1"),
    "signed by another key than its leaf's": (
        Intrusion(signs_with=SoftwareSigner.generate(SUITE)),
        "§5.1.2",
    ),
    "without an ExternalInit": (Intrusion(lambda given, _: given[1:]), "§12.2"),
    "with two ExternalInits": (Intrusion(lambda given, _: (*given, *given)), "§12.2"),
    "with an Add": (Intrusion(add_somebody), "§12.2"),
    "with other extensions": (more(GroupContextExtensions(())), "§12.2"),
    "that removes two": (more(Remove(0), Remove(2)), "§12.2"),
    "that removes nobody": (more(Remove(7)), "§12.1.3"),
    "that removes whom it does not succeed": (
        Intrusion(replaces=2, credential="usurper"),
        "§5.3.1",
    ),
    "with the key of whom it replaces": (Intrusion(replaces=2, leaf=with_key_of(2)), "§7.3"),
    "with a PSK twice": (more(TWICE, TWICE), "§12.2"),
    "with a short PSK nonce": (more(psk(nonce=b"short")), "§12.1.4"),
    "with a reinit PSK": (
        more(psk(psk_type=PskType.RESUMPTION, psk_id=b"", usage=ResumptionPskUsage.REINIT)),
        "§12.1.4",
    ),
    "with a PSK that is not there": (more(psk(psk_id=b"unknown")), "§12.4.2"),
    "by a credential that is refused": (Intrusion(credential="refused"), "§5.3.1"),
    "with a leaf of another source": (
        leaf(leaf_node_source=LeafNodeSource.UPDATE, parent_hash=None),
        "§7.3",
    ),
    "with a leaf without the suite": (leaf(capabilities=Capabilities((1,), (), (), (), (1, 2))), "§11.1"),
    "with a leaf without the group's extension": (
        leaf(capabilities=Capabilities((1,), (2,), (), (), (1, 2))),
        "§13.4",
    ),
    "with an unlisted leaf extension": (leaf(extensions=(Extension(0xF0F0, b""),)), "§7.3"),
    "with a signature key in use": (Intrusion(as_carol=True), "§7.3"),
    "with an encryption key in use": (Intrusion(leaf=with_key_of(0)), "§12.4.2"),
    "with another parent hash": (leaf(parent_hash=bytes(32)), "§7.9.2"),
    "with a path too short": (
        Intrusion(path=lambda path: replace(path, nodes=path.nodes[1:])),
        "§7.5",
    ),
    "with a KEM output of something else": (
        Intrusion(lambda given, _: (ExternalInit(CRYPTO.generate_key_pair().public_key),)),
        "§12.4.2",
    ),
    "with a KEM output that is none": (
        Intrusion(lambda given, _: (ExternalInit(b"output"),)),
        "RFC 9180 §7.1.4",
    ),
}


def _take_in(
    bob: Group, message: bytes, allow_external: bool, known: Sequence[AuthenticatedContent] = ()
) -> Group:
    content = bob.unprotect(message, allow_outsiders=True)
    return bob.stage(content, known, psks=PSKS, now=NOW, allow_external=allow_external).merge()


def attempt(circle: Circle, name: str) -> tuple[str, Group, Callable[[], object]]:
    """A row's section, the group that must not change, and the call that is refused."""
    intrusion, rule = ROWS[name]
    bob, message = circle["bob"], sent(circle, intrusion)
    rule = rule if rule.startswith("RFC") else f"RFC 9420 {rule}"
    return rule, bob, partial(_take_in, bob, message, intrusion.allow_external, [carols_proposal(circle)])


def unbroken() -> Group:
    """The same, with nothing broken: bob's next epoch."""
    circle = Circle("mallory", "bob", "carol")
    return _take_in(circle["bob"], sent(circle, Intrusion()), allow_external=True)
