"""KIDs of an MLS group (RFC 9605 §5.2)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conclaved.sframe import KidLayout, KidParts, SframeUsageError

# The RFC's own figure: E=4, S=6.
FIGURE = [
    (0, 3, 14, 0x3E),
    (0, 7, 14, 0x7E),
    (0, 20, 14, 0x14E),
    (0, 3, 15, 0x3F),
    (0, 5, 15, 0x5F),
    (2, 2, 16, 0x820),
    (3, 2, 16, 0xC20),
    (0, 33, 17, 0x211),
    (0, 51, 17, 0x331),
]


@pytest.mark.parametrize(("context_id", "leaf", "epoch", "kid"), FIGURE)
def test_the_figure_of_the_rfc(context_id: int, leaf: int, epoch: int, kid: int) -> None:
    assert KidLayout(6, 4).kid(context_id, leaf, epoch) == kid


@pytest.mark.parametrize(("leaves", "bits"), [(1, 0), (2, 1), (3, 2), (4, 2), (5, 3), (64, 6), (65, 7)])
def test_sender_bits_are_the_fewest_that_number_the_leaves(leaves: int, bits: int) -> None:
    assert KidLayout.for_leaf_count(leaves).sender_bits == bits


def test_streams_of_a_sparse_tree_never_share_a_kid() -> None:
    layout = KidLayout.for_leaf_count(8)
    kids = {layout.kid(context, leaf, 300) for context in range(3) for leaf in (0, 5, 7)}
    assert len(kids) == 9


@given(st.integers(0, 20), st.integers(0, (1 << 64) - 1))
def test_every_kid_splits_into_parts_that_make_it_again(bits: int, kid: int) -> None:
    parts = KidLayout(bits).split(kid)
    assert KidLayout(bits).kid(parts.context_id, parts.leaf_index, parts.epoch_bits) == kid


def test_the_epoch_wraps_after_256() -> None:
    layout = KidLayout.for_leaf_count(4)
    assert layout.split(layout.kid(1, 2, 259)) == KidParts(1, 2, 3)


@pytest.mark.parametrize(
    ("context_id", "leaf", "epoch"), [(0, 4, 0), (0, -1, 0), (1 << 54, 0, 0), (-1, 0, 0), (0, 0, -1)]
)
def test_a_part_that_does_not_fit_is_refused(context_id: int, leaf: int, epoch: int) -> None:
    with pytest.raises(SframeUsageError):
        KidLayout.for_leaf_count(4).kid(context_id, leaf, epoch)


@pytest.mark.parametrize(("sender_bits", "epoch_bits"), [(-1, 8), (0, 0), (60, 8)])
def test_a_layout_beyond_64_bits_is_refused(sender_bits: int, epoch_bits: int) -> None:
    with pytest.raises(SframeUsageError):
        KidLayout(sender_bits, epoch_bits)


def test_a_tree_without_leaves_has_no_layout() -> None:
    with pytest.raises(SframeUsageError):
        KidLayout.for_leaf_count(0)
