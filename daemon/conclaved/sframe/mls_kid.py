"""KIDs of an MLS group (RFC 9605 §5.2): context, sender's leaf index, low bits of the epoch.

     64-S-E bits   S bits   E bits
    | context id | index  | epoch |

E is 8. S counts the leaves of that epoch's ratchet tree *with blanks*, never the members: a
group of three members may have a member at leaf 5, and with two bits for it two members
would share a KID, hence keys and nonces. All members know the tree, so all agree.
"""

from dataclasses import dataclass

from conclaved.sframe.errors import SframeUsageError

EXPORTER_LABEL = "SFrame 1.0 Base Key"
"""Label of the MLS exporter for the base key; its context is empty and its length Nk."""
EPOCH_BITS = 8


@dataclass(frozen=True, slots=True)
class KidParts:
    """What a KID says."""

    context_id: int
    leaf_index: int
    epoch_bits: int
    """The epoch modulo 2^E."""


@dataclass(frozen=True, slots=True)
class KidLayout:
    """How the KIDs of one epoch are laid out."""

    sender_bits: int
    epoch_bits: int = EPOCH_BITS

    def __post_init__(self) -> None:
        if not (self.sender_bits >= 0 and self.epoch_bits >= 1 and self.sender_bits + self.epoch_bits <= 64):
            raise SframeUsageError("sender and epoch bits of a KID are at most 64 together")

    @classmethod
    def for_leaf_count(cls, leaf_count: int, epoch_bits: int = EPOCH_BITS) -> "KidLayout":
        """The layout for a tree of `leaf_count` leaves, blanks included: the fewest bits that number them."""
        if leaf_count < 1:
            raise SframeUsageError("a tree has at least one leaf")
        return cls((leaf_count - 1).bit_length(), epoch_bits)

    @property
    def max_context_id(self) -> int:
        """The largest context value that fits."""
        return (1 << (64 - self.sender_bits - self.epoch_bits)) - 1

    def kid(self, context_id: int, leaf_index: int, epoch: int) -> int:
        """The KID of a stream. Raises SframeUsageError when a part does not fit its bits."""
        if not 0 <= leaf_index < 1 << self.sender_bits:
            raise SframeUsageError(f"leaf {leaf_index} does not fit {self.sender_bits} bits")
        if not 0 <= context_id <= self.max_context_id or epoch < 0:
            raise SframeUsageError("context or epoch is out of range")
        return (
            (context_id << (self.sender_bits + self.epoch_bits))
            | (leaf_index << self.epoch_bits)
            | (epoch & ((1 << self.epoch_bits) - 1))
        )

    def split(self, kid: int) -> KidParts:
        """The parts of any 64-bit `kid` under this layout."""
        return KidParts(
            kid >> (self.sender_bits + self.epoch_bits),
            kid >> self.epoch_bits & ((1 << self.sender_bits) - 1),
            kid & ((1 << self.epoch_bits) - 1),
        )
