"""How far an enrollment is, for people."""

from dataclasses import dataclass
from enum import Enum


class Step(Enum):
    """Where an enrollment is."""

    ACCOUNT = "account"
    ORDER = "order"
    CHALLENGE = "challenge"
    VALIDATION = "validation"
    ISSUANCE = "issuance"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class Progress:
    """One step of an enrollment, for people."""

    step: Step
    """Which."""
    text: str
    """One line."""
