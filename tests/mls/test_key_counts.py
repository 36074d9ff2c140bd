"""Counts of keys: values that share, and agree with a plain count whatever happened before."""

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from conclaved.mls.key_counts import MOST_CHANGES, KeyCounts

KEYS = [bytes([number]) for number in range(6)]
CHANGES = st.dictionaries(st.sampled_from(KEYS), st.integers(0, 2), max_size=4)


@given(st.lists(st.sampled_from(KEYS)), st.lists(CHANGES, max_size=30))
@settings(deadline=None)
def test_it_counts_as_a_plain_counter_does(keys: list[bytes], steps: list[dict[bytes, int]]) -> None:
    counts, plain = KeyCounts.of(keys), Counter(keys)
    for step in steps:
        # To that count, from whatever it is.
        differences = {key: wanted - plain[key] for key, wanted in step.items()}
        before, was = counts, dict(plain)
        counts = counts.changed(differences)
        plain.update(differences)
        assert {key: counts[key] for key in KEYS} == {key: plain[key] for key in KEYS}
        assert {key: before[key] for key in KEYS} == {key: was.get(key, 0) for key in KEYS}
        assert sorted(counts.values()) == sorted(count for count in plain.values() if count)
        assert counts == KeyCounts.of(plain.elements())


def test_many_changes_are_merged_and_one_that_is_undone_leaves_nothing() -> None:
    counts = KeyCounts.of([b"a"])
    for number in range(3 * MOST_CHANGES):
        counts = counts.changed({number.to_bytes(4, "big"): 1})
    for number in range(3 * MOST_CHANGES):
        counts = counts.changed({number.to_bytes(4, "big"): -1})
    assert list(counts) == [b"a"]
    assert counts == KeyCounts.of([b"a"])
    assert counts != KeyCounts.of([b"a", b"a"])
