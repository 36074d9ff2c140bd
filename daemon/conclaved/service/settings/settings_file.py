"""The admin's settings on the disk: the present document and the one before, for rollback."""

import tomllib
from dataclasses import dataclass
from pathlib import Path

from conclaved.identity.atomic_file import write_atomically
from conclaved.service.config import ConfigError
from conclaved.service.settings.document import CONTENTS, Settings, parse
from conclaved.service.settings.errors import SettingsError

PRESENT, PREVIOUS = "settings.toml", "settings.previous.toml"
_HEAD = "# Written by conclaved; change it with conclavectl config. It may hold secrets.\n"
_GENERATION = "generation"


@dataclass(frozen=True, slots=True)
class SettingsFile:
    """The state directory. Both files are 0600: CAs give keys to bind accounts with."""

    folder: Path

    def load(self) -> tuple[Settings, int]:
        """The present settings and how often they were changed; none and 0 where there is no file.

        Raises ConfigError. A file that cannot be understood is never taken for an empty one: blocks and
        rules would silently be lifted.
        """
        return self._load(self.folder / PRESENT) or (Settings(), 0)

    def previous(self) -> Settings | None:
        """The settings before the present ones; None if there were none. Raises ConfigError."""
        found = self._load(self.folder / PREVIOUS)
        return None if found is None else found[0]

    def save(self, settings: Settings, generation: int, before: Settings) -> None:
        """Make `settings` the present ones, and `before` the previous. Raises OSError.

        A power cut leaves either present document, and one that the device had for the previous.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        self.lay_out(settings)
        self._write(PREVIOUS, before, generation - 1)
        self._write(PRESENT, settings, generation)
        kept = {*settings.files(self.folder), *before.files(self.folder)}
        for path in (self.folder / CONTENTS).glob("*"):
            if path not in kept:
                path.unlink()

    def lay_out(self, settings: Settings) -> None:
        """Write the files whose content is a setting's value, where they are missing. Raises OSError."""
        for path, content in settings.files(self.folder).items():
            path.parent.mkdir(mode=0o700, exist_ok=True)
            if not path.exists():
                write_atomically(path, content.encode(), mode=0o600)

    def _write(self, name: str, settings: Settings, generation: int) -> None:
        text = f"{_HEAD}{_GENERATION} = {generation}\n\n{settings.document(with_secrets=True)}"
        write_atomically(self.folder / name, text.encode(), mode=0o600)

    def _load(self, path: Path) -> tuple[Settings, int] | None:
        try:
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            raise _damaged(path, error) from error
        lines = text.splitlines(keepends=True)
        marks = [line for line in lines if line.startswith(f"{_GENERATION} = ")]
        try:
            generation = tomllib.loads(marks[0]).get(_GENERATION) if marks else 0
            settings = parse("".join(line for line in lines if line not in marks[:1]))
        except (SettingsError, tomllib.TOMLDecodeError) as error:
            raise _damaged(path, error) from error
        return settings, generation if isinstance(generation, int) else 0


def _damaged(path: Path, error: Exception) -> ConfigError:
    # Not the parser's own words alone: the daemon does not start, and somebody has to find the file.
    words = error.strerror if isinstance(error, OSError) else str(error)
    return SettingsError(
        f"{path} cannot be used: {words}", hint=f"restore it, for example from {PREVIOUS} beside it"
    )
