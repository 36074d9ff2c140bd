"""How far an installation is: written by root, read by the daemon, in a file of /run."""

import json
from dataclasses import asdict, dataclass, replace
from enum import Enum
from pathlib import Path
from typing import Self

PROGRESS_FILE = Path("/run/conclave-update/progress.json")
LONGEST = 16 * 1024


class Stage(Enum):
    """Where an installation stands."""

    CHECKING = "checking"
    INSTALLING = "installing"
    INSTALLED = "installed"
    """The other slot has it, and is the next to start."""
    FAILED = "failed"
    UNKNOWN = "unknown"


class Refusal(Enum):
    """Why a bundle was not installed."""

    NOT_GENUINE = "not_genuine"
    """Not signed by who makes this device."""
    DAMAGED = "damaged"
    """No bundle, or not all of one."""
    WRONG_DEVICE = "wrong_device"
    TOO_OLD = "too_old"
    FAILED = "failed"
    """Anything else; the text has RAUC's words."""


@dataclass(frozen=True, slots=True)
class Progress:
    """One moment of an installation."""

    stage: Stage
    percent: int = 0
    step: str = ""
    """What is done now, in words."""
    version: str = ""
    """Of the bundle, once its signature was found good."""
    refusal: Refusal | None = None
    message: str = ""
    hint: str = ""
    next_version: str = ""
    """What the next start is of, by this update or an earlier one; empty: of what runs."""

    @property
    def has_ended(self) -> bool:
        """Whether nothing more comes."""
        return self.stage in (Stage.INSTALLED, Stage.FAILED)

    def save(self, place: Path) -> None:
        """Put it in `place` at once and as a whole, for everybody to read. Raises OSError."""
        words = asdict(replace(self, refusal=None)) | {
            "stage": self.stage.value,
            "refusal": self.refusal.value if self.refusal else None,
        }
        new = place.with_name(f"{place.name}.new")
        new.write_text(json.dumps(words))
        new.chmod(0o644)
        new.replace(place)

    @classmethod
    def load(cls, place: Path) -> Self | None:
        """What is in `place`; None where there is nothing, or nothing that can be read."""
        try:
            with place.open("rb") as file:
                words = json.loads(file.read(LONGEST))
            refusal = words["refusal"]
            return cls(
                stage=Stage(words["stage"]),
                percent=int(words["percent"]),
                step=str(words["step"]),
                version=str(words["version"]),
                refusal=None if refusal is None else Refusal(refusal),
                message=str(words["message"]),
                hint=str(words["hint"]),
                next_version=str(words["next_version"]),
            )
        except (OSError, ValueError, KeyError, TypeError):
            return None
