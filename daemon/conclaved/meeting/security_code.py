"""The security code: what people compare across the table (DESIGN §4).

Thirty decimal digits, a function of the `epoch_authenticator` (RFC 9420 §8.7) of the code
epoch. Two groups that differ up to that epoch show different codes. Why thirty: someone in
the middle can vary both of the groups it plays between, so a match is a birthday search;
99.6 bits make that about 2^50 whole epochs within seconds.
"""

from dataclasses import dataclass, field

GROUPS = 6
DIGITS_PER_GROUP = 5
BYTES_PER_GROUP = 5


def security_code(epoch_authenticator: bytes) -> str:
    """Six groups of five digits, separated by spaces.

    `epoch_authenticator` is that of the code epoch, at least 30 bytes (RFC 9420 §8.7).
    Raises ValueError when it is shorter.
    """
    if len(epoch_authenticator) < GROUPS * BYTES_PER_GROUP:
        raise ValueError("an epoch_authenticator of at least 30 bytes is needed")
    groups = []
    for i in range(GROUPS):
        chunk = epoch_authenticator[i * BYTES_PER_GROUP : (i + 1) * BYTES_PER_GROUP]
        groups.append(f"{int.from_bytes(chunk, 'big') % 10**DIGITS_PER_GROUP:0{DIGITS_PER_GROUP}d}")
    return " ".join(groups)


@dataclass(frozen=True, slots=True)
class CodeEpoch:
    """The epoch whose code is shown: when and why it came, and with whom it has been compared."""

    code: str = field(default="", repr=False)
    """The security code."""
    epoch: int = 0
    time: int = 0
    """When this device entered it, Unix seconds."""
    reason: str = ""
    """Who joined, or whose certificate changed, in words."""
    compared: frozenset[int] = frozenset()
    """The leaves with whose people the code was compared. A leaf changes hands in a new code epoch only."""
