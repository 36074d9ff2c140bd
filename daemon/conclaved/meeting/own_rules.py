"""Own rules: what this device demands, by its own anchors, clock and policy (DESIGN §4).

A commit that breaks one of these is valid all the same, for everybody; the device leaves, and
says why.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from conclaved.identity import Assurance
from conclaved.meeting.admission import Role
from conclaved.meeting.errors import PolicyError
from conclaved.meeting.invitation import Level, SignedInvitation
from conclaved.meeting.roster import Assess, Participant

HINT = "see: conclavectl policy show, conclavectl trust list"


@dataclass(frozen=True, slots=True)
class Objection:
    """Why a device does not want to stay."""

    reason: str
    """In words, for people."""
    key: bytes | None
    """The signature key of the participant who is minded; None: the meeting as such."""


@dataclass(frozen=True, slots=True)
class OwnRules:
    """The device's policy. It may be stricter than a meeting's level, never laxer."""

    minimum_level: Level = Level.STANDARD
    requires_verified: bool = False
    """Verified names only, in `standard` meetings too."""
    allows_service_ends: bool = True
    """Stay where a recorder, a transcriber... is in."""

    def check_invitation(self, invitation: SignedInvitation, assess: Assess) -> None:
        """Raise PolicyError unless the device may follow this invitation at all."""
        level = invitation.content.level
        if self.minimum_level is Level.LOCKED and level is not Level.LOCKED:
            raise PolicyError(
                f"this room joins locked meetings only, and this one is {level.value}",
                hint="see: conclavectl policy show",
            )
        verdict = assess(invitation.chain, invitation.signer_key)
        if verdict.assurance is Assurance.UNKNOWN:
            raise PolicyError(
                f"nobody this room trusts vouches for who signed the invitation: {verdict.reason}",
                hint="if you know the signer's CA: conclavectl trust add",
            )
        if self.requires_verified and verdict.assurance is not Assurance.VERIFIED:
            raise PolicyError(
                "this room's policy is verified names only, and the invitation is not by one",
                hint="see: conclavectl policy show",
            )
        if level is Level.LOCKED and verdict.assurance is not Assurance.VERIFIED:
            raise PolicyError(
                "the invitation to a locked meeting is not by a verified name",
                hint="ask for an invitation by a verified host",
            )

    @staticmethod
    def reason_not_to_enter(invitation: SignedInvitation, participants: Iterable[Participant]) -> str | None:
        """Why the device does not join this group at all, or None.

        A locked meeting is founded by a host: a group without one may be that of somebody who was
        thrown out, made with the service's help for those who come later.
        """
        has_host = any(participant.role is Role.HOST for participant in participants)
        if invitation.content.level is Level.LOCKED and not has_host:
            return "no host is in the locked meeting"
        return None

    def objection(
        self, invitation: SignedInvitation, participants: Iterable[Participant]
    ) -> Objection | None:
        """What the device minds about staying among these participants, or None."""
        is_locked = invitation.content.level is Level.LOCKED
        if self.minimum_level is Level.LOCKED and not is_locked:
            return Objection("this room's policy has become: locked meetings only", None)
        for participant in participants:
            reason = self._reason_to_mind(participant, is_locked=is_locked)
            if reason is not None:
                return Objection(reason, participant.signature_key)
        return None

    def _reason_to_mind(self, participant: Participant, *, is_locked: bool) -> str | None:
        name = participant.name
        if participant.assurance is not Assurance.VERIFIED:
            if is_locked:
                return f"{name} is in a locked meeting and is not verified: {participant.reason}"
            if self.requires_verified:
                return f"this room's policy is verified names only, and {name} is not: {participant.reason}"
        if participant.role is Role.SERVICE_END and not self.allows_service_ends and not participant.is_self:
            return f"this room's policy allows no service ends, and {name} is one"
        return None
