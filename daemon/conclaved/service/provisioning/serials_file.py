"""The last serial number that was applied, of each signer: kept for ever, beyond a factory reset too."""

import json
from dataclasses import dataclass
from pathlib import Path

from conclaved.identity.atomic_file import write_atomically
from conclaved.service.config import ConfigError

NAME = "provisioned.json"


@dataclass(frozen=True, slots=True)
class SerialsFile:
    """Nothing in it says who had the device before: a key's hash, and a number."""

    folder: Path

    @property
    def path(self) -> Path:
        """Where it lies."""
        return self.folder / NAME

    def last(self, signer: str) -> int | None:
        """The last serial of a signer; None if it never was. Raises ConfigError for a damaged file.

        A file that cannot be read is never taken for an empty one: every old stick would be good again.
        """
        return self._load().get(signer)

    def remember(self, signer: str, serial: int) -> None:
        """Keep a serial. Raises OSError, ConfigError."""
        known = {**self._load(), signer: serial}
        self.folder.mkdir(parents=True, exist_ok=True)
        write_atomically(self.path, json.dumps(known).encode())

    def _load(self) -> dict[str, int]:
        try:
            known = json.loads(self.path.read_text())
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            raise ConfigError(f"{self.path} cannot be used") from error
        if not isinstance(known, dict) or not all(type(serial) is int for serial in known.values()):
            raise ConfigError(f"{self.path} cannot be used")
        return known
