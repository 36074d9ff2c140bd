"""Why a provisioning file is not applied."""

from enum import Enum


class ProvisioningErrorKind(Enum):
    """What is wrong with it, for programs and for tests."""

    NOT_GENUINE = "not genuine"
    """It was changed, is damaged, or is something else."""
    UNKNOWN_SIGNER = "unknown signer"
    OTHER_DEVICE = "other device"
    EXPIRED = "expired"
    NOT_YET = "not yet"
    REPLAYED = "replayed"
    UNREACHABLE = "unreachable"


class ProvisioningError(Exception):
    """A file that is refused, or cannot be had. The message holds nothing of its settings."""

    def __init__(self, kind: ProvisioningErrorKind, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.kind = kind
        self.hint = hint
