"""`systemctl reload`: the device maker's configuration, `hal.toml` and the settings are read anew.

All of it is checked before any of it counts: a wrong file changes nothing, and is said until a right one is
read. What can change at once does, and a meeting that runs goes on under what it began with. What needs a
restart is named.
"""

import logging
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path

from conclave_hal import config as hal_config
from conclave_hal.errors import HalError
from conclave_provisioning.enrollment import EnrollmentError
from conclaved.service.config import Config, ConfigError, load
from conclaved.service.configuring import Configuring
from conclaved.service.events import EVENT_ATTRIBUTE, Event

log = logging.getLogger(__name__)

AT_ONCE = frozenset(
    {
        "join_countdown_s",
        "acme",
        "access",
        "provider",
        "provisioning",
        "service_ca",
        "panel_language",
        "conference_service",
        "meeting_limits",
        "carrier_limits",
    }
)
"""Fields of `Config` that are looked at whenever they are needed. All others are at the start."""
BY_ADMINS = frozenset({"identity_domain", "identity_method"})
"""Fields that no file of the device maker's gives."""
HAL = "hal.toml"


class Reloading:
    """One event loop owns it."""

    def __init__(self, device: Config, configuring: Configuring, changed: Callable[[], None]) -> None:
        """`device` is the device maker's configuration at the start; `changed` when `problems` are others."""
        self._device = device
        self._configuring = configuring
        self._changed = changed
        self._hal = _text(device.hal)
        self._refusal = ""
        self._waiting: tuple[str, ...] = ()

    @property
    def problems(self) -> tuple[str, ...]:
        """What an admin should see to."""
        found = []
        if self._refusal:
            found.append(f"what was read anew is not in force: {self._refusal}: systemctl reload conclaved")
        if self._waiting:
            found.append(f"a restart puts into force: {', '.join(self._waiting)}: conclavectl reboot")
        return tuple(found)

    def reload(self, path: Path) -> bool:
        """Read everything anew, the configuration from `path`. False: it is wrong, and nothing changed."""
        try:
            self._waiting = self._take(load(path))
        except (ConfigError, HalError, EnrollmentError, OSError) as error:
            self._refusal = " ".join(str(error).split())
            event = {EVENT_ATTRIBUTE: Event.CONFIGURATION_REFUSED}
            log.error(
                "the configuration is wrong, and the one before stays in force: %s",
                self._refusal,
                extra=event,
            )
            self._changed()
            return False
        self._refusal = ""
        log.info("the configuration was read anew")
        if self._waiting:
            log.warning("a restart is needed for: %s", ", ".join(self._waiting))
        self._changed()
        return True

    def _take(self, device: Config) -> tuple[str, ...]:
        names = [each.name for each in fields(Config) if each.name not in BY_ADMINS]
        others = [name for name in names if getattr(device, name) != getattr(self._device, name)]
        waiting = [name for name in others if name not in AT_ONCE]
        if _text(device.hal) != self._hal:
            # Its drivers are made and not opened: that is all of the check that its devices allow.
            hal_config.load(device.hal)
            waiting.append(HAL)
        now = {name: getattr(device, name) for name in others if name in AT_ONCE}
        self._configuring.reload(replace(self._device, **now))
        self._device = replace(self._device, **now)
        return tuple(waiting)


def _text(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        # Read again, and with words for what is wrong, by whoever needs it.
        return None
