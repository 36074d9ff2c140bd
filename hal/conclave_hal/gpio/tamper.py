"""The driver `gpio` of the tamper contact: active while the case is open, and latched in a file.

The file has the time of the first opening and stays over a restart, so that pulling the plug forgets nothing.
A file that cannot be read counts as tripped. A case that is opened and closed while the device has no power
is not seen: that takes a contact with a battery, and another driver.
"""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Annotated

from conclave_hal.device import AnyDevice, Health
from conclave_hal.drivers import Driver, Slot
from conclave_hal.errors import ConfigurationError, DeviceError
from conclave_hal.gpio.contact import Contact, ContactOptions
from conclave_hal.gpio.lines import load_gpiod
from conclave_hal.options import Option, file_path
from conclave_hal.switches import Tamper, TamperState, TamperStatus

MAX_FILE_BYTES = 64
UNREADABLE = 1
"""When it tripped, where the file does not say: 1970."""


@dataclass(frozen=True, slots=True)
class TamperOptions(ContactOptions):
    """Options of the tamper contact."""

    latch: Annotated[
        Path | None, Option(file_path(), "a file that remembers over restarts that the case was opened")
    ] = None


class GpioTamper(Contact[TamperState], Tamper):
    """A contact that opens with the case."""

    def __init__(
        self,
        options: TamperOptions,
        *,
        load: Callable[[], ModuleType] = load_gpiod,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
        wall: Callable[[], float] = time.time,
    ) -> None:
        """`wall` gives seconds since 1970."""
        super().__init__(options, load=load, pause=pause)
        self._latch = options.latch
        self._wall = wall
        self._tripped_at = 0
        self._is_open_now = False
        self._problem = ""
        """Why the latch holds only until the next start."""

    async def open(self) -> None:
        """Read the latch. Raises ConfigurationError without gpiod 2."""
        await super().open()
        self._tripped_at = 0 if self._latch is None else _read(self._latch)

    async def clear(self) -> None:
        """Forget that it tripped. Raises DeviceError while the case is open, or nobody can say."""
        if self._state.health is not Health.READY:
            raise DeviceError("nobody can say whether the case is closed", hint=self._state.reason)
        if self._is_open_now:
            raise DeviceError("the case is still open", hint="close the case, then clear it again")
        if self._latch is not None:
            try:
                self._latch.unlink(missing_ok=True)
            except OSError as error:
                raise DeviceError(f"{self._latch} cannot be removed: {error.strerror}") from error
        self._tripped_at = 0
        self._problem = ""
        await self._is(is_active=False)

    async def _is(self, *, is_active: bool) -> None:
        self._is_open_now = is_active
        if is_active and not self._tripped_at:
            self._tripped_at = max(UNREADABLE, int(self._wall()))
            self._problem = self._remember()
        status = TamperStatus.TRIPPED if self._tripped_at else TamperStatus.INTACT
        shown = TamperState(Health.READY, self._problem, status, self._tripped_at)
        if shown != self._state:
            await self._publish(shown)

    def _remember(self) -> str:
        """Write the latch; why that did not work, or nothing."""
        if self._latch is None:
            return ""
        try:
            _write(self._latch, f"{self._tripped_at}\n")
        except OSError as error:
            return f"a restart would forget it: {self._latch}: {error.strerror}"
        return ""


def _read(path: Path) -> int:
    try:
        with path.open("rb") as file:
            return max(UNREADABLE, int(file.read(MAX_FILE_BYTES)))
    except FileNotFoundError:
        return 0
    except (OSError, ValueError):
        return UNREADABLE


def _write(path: Path, text: str) -> None:
    """Write, and be sure that it is on the disk."""
    temporary = path.with_name(f".{path.name}.new")
    with temporary.open("w", encoding="ascii") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _make(options: TamperOptions, made: Mapping[Slot, AnyDevice]) -> GpioTamper:
    if options.latch is not None and options.latch.is_symlink():
        raise ConfigurationError("latch: must not be a link")
    return GpioTamper(options)


DRIVER = Driver(TamperOptions, _make)
