"""Joining by a Welcome: all is verified before there is a group, and a failure consumes nothing."""

from dataclasses import replace

import pytest

from conclaved.mls import (
    AcceptAny,
    Add,
    CipherSuite,
    Extension,
    ExtensionType,
    GoneError,
    Group,
    KeyPackageBundle,
    LocalError,
    MissingPsk,
    MlsMessage,
    PreSharedKey,
    PreSharedKeyID,
    Proposal,
    RemoteError,
    Remove,
    SoftwareSigner,
    WireFormat,
    WrongEpoch,
    commit_creation,
    joining,
)
from conclaved.mls.crypto import Crypto, Signer
from conclaved.mls.group_info import GroupInfo
from conclaved.mls.ratchet_tree import RatchetTree
from conclaved.mls.welcome import Welcome
from tests.mls.cast import NOW, PRIVATE_USE, SUITE, Circle, Person, received


@pytest.fixture
def circle() -> Circle:
    circle = Circle("alice", "bob", "carol", "dave", extensions=[Extension(PRIVATE_USE, b"policy")])
    circle.commit("bob")
    circle.commit("dave")
    return circle


PUBLIC = WireFormat.PUBLIC_MESSAGE


def invited(circle: Circle, person: Person, **options: object) -> tuple[bytes, KeyPackageBundle, Group]:
    """A Welcome for a person, its bundle, and the group after the Commit."""
    bundle = person.bundle()
    pending = circle["alice"].commit(by_value=[Add(received(bundle))], **options)  # type: ignore[arg-type]
    assert pending.welcome is not None
    return pending.welcome, bundle, pending.merge()


def join(welcome: bytes, bundle: KeyPackageBundle, person: Person, **options: object) -> Group:
    return Group.join(welcome, bundle, person.signer, auth=AcceptAny(), **options)  # type: ignore[arg-type]


def test_a_joiner_agrees_with_the_group_and_starts_in_its_epoch(circle: Circle) -> None:
    erin = Person("erin")
    welcome, bundle, alice = invited(circle, erin)
    group = join(welcome, bundle, erin, now=NOW)
    assert group.epoch_authenticator == alice.epoch_authenticator
    assert group.group_context == alice.group_context
    assert group.members == alice.members
    assert (group.own_leaf_index, group.epoch) == (4, 4)


def test_a_joiner_reads_nothing_from_before(circle: Circle) -> None:
    erin = Person("erin")
    message = circle["bob"].protect(circle["bob"].sign_application(b"before erin"))
    welcome, bundle, _ = invited(circle, erin)
    with pytest.raises(RemoteError):
        join(welcome, bundle, erin).unprotect(message)


@pytest.mark.parametrize("force_path", [True, False])
def test_a_joiner_can_commit_at_once(circle: Circle, force_path: bool) -> None:
    circle.add("carol", "erin", "frank", force_path=force_path)
    circle.commit("erin")
    circle.commit("frank")
    circle.commit("alice")
    circle.assert_agreement()


def test_a_bundle_is_used_once(circle: Circle) -> None:
    erin = Person("erin")
    welcome, bundle, _ = invited(circle, erin)
    join(welcome, bundle, erin)
    with pytest.raises(GoneError):
        join(welcome, bundle, erin)


def test_a_last_resort_is_used_again_and_says_that_it_is_one(circle: Circle) -> None:
    erin = Person("erin")
    bundle = erin.bundle(is_last_resort=True)
    assert received(bundle).is_last_resort
    assert not received(erin.bundle()).is_last_resort
    for founder in ("alice", "bob"):
        group = Person(founder).found()
        pending = group.commit(by_value=[Add(received(bundle))])
        assert pending.welcome is not None
        joined = Group.join(pending.welcome, bundle, erin.signer, auth=AcceptAny())
        assert joined.epoch_authenticator == pending.merge().epoch_authenticator
    bundle.close()
    welcome, _, _ = invited(circle, erin)
    with pytest.raises(GoneError):
        join(welcome, bundle, erin)


def test_a_tree_may_travel_apart_from_the_welcome(circle: Circle) -> None:
    erin = Person("erin")
    bundle = erin.bundle()
    pending = circle["alice"].commit(by_value=[Add(received(bundle))], with_ratchet_tree=False)
    assert pending.welcome is not None
    with pytest.raises(LocalError, match="no ratchet tree"):
        join(pending.welcome, bundle, erin)
    before = circle["alice"].ratchet_tree
    circle.deliver("alice", pending)
    with pytest.raises(RemoteError, match=r"§12\.4\.3\.1"):
        Group.join(pending.welcome, bundle, erin.signer, ratchet_tree=before, auth=AcceptAny())
    tree = circle["bob"].ratchet_tree
    joined = Group.join(pending.welcome, bundle, erin.signer, ratchet_tree=tree, auth=AcceptAny())
    assert joined.epoch_authenticator == circle["bob"].epoch_authenticator


def test_a_failed_join_leaves_the_bundle_for_the_next(circle: Circle) -> None:
    erin = Person("erin")
    psks = {b"psk": b"secret"}
    bundle = erin.bundle()
    proposals: list[Proposal] = [Add(received(bundle)), PreSharedKey(PreSharedKeyID.external(SUITE, b"psk"))]
    pending = circle["alice"].commit(by_value=proposals, psks=psks)
    assert pending.welcome is not None
    with pytest.raises(MissingPsk, match=b"psk".hex()) as missing:
        join(pending.welcome, bundle, erin)
    assert missing.value.key == b"psk"
    with pytest.raises(RemoteError):
        join(pending.welcome, bundle, erin, psks={b"psk": b"another"})
    group = join(pending.welcome, bundle, erin, psks=psks)
    assert group.epoch_authenticator == pending.merge().epoch_authenticator


def test_a_welcome_for_others_is_refused(circle: Circle) -> None:
    erin, frank = Person("erin"), Person("frank")
    welcome, _, _ = invited(circle, erin)
    with pytest.raises(RemoteError, match="not for this KeyPackage"):
        join(welcome, frank.bundle(), frank)


def test_another_message_than_a_welcome_lets_nobody_in(circle: Circle) -> None:
    erin = Person("erin")
    with pytest.raises(RemoteError, match="no Welcome"):
        join(circle["alice"].group_info(), erin.bundle(), erin)


def test_another_signer_than_the_key_package_s_is_our_mistake(circle: Circle) -> None:
    erin = Person("erin")
    welcome, bundle, _ = invited(circle, erin)
    with pytest.raises(LocalError):
        Group.join(welcome, bundle, SoftwareSigner.generate(SUITE), auth=AcceptAny())


def test_a_welcome_of_another_suite_is_refused(circle: Circle) -> None:
    erin = Person("erin")
    welcome, bundle, _ = invited(circle, erin)
    content = MlsMessage.decode(welcome).content
    assert isinstance(content, Welcome)
    for number in (1, 99):
        with pytest.raises(RemoteError):
            join(MlsMessage(replace(content, cipher_suite=number)).encode(), bundle, erin)


def test_a_welcome_with_any_part_changed_is_refused(circle: Circle) -> None:
    erin = Person("erin")
    welcome, bundle, _ = invited(circle, erin)
    for position in range(0, len(welcome), 97):
        changed = bytearray(welcome)
        changed[position] ^= 0x10
        with pytest.raises(RemoteError):
            join(bytes(changed), bundle, erin)
    join(welcome, bundle, erin)


class InfoForger:
    """Signs a GroupInfo that was changed before signing, as a malicious committer can."""

    def __init__(self, **changes: object) -> None:
        self.changes = changes

    def __call__(self, crypto: Crypto, info: GroupInfo, signer: Signer) -> GroupInfo:
        return replace(info, **self.changes).sign(crypto, signer)  # type: ignore[arg-type]


def forged_welcome(
    circle: Circle, bundle: KeyPackageBundle, monkeypatch: pytest.MonkeyPatch, **changes: object
) -> bytes:
    forge, seal = InfoForger(**changes), commit_creation.__dict__["seal_welcome"]

    def seal_forged(crypto: Crypto, info: GroupInfo, secret: bytes, joiners: object) -> Welcome:
        forged: Welcome = seal(crypto, forge(crypto, info, circle.people["alice"].signer), secret, joiners)
        return forged

    with monkeypatch.context() as patch:
        patch.setattr(commit_creation, "seal_welcome", seal_forged)
        pending = circle["alice"].commit(by_value=[Add(received(bundle))])
    assert pending.welcome is not None
    return pending.welcome


def test_what_a_malicious_committer_signs_is_checked(circle: Circle, monkeypatch: pytest.MonkeyPatch) -> None:
    erin = Person("erin")
    bundle = erin.bundle()
    tree = Extension(ExtensionType.RATCHET_TREE, circle["alice"].ratchet_tree)
    context = circle["alice"].group_context
    for changes, message in (
        ({"confirmation_tag": bytes(32)}, "confirmation tag"),
        ({"signer": 1}, "signature"),
        ({"signer": 7}, "blank"),
        ({"signer": 4}, "signature"),
        ({"extensions": (tree,)}, "not in the tree"),
        ({"group_context": replace(context, cipher_suite=1)}, "suite"),
        ({"group_context": replace(context, tree_hash=bytes(32))}, "hash"),
    ):
        welcome = forged_welcome(circle, bundle, monkeypatch, **changes)
        with pytest.raises(RemoteError, match=message):
            join(welcome, bundle, erin)


def test_an_unknown_extension_of_a_group_info_is_ignored(
    circle: Circle, monkeypatch: pytest.MonkeyPatch
) -> None:
    erin = Person("erin")
    bundle, seal = erin.bundle(), commit_creation.__dict__["seal_welcome"]

    def with_extension(crypto: Crypto, info: GroupInfo, secret: bytes, joiners: object) -> Welcome:
        more = replace(info, extensions=(*info.extensions, Extension(0xF0F0, b"what?")))
        sealed: Welcome = seal(crypto, more.sign(crypto, circle.people["alice"].signer), secret, joiners)
        return sealed

    with monkeypatch.context() as patch:
        patch.setattr(commit_creation, "seal_welcome", with_extension)
        pending = circle["alice"].commit(by_value=[Add(received(bundle))])
    assert pending.welcome is not None
    assert join(pending.welcome, bundle, erin).group_context == pending.merge().group_context


def test_every_suite_founds_and_joins() -> None:
    for suite in CipherSuite:
        circle = Circle("alice", "bob", suite=suite)
        circle.commit("bob")
        circle.add("bob", "carol")
        circle.commit("carol")
        circle.assert_agreement()
        assert circle["carol"].suite is suite


def test_the_tree_may_come_apart_from_the_welcome(monkeypatch: pytest.MonkeyPatch) -> None:
    circle, erin = Circle("alice", "bob"), Person("erin")
    bundle = erin.bundle()
    seal, trees = commit_creation.__dict__["seal_welcome"], []

    def seal_without_tree(crypto: Crypto, info: GroupInfo, secret: bytes, joiners: object) -> Welcome:
        trees.append(info.extensions[0].data)
        bare = replace(info, extensions=()).sign(crypto, circle.people["alice"].signer)
        sealed: Welcome = seal(crypto, bare, secret, joiners)
        return sealed

    with monkeypatch.context() as patch:
        patch.setattr(commit_creation, "seal_welcome", seal_without_tree)
        pending = circle["alice"].commit(by_value=[Add(received(bundle))])
    assert pending.welcome is not None
    with pytest.raises(LocalError):
        join(pending.welcome, bundle, erin)
    with pytest.raises(RemoteError):
        join(pending.welcome, bundle, erin, ratchet_tree=circle["alice"].ratchet_tree)
    group = join(pending.welcome, bundle, erin, ratchet_tree=trees[0])
    assert group.epoch_authenticator == pending.merge().epoch_authenticator
    assert group.ratchet_tree == trees[0]


def test_a_caller_may_refuse_a_group_before_its_leaves_are_verified(
    circle: Circle, monkeypatch: pytest.MonkeyPatch
) -> None:
    erin = Person("erin")
    welcome, bundle, alice = invited(circle, erin)
    seen: list[tuple[tuple[Extension, ...], int, int]] = []

    def refuse(extensions: tuple[Extension, ...], tree: RatchetTree, signer: int) -> None:
        seen.append((extensions, tree.n_members, signer))
        raise ZeroDivisionError

    def checked(*_: object) -> None:
        raise AssertionError("the leaves were verified")

    with monkeypatch.context() as patch:
        patch.setattr(joining, "check_joined_tree", checked)
        with pytest.raises(ZeroDivisionError):
            join(welcome, bundle, erin, inspect=refuse)
    assert seen == [(alice.extensions, 5, 0)]
    assert join(welcome, bundle, erin).members == alice.members


def test_a_group_wider_than_wanted_is_refused(circle: Circle) -> None:
    erin = Person("erin")
    welcome, bundle, alice = invited(circle, erin)
    with pytest.raises(RemoteError, match="more than 4 leaves"):
        join(welcome, bundle, erin, max_leaves=4)
    assert join(welcome, bundle, erin, max_leaves=8).members == alice.members


def test_a_message_says_whom_it_claims_to_be_from(circle: Circle) -> None:
    dave, alice = circle["dave"], circle["alice"]
    message = dave.protect(dave.sign_application(b"hello"))
    assert alice.claimed_sender(message) == dave.own_leaf_index
    # To ask uses up nothing.
    assert alice.unprotect(message).sender == dave.own_leaf_index
    with pytest.raises(RemoteError):
        alice.claimed_sender(dave.protect_public(dave.sign_proposal(Remove(0), wire_format=PUBLIC)))
    with pytest.raises(RemoteError):
        alice.claimed_sender(b"nonsense")
    circle.commit("bob")
    with pytest.raises(WrongEpoch):
        circle["alice"].claimed_sender(message)
