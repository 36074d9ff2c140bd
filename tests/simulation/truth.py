"""What the simulation knows: every epoch that anybody was in, and what people have decided.

Kept apart from the sessions, by what was seen at their edges, so that what they claim can be held
against it.
"""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class EpochTruth:
    """One epoch of one history of the group, as the first who entered it had it."""

    transcript: bytes
    """Its confirmed_transcript_hash: the name of the history."""
    epoch: int
    keys: dict[int, bytes]
    """The signature keys by leaf."""
    hosts: frozenset[int]
    base_key: bytes
    parent: bytes | None
    """The transcript of the epoch before, where the first who entered had been in that."""
    expected: frozenset[int]
    """The leaves that send beacons in it."""
    roster: tuple[tuple[int, bytes, int], ...]
    """(leaf, signature key, role)"""
    kicked: frozenset[bytes]
    label: str

    @property
    def members(self) -> frozenset[bytes]:
        """The signature keys on the roster."""
        return frozenset(self.keys.values())


@dataclass
class Truth:
    """See the file's head."""

    epochs: dict[bytes, EpochTruth] = field(default_factory=dict)
    by_base_key: dict[bytes, EpochTruth] = field(default_factory=dict)
    codes: dict[str, bytes] = field(default_factory=dict)
    """The transcript at the code epoch, for every code that was shown."""
    code_of: dict[bytes, str] = field(default_factory=dict)
    """The code that is shown under a transcript at the code epoch."""
    shown: dict[bytes, tuple[str, int]] = field(default_factory=dict)
    """Code and code epoch that were shown under a transcript."""
    kicked_by_hosts: set[bytes] = field(default_factory=set)
    """Keys that any host, honest or not, has thrown out."""
    denied: set[bytes] = field(default_factory=set)
    admitted: set[bytes] = field(default_factory=set)
    """Keys that a person let in from the lobby."""
    played_two_sides: bool = False
    """Whether service or member have shown two sides two things."""
    _labels: dict[int, int] = field(default_factory=dict)

    def label(self, epoch: int) -> str:
        """A short name of a history's epoch: its number, and a letter from the second history on."""
        number = self._labels[epoch] = self._labels.get(epoch, -1) + 1
        return f"{epoch}" if not number else f"{epoch}{chr(ord('a') + min(number, 25))}"
