"""The admin's settings on the disk: the present document and the one before, for rollback."""

import contextlib
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

from conclaved.identity.atomic_file import write_atomically
from conclaved.service.config import ConfigError
from conclaved.service.settings.document import CONTENTS, Settings, parse
from conclaved.service.settings.errors import SettingsError

PRESENT, PREVIOUS = "settings.toml", "settings.previous.toml"
DAMAGED = "settings.damaged.toml"
_HEAD = "# Written by conclaved; change it with conclavectl config. It may hold secrets.\n"
_GENERATION = "generation"
_MARK = re.compile(rf"^({_GENERATION} = .*\n?)", re.MULTILINE)


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

    def previous_with_generation(self) -> tuple[Settings, int] | None:
        """The settings before the present ones, and how often they had been changed. Raises ConfigError."""
        return self._load(self.folder / PREVIOUS)

    def put_aside(self) -> None:
        """Keep a copy of a present document that is damaged: the next change writes over it."""
        with contextlib.suppress(OSError):
            write_atomically(self.folder / DAMAGED, (self.folder / PRESENT).read_bytes(), mode=0o600)

    def save(self, settings: Settings, generation: int, before: Settings) -> None:
        """Make `settings` the present ones, and `before` the previous. Raises OSError.

        A power cut leaves either present document, and one that the device had for the previous.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        self.lay_out(settings)
        self._write(PREVIOUS, before, generation - 1)
        self._write(PRESENT, settings, generation)
        kept = {*settings.files(self.folder), *before.files(self.folder)}
        # They are in force already: one that stays behind is removed after the next change.
        with contextlib.suppress(OSError):
            for path in (self.folder / CONTENTS).glob("*"):
                if path not in kept:
                    path.unlink()

    def refusal(self, settings: Settings) -> str:
        """Why `settings` could not be read again at the next start; empty if they can be.

        A daemon that does not start because of what it took is one that no admin reaches any more.
        """
        try:
            is_same = _parsed(_text(settings, 0))[0] == settings
        except SettingsError as error:
            return str(error)
        return "" if is_same else "they are others when they are read again"

    def lay_out(self, settings: Settings) -> None:
        """Write the files whose content is a setting's value, where they are missing. Raises OSError."""
        for path, content in settings.files(self.folder).items():
            path.parent.mkdir(mode=0o700, exist_ok=True)
            if not path.exists():
                write_atomically(path, content.encode(), mode=0o600)

    def _write(self, name: str, settings: Settings, generation: int) -> None:
        write_atomically(self.folder / name, _text(settings, generation).encode(), mode=0o600)

    def _load(self, path: Path) -> tuple[Settings, int] | None:
        try:
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            raise _damaged(path, error) from error
        try:
            return _parsed(text)
        except (SettingsError, tomllib.TOMLDecodeError) as error:
            raise _damaged(path, error) from error


def _text(settings: Settings, generation: int) -> str:
    return f"{_HEAD}{_GENERATION} = {generation}\n\n{settings.document(with_secrets=True)}"


def _parsed(text: str) -> tuple[Settings, int]:
    """What a file says. Raises SettingsError, TOMLDecodeError."""
    text = text.removeprefix(_HEAD)
    # The first line of this kind only: a text of the admin's may have one of the same words.
    before, mark, after = _MARK.split(text, maxsplit=1) if _MARK.search(text) else (text, "", "")
    generation = tomllib.loads(mark).get(_GENERATION, 0)
    return parse(before + after), generation if isinstance(generation, int) else 0


def _damaged(path: Path, error: Exception) -> ConfigError:
    # Not the parser's own words alone: somebody has to find the file.
    words = error.strerror if isinstance(error, OSError) else str(error)
    return SettingsError(
        f"{path} cannot be used: {words}", hint=f"restore it, for example from {PREVIOUS} beside it"
    )
