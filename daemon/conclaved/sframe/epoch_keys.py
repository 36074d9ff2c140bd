"""What the media path is told about a new epoch of the group, in one value."""

from dataclasses import dataclass, field

from conclaved.sframe.errors import SframeUsageError


@dataclass(frozen=True, slots=True)
class EpochKeys:
    """One MLS epoch as media needs it. The caller drops its references once it has handed this over."""

    epoch: int
    base_key: bytes | bytearray = field(repr=False)
    """MLS-Exporter("SFrame 1.0 Base Key", "", Nk) (RFC 9605 §5.2). A bytearray is *moved*: the
    keyring overwrites it once it has its own copy."""
    leaf_count: int
    """Leaves of this epoch's ratchet tree, blanks included."""
    own_leaf: int
    """Our leaf index in this epoch."""
    members: frozenset[int]
    """Leaf indices of the members that may send in this epoch, and our own: frames of no other are opened."""
    removed: frozenset[int] = frozenset()
    """Leaf indices that the commit removed. One may be in `members` too: the same commit gave the
    leaf to somebody else, or back to its owner, who is a new sender with new keys either way."""

    def __post_init__(self) -> None:
        if self.epoch < 0 or not self.base_key:
            raise SframeUsageError("an epoch has a number and a base key")
        if self.own_leaf not in self.members:
            raise SframeUsageError("our own leaf is no member of the epoch")
        if any(not 0 <= leaf < self.leaf_count for leaf in self.members):
            raise SframeUsageError("a member's leaf is outside the tree")
