"""Errors of the way to the conference service."""


class ConferenceError(Exception):
    """Root of the room's errors; `hint` says what to do next."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class ProtocolError(ConferenceError):
    """The other side sent what the protocol does not allow."""


class UnreachableError(ConferenceError):
    """The service cannot be reached, or is not who it should be."""


class ServiceTimeoutError(ConferenceError):
    """The service did not answer in time."""


class RefusedError(ConferenceError):
    """The service understood what was asked for, and does not give it now."""


class NotFoundError(ConferenceError):
    """The service does not have what was asked for."""
