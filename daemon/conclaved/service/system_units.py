"""Asks systemd for the few units that do as root what the daemon may not, over the system bus alone.

polkit lets the daemon's user start exactly these (systemd/polkit/50-conclave.rules). A unit that fails at
once is told from one that works: its job is followed until it is gone, for as long as `WITHIN_S`.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from enum import Enum

from conclaved.bus.connection import Connection
from conclaved.bus.errors import BusError, BusRefusedError

log = logging.getLogger(__name__)

SYSTEMD = "org.freedesktop.systemd1"
MANAGER_PATH = "/org/freedesktop/systemd1"
MANAGER = SYSTEMD + ".Manager"
UNIT = SYSTEMD + ".Unit"
PROPERTIES = "org.freedesktop.DBus.Properties"
WITHIN_S = 5.0
LOOK_EVERY_S = 0.25
REBOOT_WITHIN_S = 0.5
"""The end of that unit's job, after a second, is the end of this daemon: who asked is answered before."""

_ABSENT = frozenset(
    f"org.freedesktop.DBus.Error.{name}"
    for name in ("ServiceUnknown", "NameHasNoOwner", "Spawn.ServiceNotFound", "Disconnected")
)
_REFUSED = frozenset(
    f"org.freedesktop.DBus.Error.{name}"
    for name in ("AccessDenied", "InteractiveAuthorizationRequired", "AuthFailed")
)


class SystemUnit(Enum):
    """What may be asked for."""

    REBOOT = "conclave-reboot.service"
    FACTORY_RESET = "conclave-factory-reset.service"
    UPDATE = "conclave-update.service"


class SystemUnitError(Exception):
    """A unit was not started; `hint` says what to do next."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class NoSystemdError(SystemUnitError):
    """No systemd is on the bus, or no bus."""


class UnitRefusedError(SystemUnitError):
    """polkit or the bus does not let us."""


class UnitFailedError(SystemUnitError):
    """systemd does not know the unit, or it failed."""


async def start(
    unit: SystemUnit,
    *,
    address: str | None = None,
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> None:
    """Have systemd start `unit`; return when it has, or is still at it after `WITHIN_S`, a reboot's sooner.

    `address` is that of the bus; None: the system bus. Raises SystemUnitError.
    """
    try:
        connection = await Connection.open(address)
    except BusError as error:
        raise NoSystemdError(f"systemd cannot be asked: {error}", hint=error.hint) from error
    try:
        (job,) = await connection.call(
            SYSTEMD, MANAGER_PATH, MANAGER, "StartUnit", "ss", [unit.value, "replace"]
        )
        within_s = REBOOT_WITHIN_S if unit is SystemUnit.REBOOT else WITHIN_S
        for _ in range(round(within_s / LOOK_EVERY_S)):
            if not await _is_there(connection, job):
                break
            await pause(LOOK_EVERY_S)
        else:
            return
        (path,) = await connection.call(SYSTEMD, MANAGER_PATH, MANAGER, "LoadUnit", "s", [unit.value])
        (state,) = await connection.call(SYSTEMD, path, PROPERTIES, "Get", "ss", [UNIT, "ActiveState"])
    except BusRefusedError as error:
        raise _meaning(unit, error) from error
    except BusError as error:
        raise NoSystemdError(f"systemd does not answer: {error}", hint="see: conclavectl logs") from error
    finally:
        await connection.close()
    if state == "failed":
        raise UnitFailedError(f"{unit.value} failed", hint="see: conclavectl logs")


async def is_active(unit: SystemUnit, *, address: str | None = None) -> bool:
    """Whether `unit` runs, or is about to. `address` as for `start`. Raises SystemUnitError."""
    try:
        connection = await Connection.open(address)
    except BusError as error:
        raise NoSystemdError(f"systemd cannot be asked: {error}", hint=error.hint) from error
    try:
        (path,) = await connection.call(SYSTEMD, MANAGER_PATH, MANAGER, "LoadUnit", "s", [unit.value])
        (state,) = await connection.call(SYSTEMD, path, PROPERTIES, "Get", "ss", [UNIT, "ActiveState"])
    except BusRefusedError as error:
        raise _meaning(unit, error) from error
    except BusError as error:
        raise NoSystemdError(f"systemd does not answer: {error}", hint="see: conclavectl logs") from error
    finally:
        await connection.close()
    return state in ("active", "activating", "reloading", "deactivating")


async def _is_there(connection: Connection, job: str) -> bool:
    """Whether a job runs still: systemd forgets its object with it."""
    try:
        await connection.call(SYSTEMD, job, PROPERTIES, "Get", "ss", [SYSTEMD + ".Job", "State"])
    except BusRefusedError:
        return False
    return True


def _meaning(unit: SystemUnit, error: BusRefusedError) -> SystemUnitError:
    if error.name in _ABSENT:
        return NoSystemdError("there is no systemd here to ask", hint="do it by hand")
    if error.name in _REFUSED or error.name.startswith("org.freedesktop.PolicyKit1.Error."):
        return UnitRefusedError(
            f"systemd does not let this daemon start {unit.value}",
            hint="is the polkit rule 50-conclave.rules installed, and is polkit running?",
        )
    return UnitFailedError(f"{unit.value} was not started: {error}", hint="see: conclavectl logs")
