"""What this device thinks of somebody's certificate chain, and whether a renewed one may take its place."""

from dataclasses import dataclass
from enum import Enum

from conclaved.identity.names import NameType


class Assurance(Enum):
    """How far a name is vouched for. It belongs to the anchor that vouches, never to the name."""

    VERIFIED = "verified"
    """By an anchor that the admin trusts for end-to-end identity."""
    PROVIDER = "provider"
    """By the conference provider's own CA: not verified, whatever the name."""
    UNKNOWN = "unknown"
    """By nobody this device trusts: not safe."""

    @property
    def rank(self) -> int:
        """Higher is better; UNKNOWN is 0."""
        return _RANKS[self]


_RANKS = {Assurance.UNKNOWN: 0, Assurance.PROVIDER: 1, Assurance.VERIFIED: 2}


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome of `TrustStore.assess`."""

    assurance: Assurance
    """How far `name` can be believed."""
    name_type: NameType | None
    """What kind of name the certificate claims; None if it claims none that is well-formed."""
    name: str
    """The claimed name, canonical (A-labels, lower case domain); "" if none. Only VERIFIED makes it true."""
    reason: str
    """Why, one line for people. It quotes nothing that a stranger wrote but a canonical name."""
    anchor: str
    """The label of the anchor that matched, or its key's fingerprint if it has none; "" if none matched."""
    not_after: int
    """When the certificate ends, Unix seconds; 0 if it could not be read."""


def check_successor(old: Verdict, new: Verdict) -> str | None:
    """Why ``new`` is no valid successor of ``old`` (RFC 9420 §5.3.1), one line; None if it is one.

    Prevents: a member that changes into somebody else, or into the same name under a weaker anchor, while
    the people in the meeting still believe the first name.
    """
    if new.name_type is None or old.name_type is None:
        return "the certificate names nobody"
    if new.name_type is not old.name_type:
        return f"the kind of name changed from {old.name_type.value} to {new.name_type.value}"
    if new.name != old.name:
        return f"the name changed from {old.name} to {new.name}"
    if new.assurance.rank < old.assurance.rank:
        return f"{new.name} fell from {old.assurance.value} to {new.assurance.value}: {new.reason}"
    return None
