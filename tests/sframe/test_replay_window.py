"""The replay window against a plain set."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conclaved.sframe.errors import SframeUsageError
from conclaved.sframe.replay_window import ReplayWindow

COUNTERS = st.lists(st.one_of(st.integers(0, 80), st.integers(0, (1 << 64) - 1)), max_size=60)


@given(COUNTERS, st.integers(1, 40))
def test_the_window_agrees_with_a_set_of_what_was_seen(counters: list[int], size: int) -> None:
    window, seen, newest = ReplayWindow(size), set[int](), -1
    for ctr in counters:
        expected = ctr not in seen and ctr > newest - size
        assert window.check(ctr) == expected
        if expected:
            window.commit(ctr)
            seen.add(ctr)
            newest = max(newest, ctr)


def test_committing_twice_is_our_mistake() -> None:
    window = ReplayWindow(8)
    window.commit(3)
    with pytest.raises(SframeUsageError):
        window.commit(3)
