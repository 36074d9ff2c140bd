"""The settings that a daemon starts with: the admin's last ones, and what stands in where they are damaged.

A daemon that did not start would leave its admins nothing to mend it with, in a room that nobody can log
into. One that took a damaged file for an empty one would lift blocks and rules without a word. So the
settings before the last change are in force then, else none are; and everybody is told, until an admin has
set something.
"""

import logging
from dataclasses import dataclass

from conclaved.service.config import Config, ConfigError
from conclaved.service.events import EVENT_ATTRIBUTE, Event
from conclaved.service.settings import Settings, SettingsFile

log = logging.getLogger(__name__)

MEND = "look at them with conclavectl config get, and set what is missing"


@dataclass(frozen=True, slots=True)
class KeptSettings:
    """What is in force at the start."""

    settings: Settings
    generation: int
    previous: Settings | None
    problem: str = ""
    """Why these, and not the admin's last; empty if they are."""


def kept_settings(file: SettingsFile, device: Config) -> KeptSettings:
    """Read the settings, and lay out the files that they consist of. Raises nothing for what is damaged."""
    before, of_before = _previous(file, device)
    problem = ""
    try:
        settings, generation = file.load()
        settings.over_config(device)
    except ConfigError as error:
        file.put_aside()
        log.error("%s", error, extra={EVENT_ATTRIBUTE: Event.SETTINGS_DAMAGED})
        settings, generation = before or Settings(), of_before + 1
        stands_in = "those before the last change are in force" if before else "none are: no block, no rule"
        problem = f"the room's settings cannot be read, and {stands_in}: {MEND}"
    try:
        file.lay_out(settings)
    except OSError as error:
        log.error("the settings cannot be laid out: %s", error)
        problem = problem or f"not all of the settings can be stored: {error.strerror}: conclavectl doctor"
    return KeptSettings(settings, generation, before, problem)


def _previous(file: SettingsFile, device: Config) -> tuple[Settings | None, int]:
    try:
        found = file.previous_with_generation()
        if found is not None:
            found[0].over_config(device)
            return found
    except ConfigError as error:
        log.warning("there is no way back to earlier settings: %s", error)
    return None, 0
