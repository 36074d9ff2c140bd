"""Bytes from anyone: whatever arrives, the answer is a typed error and an unchanged group."""

import gc
import tracemalloc
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conclaved.mls import (
    AcceptAny,
    Add,
    Extension,
    Group,
    KeyPackage,
    KeyPackageBundle,
    LeafNode,
    MlsError,
    MlsMessage,
    PreSharedKeyID,
    RemoteError,
    SoftwareSigner,
    WireFormat,
)
from conclaved.mls.crypto import crypto_for
from conclaved.mls.group_info import GroupInfo
from conclaved.mls.psk import psk_secret
from conclaved.mls.ratchet_tree import RatchetTree, Summary
from tests.mls.cast import PRIVATE_USE, SUITE, Circle, Person, fingerprint, received

FEW = settings(
    max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


@pytest.fixture(scope="module")
def circle() -> Circle:
    return Circle("alice", "bob", "carol", "dave")


@pytest.fixture(scope="module")
def messages(circle: Circle) -> list[bytes]:
    """One of each kind that bob can send, none of which alice has seen."""
    bob = circle["bob"]
    public = WireFormat.PUBLIC_MESSAGE
    newcomer = Person("erin").bundle().key_package
    commit = bob.commit(by_value=[Add(newcomer)], wire_format=public)
    return [
        bob.protect(bob.sign_application(b"words")),
        bob.protect(bob.sign_proposal(Add(newcomer))),
        bob.protect_public(bob.sign_proposal(Add(newcomer), wire_format=public)),
        bob.protect_public(commit.content),
        bob.protect(bob.commit().content),
    ]


@given(data=st.binary(max_size=300))
@FEW
def test_random_bytes_are_no_message(circle: Circle, data: bytes) -> None:
    with pytest.raises(RemoteError):
        circle["alice"].unprotect(data)


@given(choice=st.data())
@FEW
def test_a_damaged_message_is_refused(circle: Circle, messages: list[bytes], choice: st.DataObject) -> None:
    message = choice.draw(st.sampled_from(messages))
    at = choice.draw(st.integers(0, len(message) - 1))
    insert = choice.draw(st.binary(max_size=4))
    cut = choice.draw(st.integers(0, 4))
    damaged = message[:at] + insert + message[at + cut :]
    alice = circle["alice"]
    before = fingerprint(alice)
    if damaged == message:
        return
    with pytest.raises(RemoteError):
        alice.unprotect(damaged)
    assert fingerprint(alice) == before


@given(choice=st.data())
@FEW
def test_a_damaged_tree_is_refused_or_another_tree(circle: Circle, choice: st.DataObject) -> None:
    tree = circle["alice"].ratchet_tree
    at = choice.draw(st.integers(0, len(tree) - 1))
    damaged = tree[:at] + choice.draw(st.binary(max_size=3)) + tree[at + choice.draw(st.integers(0, 3)) :]
    try:
        assert RatchetTree.decode(damaged).encode() == damaged
    except MlsError as error:
        assert isinstance(error, RemoteError)


@given(choice=st.data())
@FEW
def test_a_damaged_key_package_adds_nobody(circle: Circle, choice: st.DataObject) -> None:
    package = PACKAGE.key_package.encode()
    at = choice.draw(st.integers(0, len(package) - 1))
    damaged = bytearray(package)
    damaged[at] ^= choice.draw(st.integers(1, 255))
    with pytest.raises(RemoteError):
        circle["alice"].commit(by_value=[Add(KeyPackage.decode(bytes(damaged)))])


PACKAGE = Person("erin").bundle(extensions=[Extension(PRIVATE_USE, b"data")])


def welcome_for_erin() -> tuple[bytes, KeyPackageBundle, SoftwareSigner]:
    circle, erin = Circle("alice", "bob"), Person("erin")
    bundle = erin.bundle()
    pending = circle["alice"].commit(by_value=[Add(received(bundle))])
    assert pending.welcome is not None
    return pending.welcome, bundle, erin.signer


WELCOME = welcome_for_erin()


@given(choice=st.data())
@FEW
def test_a_damaged_welcome_lets_nobody_in(choice: st.DataObject) -> None:
    welcome, bundle, signer = WELCOME
    at = choice.draw(st.integers(0, len(welcome) - 1))
    damaged = (
        welcome[:at] + choice.draw(st.binary(max_size=3)) + welcome[at + choice.draw(st.integers(0, 3)) :]
    )
    if damaged == welcome:
        return
    with pytest.raises(RemoteError):
        Group.join(damaged, bundle, signer, auth=AcceptAny())


@given(data=st.binary(max_size=200), wire_format=st.sampled_from(WireFormat))
@FEW
def test_random_content_of_any_kind_is_read_or_refused(data: bytes, wire_format: WireFormat) -> None:
    message = b"\x00\x01" + wire_format.to_bytes(2, "big") + data
    try:
        assert MlsMessage.decode(message).encode() == message
    except MlsError as error:
        assert isinstance(error, RemoteError)


def test_a_group_in_its_last_epoch_is_not_joined_from_outside(circle: Circle) -> None:
    alice, erin = circle["alice"], Person("erin")
    info = MlsMessage.decode(alice.group_info(allow_external=True)).content
    assert isinstance(info, GroupInfo)
    last = replace(info, group_context=replace(info.group_context, epoch=2**64 - 1))
    forged = MlsMessage(last.sign(crypto_for(SUITE), circle.people["alice"].signer)).encode()
    with pytest.raises(RemoteError, match="no epoch left"):
        Group.join_externally(forged, erin.signer, erin.credential, auth=AcceptAny())


def test_more_psks_than_can_be_numbered_are_refused() -> None:
    identifier = PreSharedKeyID.external(SUITE, b"psk")
    with pytest.raises(RemoteError, match="numbered"):
        psk_secret(crypto_for(SUITE), [(identifier, b"secret")] * 0x10000)


def test_long_capabilities_are_forgotten_with_the_message_that_brought_them() -> None:
    def read(number: int) -> None:
        many = (*range(0x1000, 0x1000 + 20_000), number)
        leaf = replace(base, capabilities=replace(base.capabilities, extensions=many))
        Summary.of_leaf(LeafNode.decode(leaf.encode()))

    base = Person("someone").bundle().key_package.leaf_node
    read(0)
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for number in range(1, 20):
        read(number)
    gc.collect()
    after = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert after - before < 100_000
