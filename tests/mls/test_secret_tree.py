"""Message keys: each once, late ones for a while, none for a guess (RFC 9420 §9)."""

import copy
import pickle

import pytest

from conclaved.mls import GoneError, RemoteError
from conclaved.mls.crypto import Crypto, crypto_for
from conclaved.mls.kem import Secret
from conclaved.mls.secret_tree import MAX_KEPT, MAX_SKIP, Ratchet, SecretTree
from tests.mls.cast import SUITE

CRYPTO = crypto_for(SUITE)


def ratchet() -> Ratchet:
    return Ratchet(CRYPTO, b"s" * 32)


def test_a_key_that_is_only_looked_at_stays() -> None:
    one = ratchet()
    assert one.peek(5) == one.peek(5)
    assert one.generation == 0


def test_late_messages_find_their_keys_and_each_only_once() -> None:
    receiver, sender = ratchet(), ratchet()
    keys = [sender.next() for _ in range(6)]
    for generation in (5, 0, 3, 1, 4, 2):
        found = receiver.peek(generation)
        assert (found.key, found.nonce) == (keys[generation].key, keys[generation].nonce)
        receiver.accept(found)
        with pytest.raises(GoneError):
            receiver.peek(generation)


def test_a_key_looked_at_twice_is_accepted_once() -> None:
    one = ratchet()
    first, second = one.peek(0), one.peek(0)
    one.accept(first)
    with pytest.raises(GoneError):
        one.accept(second)
    one.accept(one.peek(2))
    first, second = one.peek(1), one.peek(1)
    one.accept(first)
    with pytest.raises(GoneError):
        one.accept(second)


def test_a_generation_too_far_ahead_is_refused_and_changes_nothing() -> None:
    one = ratchet()
    with pytest.raises(RemoteError, match="too far"):
        one.peek(MAX_SKIP + 1)
    assert one.generation == 0
    one.peek(MAX_SKIP)


def test_forged_messages_far_ahead_cost_one_derivation_for_each_generation(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    derived: list[int] = []
    inner = Crypto.derive_tree_secret

    def counted(crypto: Crypto, secret: Secret, label: str, generation: int, length: int) -> bytes:
        derived.append(generation)
        return inner(crypto, secret, label, generation, length)

    monkeypatch.setattr(Crypto, "derive_tree_secret", counted)
    one = ratchet()
    one.peek(MAX_SKIP)
    assert len(derived) == MAX_SKIP + 2
    derived.clear()
    for _ in range(100):
        one.peek(MAX_SKIP)
        one.peek(MAX_SKIP - 1)
    assert len(derived) == 400
    one.accept(one.peek(3))
    one.accept(one.peek(1))
    assert one.peek(4).key == [ratchet().peek(i).key for i in range(5)][4]


def test_a_ratchet_that_has_moved_on_or_is_closed_holds_no_secret_of_before() -> None:
    one = ratchet()
    one.peek(10)
    secrets = list(one._ahead)
    one.accept(one.peek(4))
    assert [any(secret) for secret in secrets] == [False] * 5 + [True] * 6
    one.close()
    assert not any(any(secret) for secret in (*secrets, *one._ahead))


def test_only_so_many_late_keys_are_kept() -> None:
    one = ratchet()
    one.accept(one.peek(MAX_KEPT + 10))
    with pytest.raises(GoneError):
        one.peek(9)
    one.peek(10)


def test_the_order_in_which_leaves_are_derived_does_not_matter() -> None:
    def keys(order: list[int]) -> dict[int, bytes]:
        tree = SecretTree(CRYPTO, b"e" * 32, 8)
        return {leaf: tree.ratchet(leaf, is_handshake=True).peek(0).key for leaf in order}

    assert keys([0, 1, 2, 3, 4, 5, 6, 7]) == keys([6, 1, 7, 4, 0, 3, 5, 2])


def test_a_leaf_outside_the_tree_is_refused() -> None:
    tree = SecretTree(CRYPTO, b"e" * 32, 4)
    for leaf in (-1, 4):
        with pytest.raises(RemoteError):
            tree.ratchet(leaf, is_handshake=True)


def test_a_closed_tree_has_no_keys() -> None:
    tree = SecretTree(CRYPTO, b"e" * 32, 4)
    tree.ratchet(0, is_handshake=False)
    tree.close()
    tree.close()
    for leaf in range(4):
        with pytest.raises(GoneError):
            tree.ratchet(leaf, is_handshake=False)


def test_a_secret_tree_is_neither_copied_nor_pickled() -> None:
    tree = SecretTree(CRYPTO, b"e" * 32, 4)
    for copying in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(TypeError):
            copying(tree)
