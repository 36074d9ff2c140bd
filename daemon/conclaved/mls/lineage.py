"""A new group that continues an old one: reinitialisation and subgroups (RFC 9420 §11.2, §11.3).

The tie is the old group's resumption PSK, in the Commit that makes the new group's epoch 1. That all old
members are in the new group (or, in a subgroup, all new ones in the old) is for the application to see:
only it knows which credentials stand for the same client.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from conclaved.mls.crypto import CipherSuite, crypto_for
from conclaved.mls.errors import RemoteError
from conclaved.mls.group_context import GroupContext
from conclaved.mls.proposal import ReInit
from conclaved.mls.psk import PreSharedKeyID, PskType, ResumptionPskUsage


@dataclass(frozen=True, slots=True)
class Lineage:
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


def check_continues(lineage: Lineage, context: GroupContext) -> None:
    """RemoteError unless a new group's context is what its old group asks for (§11.2, §11.3)."""
    if lineage.reinit is None:
        if context.cipher_suite != lineage.suite:
            raise RemoteError("a subgroup with another cipher suite", rule="RFC 9420 §11.3")
        return
    asked = lineage.reinit
    given = (context.group_id, context.cipher_suite, context.extensions)
    if given != (asked.group_id, asked.cipher_suite, asked.extensions):
        raise RemoteError("the group is not what the ReInit asks for", rule="RFC 9420 §11.2")


def check_ties(psks: Sequence[PreSharedKeyID], lineage: Lineage | None, context: GroupContext) -> None:
    """§12.4.3.1: prevents a Welcome from claiming a descent that is not there, or hiding one."""
    rule, ties = "RFC 9420 §12.4.3.1", [psk for psk in psks if is_tie(psk)]
    if not ties and lineage is None:
        return
    if len(ties) != 1 or lineage is None:
        raise RemoteError("the Welcome and this client do not agree on an old group", rule=rule)
    tie = ties[0]
    if (tie.usage, tie.group_id, tie.epoch) != (lineage.usage, lineage.group_id, lineage.epoch):
        raise RemoteError("the Welcome continues another group or epoch", rule=rule)
    if context.epoch != 1:
        raise RemoteError("a group that continues another one is joined in epoch 1", rule=rule)
    check_continues(lineage, context)
