"""Which leaves make a benchmark's tree warm: the same for every stack, so that their costs compare."""

WARMING_COMMITS = 20


def warming_leaves(n: int) -> list[int]:
    """At most 20 of N leaves, in the order of their empty commits.

    Neither the founder (0) nor the receiver (N/2) nor the last, who is removed. `rust/stdio/src/bench.rs`
    and `ts/bench.js` choose alike: a linear congruential sequence.
    """
    chosen: list[int] = []
    state = 1
    while len(chosen) < min(WARMING_COMMITS, n - 3):
        state = (state * 1_103_515_245 + 12_345) & 0x7FFF_FFFF
        leaf = (state >> 8) % n
        if leaf not in (0, n // 2, n - 1, *chosen):
            chosen.append(leaf)
    return chosen
