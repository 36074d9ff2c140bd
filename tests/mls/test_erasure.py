"""Secrets are gone when they have been used: nothing that lives on still reaches them (RFC 9420 §9.2)."""

import gc
from collections.abc import Iterator
from types import FunctionType, ModuleType

import pytest

from conclaved.mls import SoftwareSigner, Stage
from conclaved.mls.crypto import crypto_for
from conclaved.mls.kem import HpkePrivateKey
from conclaved.mls.secret_tree import SecretTree
from tests.mls.cast import SUITE, Circle

CRYPTO = crypto_for(SUITE)
_NOT_STATE = (type, ModuleType, FunctionType)


def reachable(start: object, without: type | tuple[type, ...] = ()) -> Iterator[object]:
    """Everything that an object holds, directly or not; code, modules and `without` are no part of it."""
    seen, waiting = {id(start)}, [start]
    while waiting:
        each = waiting.pop()
        yield each
        for held in gc.get_referents(each):
            if id(held) not in seen and not isinstance(held, _NOT_STATE) and not isinstance(held, without):
                seen.add(id(held))
                waiting.append(held)


def secrets_in(start: object) -> set[bytes]:
    return {bytes(each) for each in reachable(start) if isinstance(each, bytes | bytearray)}


def child(secret: bytes, side: bytes) -> bytes:
    return CRYPTO.expand_with_label(secret, "tree", side, CRYPTO.hash_size)


def test_a_secret_tree_forgets_each_node_as_its_children_are_derived() -> None:
    root = bytes(range(32))
    tree = SecretTree(CRYPTO, root, 4)
    assert root in secrets_in(tree)

    tree.ratchet(0, is_handshake=False)

    left, right = child(root, b"left"), child(root, b"right")
    held = secrets_in(tree)
    assert held.isdisjoint({root, left, child(left, b"left")})
    assert {right, child(left, b"right")} <= held


@pytest.mark.parametrize("stage", [Stage.RETIRED, Stage.CLOSED])
def test_an_epoch_that_is_over_holds_no_private_key_and_no_exporter_secret(stage: Stage) -> None:
    circle = Circle("alice", "bob")
    old = circle["alice"]
    assert any(isinstance(each, HpkePrivateKey) for each in reachable(old))
    exporter = old.export("label", b"", 32)

    pending = old.commit()
    new = pending.merge()
    if stage is Stage.CLOSED:
        old.close()

    assert old.stage_of_life is stage
    assert not any(isinstance(each, HpkePrivateKey | SoftwareSigner) for each in reachable(old))
    assert new.export("label", b"", 32) != exporter
