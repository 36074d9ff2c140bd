"""The driver `cec` of the display: a television on the HDMI cable, asked politely.

CEC is a wire of 36 bytes a second on which any device may say anything; nothing that is heard there decides
more than what `state` tells of power. A television that is plugged in later, or switched over, is an event.
Other inputs cannot be chosen: a source may only say that it is there.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

from conclave_hal.camera_control import Power
from conclave_hal.cec.abi import Opcode
from conclave_hal.cec.adapter import CecAdapter, OpensAdapter
from conclave_hal.device import AnyDevice, Health
from conclave_hal.display import Display, DisplayState
from conclave_hal.display_text import display_text
from conclave_hal.drivers import Driver, Slot
from conclave_hal.errors import DeviceError, DeviceGoneError, DeviceTimeoutError, UsageError
from conclave_hal.hot_plug import HotPlugDevice
from conclave_hal.options import Option, Rule, device_path

TELEVISION, EVERYBODY = 0, 15
LOOK_AGAIN_S = 15.0
SWITCHING_S = 0.5
SWITCHING_TRIES = 40
NOT_PLUGGED_IN = "no display is plugged in"
_POWER = {0: Power.ON, 1: Power.STANDBY, 2: Power.STANDBY, 3: Power.ON}
"""On, standby, and on the way from one to the other: what it was until it has arrived."""


def osd_name() -> Rule[str]:
    """1 to 14 printable ASCII characters, as CEC has room for."""

    def parse(value: object, folder: Path) -> str:
        if not isinstance(value, str) or not 1 <= len(value) <= 14:
            raise ValueError
        if not (value.isascii() and value.isprintable()):
            raise ValueError
        return value

    return Rule("1 to 14 printable ASCII characters", parse)


@dataclass(frozen=True, slots=True)
class CecOptions:
    """Options of a display on HDMI-CEC."""

    device: Annotated[str, Option(device_path(), "the CEC adapter of the display's connector")] = "/dev/cec0"
    name: Annotated[str, Option(osd_name(), "what the display calls this device")] = "Conclave"


class CecDisplay(HotPlugDevice[DisplayState], Display):
    """A display that understands CEC."""

    def __init__(
        self,
        options: CecOptions,
        *,
        open_adapter: OpensAdapter = CecAdapter,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        super().__init__(pause=pause)
        self._options = options
        self._open_adapter = open_adapter
        self._adapter: CecAdapter | None = None
        self._rewired = asyncio.Event()

    async def close(self) -> None:
        """Nothing is kept between sessions."""

    async def set_power(self, power: Power) -> None:
        """Ask it, and wait until it says that it is so. One that never says is believed."""
        adapter = self._require()
        if power is Power.UNKNOWN:
            raise UsageError("a display is switched on or to standby")
        await self._send(adapter, TELEVISION, Opcode.IMAGE_VIEW_ON if power is Power.ON else Opcode.STANDBY)
        for _ in range(SWITCHING_TRIES):
            try:
                said = await self._ask_power(adapter)
            except DeviceError:
                said = power
            except DeviceTimeoutError:
                said = Power.UNKNOWN
            if said is power:
                await self._publish(replace(self._state, health=Health.READY, reason="", power=power))
                return
            await self._pause(SWITCHING_S)
        raise DeviceTimeoutError(f"the display does not go to {power.value}")

    async def show_us(self) -> None:
        """Switch on, and say that this device has the picture."""
        adapter = self._require()
        await self.set_power(Power.ON)
        address = adapter.wire.physical_address.to_bytes(2, "big")
        await self._send(adapter, EVERYBODY, Opcode.ACTIVE_SOURCE, address)

    async def refresh(self) -> None:
        """Ask for power. A display that keeps it to itself stays UNKNOWN."""
        adapter = self._require()
        power = Power.UNKNOWN
        with suppress(DeviceError, DeviceTimeoutError):
            power = await self._ask_power(adapter)
        await self._publish(replace(self._state, health=Health.READY, reason="", power=power))

    def inputs(self) -> tuple[str, ...]:
        """None: a source cannot choose another."""
        return ()

    async def set_input(self, name: str) -> None:
        """Raises UsageError."""
        raise UsageError("HDMI-CEC chooses no other input", hint="show_us chooses this one")

    async def _session(self) -> None:
        adapter = self._open_adapter(self._options.device)
        tasks: tuple[asyncio.Task[None], ...] = ()
        try:
            adapter.claim(self._options.name)
            tasks = (
                asyncio.create_task(adapter.listen(self._rewired.set)),
                asyncio.create_task(self._look_after(adapter)),
            )
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for each in done:
                each.result()
        finally:
            self._adapter = None
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            adapter.close()

    async def _look_after(self, adapter: CecAdapter) -> None:
        while True:
            self._rewired.clear()
            if not adapter.is_usable:
                self._adapter = None
                await self._publish(self._lost(NOT_PLUGGED_IN))
                await self._rewired.wait()
                continue
            if self._adapter is None:
                self._adapter = adapter
                model = await self._ask_name(adapter)
                await self._publish(replace(self._state, model=model))
            with suppress(DeviceGoneError):
                await self.refresh()
            await self._wait()

    async def _wait(self) -> None:
        """Until the wire has changed, or it is time to look again."""
        waiting = asyncio.ensure_future(self._rewired.wait())
        pausing = asyncio.ensure_future(self._pause(LOOK_AGAIN_S))
        try:
            await asyncio.wait({waiting, pausing}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in (waiting, pausing):
                each.cancel()
            await asyncio.gather(waiting, pausing, return_exceptions=True)

    async def _ask_power(self, adapter: CecAdapter) -> Power:
        said = await self._send(
            adapter, TELEVISION, Opcode.GIVE_DEVICE_POWER_STATUS, reply=Opcode.REPORT_POWER_STATUS
        )
        return _POWER.get(said[0], Power.UNKNOWN) if said else Power.UNKNOWN

    async def _ask_name(self, adapter: CecAdapter) -> str:
        with suppress(DeviceError, DeviceTimeoutError):
            said = await self._send(adapter, TELEVISION, Opcode.GIVE_OSD_NAME, reply=Opcode.SET_OSD_NAME)
            return display_text(said.decode("ascii", "replace"), max_length=14)
        return ""

    async def _send(
        self,
        adapter: CecAdapter,
        destination: int,
        opcode: Opcode,
        operands: bytes = b"",
        *,
        reply: Opcode | None = None,
    ) -> bytes:
        try:
            return await adapter.send(destination, opcode, operands, reply=reply)
        except OSError as error:
            raise DeviceGoneError(f"{self._options.device}: {error.strerror}") from error

    def _require(self) -> CecAdapter:
        if self._adapter is None:
            raise DeviceGoneError(f"{self._options.device}: {self._state.reason or 'starting'}")
        return self._adapter


def _make(options: CecOptions, made: Mapping[Slot, AnyDevice]) -> CecDisplay:
    return CecDisplay(options)


DRIVER = Driver(CecOptions, _make)
