"""Errors of the meeting: ours, another's, and things that are gone."""


class MeetingError(Exception):
    """Root of the room's errors; `hint` says to a person what to do next."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class LocalError(MeetingError):
    """Our caller asked for what cannot be done now."""


class RemoteError(MeetingError):
    """Somebody else, the service included, broke a rule. `rule` names it."""

    def __init__(self, message: str, *, rule: str = "", hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.rule = rule


class InvitationError(RemoteError):
    """An invitation or its link is malformed, forged, expired, or not for us."""


class PolicyError(InvitationError):
    """The invitation may be good, but this device's own rules do not let it follow it."""


class AdmissionError(RemoteError):
    """An admission does not lead back to the invitation."""


class GroupRuleError(RemoteError):
    """A commit breaks a group rule (DESIGN §4): it is invalid for everybody."""


class SealError(RemoteError):
    """A sealed message was not made with the meeting's link."""
