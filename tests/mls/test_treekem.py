"""TreeKEM where the official vectors do not reach: a tree that nobody honest has made."""

import pytest

from conclaved.mls import RemoteError, Remove
from conclaved.mls.crypto import crypto_for
from conclaved.mls.proposal_list import ResolvedProposal, apply_proposals
from conclaved.mls.ratchet_tree import ParentNode
from conclaved.mls.treekem import encrypt_path, new_path
from tests.mls.cast import SUITE, Circle

CRYPTO = crypto_for(SUITE)


def test_a_node_that_nothing_can_be_sealed_to_is_named_and_is_gone_with_one_below_it() -> None:
    tree = Circle("alice", "bob", "carol", "dave")["alice"]._state.tree
    alice, dave = tree.leaf(0), tree.leaf(3)
    assert alice is not None
    assert dave is not None
    editor = tree.edit()
    editor.set_path(3, dave, {1: ParentNode(b"no key", b"", ())})
    tree = editor.freeze()
    with pytest.raises(RemoteError, match="node 5"):
        encrypt_path(CRYPTO, new_path(CRYPTO, tree, 0, lambda *_: alice), b"context")
    without = apply_proposals(tree, (), [ResolvedProposal(Remove(3), 0, False, b"")]).tree
    encrypt_path(CRYPTO, new_path(CRYPTO, without, 0, lambda *_: alice), b"context")
