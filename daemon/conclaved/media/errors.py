"""Errors of the media path: *local* and *gone*. What peers and hardware do wrong is counted."""


class MediaError(Exception):
    """Root of all media errors; `hint` says what to do next."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class MediaUsageError(MediaError):
    """Our caller broke a rule (local)."""


class MediaUnavailableError(MediaError):
    """There is no way to the media relay (gone)."""
