"""What can be wrong with a document of settings."""

from conclaved.service.config import ConfigError


class SettingsError(ConfigError):
    """A document, or one value, that is refused as a whole.

    The message is one line that names the key, the value (never a secret one) and what is allowed.
    """

    def __init__(self, message: str, *, hint: str = "see: conclavectl config schema") -> None:
        super().__init__(message)
        self.hint = hint
