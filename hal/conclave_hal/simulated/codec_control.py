"""A control port without a serial port: the line protocol on a pseudo-terminal that anybody here may open.

A person tries it with any terminal program, on the path that `link` names.
"""

import asyncio
import tempfile
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from conclave_hal.codec_control import CodecControlState
from conclave_hal.device import AnyDevice, Health
from conclave_hal.drivers import Driver, Slot
from conclave_hal.errors import ConfigurationError, UsageError
from conclave_hal.line_control.driver import DEFAULT_IDLE_S, LineControl, Wire
from conclave_hal.line_control.password import PasswordHash, password_hash
from conclave_hal.options import Option, file_path
from conclave_hal.simulated.pty_wire import PtyWire


@dataclass(frozen=True, slots=True)
class SimulatedControlOptions:
    """Options of the simulated control port."""

    link: Annotated[
        Path | None,
        Option(file_path(), "where the terminal to open is found; a folder of its own if not set"),
    ] = None
    password: Annotated[
        PasswordHash | None, Option(password_hash(), "what must be logged in with, as a hash; none: nothing")
    ] = None


class _PtyEnd:
    """The device's end of the terminal."""

    def __init__(self, wire: PtyWire) -> None:
        self._wire = wire

    async def read(self) -> bytes:
        return await self._wire.read()

    async def write(self, data: bytes) -> None:
        self._wire.write(data)

    def close(self) -> None:
        self._wire.unplug()


class SimulatedCodecControl(LineControl):
    """A room controller is whoever opens `link`."""

    def __init__(
        self,
        options: SimulatedControlOptions,
        *,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        super().__init__(options.password, DEFAULT_IDLE_S, pause=pause)
        self._options = options
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._wire: PtyWire | None = None

    @property
    def link(self) -> Path:
        """Where the terminal is found. Raises UsageError before `open`."""
        if self._wire is None:
            raise UsageError("the control port is not open")
        return self._wire.link

    async def open(self) -> None:
        """Make the terminal. Raises ConfigurationError."""
        link = self._options.link
        try:
            if link is None:
                self._folder = tempfile.TemporaryDirectory(prefix="conclave-control-")
                link = Path(self._folder.name) / "tty"
            self._wire = PtyWire(link)
            self._wire.plug_in()
        except OSError as error:
            raise ConfigurationError(f"codec_control: no terminal at {link}: {error.strerror}") from error
        await self._publish(CodecControlState(Health.READY, "", self._password is None))

    async def close(self) -> None:
        """Hang up and take the link away. Safe to call twice."""
        await super().close()
        if self._wire is not None:
            self._wire.unplug()
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None

    def _open_wire(self) -> Wire:
        if self._wire is None:
            raise UsageError("the control port is not open")
        self._wire.plug_in()
        return _PtyEnd(self._wire)


def _make(options: SimulatedControlOptions, made: Mapping[Slot, AnyDevice]) -> SimulatedCodecControl:
    return SimulatedCodecControl(options)


DRIVER = Driver(SimulatedControlOptions, _make)
