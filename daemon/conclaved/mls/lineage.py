"""A new group that continues an old one: reinitialisation and subgroups (RFC 9420 §11.2, §11.3).

The tie is the old group's resumption PSK, in the Commit that makes the new group's epoch 1. That all old
members are in the new group (or, in a subgroup, all new ones in the old) is for the application to see:
only it knows which credentials stand for the same client. The rules are in `validation`.
"""

from dataclasses import dataclass, field

from conclaved.mls.crypto import CipherSuite, crypto_for
from conclaved.mls.proposal import ReInit
from conclaved.mls.psk import PreSharedKeyID, PskType, ResumptionPskUsage
from conclaved.mls.single_owner import NotCopied


@dataclass(frozen=True, slots=True)
class Lineage(NotCopied):
    """What a new group takes from the old one. `reinit` is None for a subgroup."""

    suite: CipherSuite
    group_id: bytes
    epoch: int
    reinit: ReInit | None
    resumption_psk: bytes = field(repr=False)

    @property
    def usage(self) -> ResumptionPskUsage:
        return ResumptionPskUsage.BRANCH if self.reinit is None else ResumptionPskUsage.REINIT

    def identifier(self, suite: CipherSuite) -> PreSharedKeyID:
        """The PSK's id with a fresh nonce, for a new group of that suite."""
        nonce = crypto_for(suite).random(crypto_for(suite).hash_size)
        return PreSharedKeyID(PskType.RESUMPTION, b"", self.usage, self.group_id, self.epoch, nonce)


def is_tie(psk: PreSharedKeyID) -> bool:
    """Whether a PSK ties a group to an old one, and is not an ordinary one."""
    return psk.psk_type is PskType.RESUMPTION and psk.usage is not ResumptionPskUsage.APPLICATION
