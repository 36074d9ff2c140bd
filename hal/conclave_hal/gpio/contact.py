"""A contact on one line: what the drivers of shutter, mute switch and tamper contact have in common."""

import asyncio
from abc import abstractmethod
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Annotated, TypeVar

from conclave_hal.device import DeviceState, Health
from conclave_hal.gpio.lines import BIASES, InputLines, Line, gpio_line, load_gpiod
from conclave_hal.hot_plug import HotPlugDevice
from conclave_hal.options import Option, choice, device_path, flag, integer
from conclave_hal.switches import HardwareSwitch, SwitchPosition, SwitchState

S = TypeVar("S", bound=DeviceState)


@dataclass(frozen=True, slots=True)
class ContactOptions:
    """Options of a contact on a GPIO line. Active means: blocking, or for the case: open."""

    line: Annotated[Line, Option(gpio_line(), "the line that the contact is on")]
    chip: Annotated[str, Option(device_path(), "the GPIO chip")] = "/dev/gpiochip0"
    active_low: Annotated[bool, Option(flag(), "the line is low when the contact is active")] = False
    bias: Annotated[str, Option(choice(*BIASES), "the resistor that the chip puts on the line")] = "as-is"
    debounce_ms: Annotated[int, Option(integer(0, 1000), "how long a contact may bounce")] = 20


class Contact(HotPlugDevice[S]):
    """Follows one line; the subclass says what its state means."""

    def __init__(
        self,
        options: ContactOptions,
        *,
        load: Callable[[], ModuleType] = load_gpiod,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        super().__init__(pause=pause)
        self._options = options
        self._load = load

    async def open(self) -> None:
        """Raises ConfigurationError without gpiod 2."""
        self._load()

    async def close(self) -> None:
        """Nothing is kept between sessions; the contact cannot be read any more."""
        await self._publish(self._lost("closed"))

    @abstractmethod
    async def _is(self, *, is_active: bool) -> None:
        """The contact is so; publish what that means."""

    async def _session(self) -> None:
        options = self._options
        lines = InputLines(
            self._load(),
            options.chip,
            (options.line,),
            active_low=options.active_low,
            bias=options.bias,
            debounce_ms=options.debounce_ms,
        )
        try:
            await self._is(is_active=lines.is_active(options.line))
            while True:
                # A contact that was active for a moment only was active all the same.
                if await lines.risen():
                    await self._is(is_active=True)
                await self._is(is_active=lines.is_active(options.line))
        finally:
            lines.release()


class GpioSwitch(Contact[SwitchState], HardwareSwitch):
    """A switch; active is blocking."""

    async def _is(self, *, is_active: bool) -> None:
        position = SwitchPosition.BLOCKING if is_active else SwitchPosition.PASSING
        shown = SwitchState(Health.READY, "", position)
        if shown != self._state:
            await self._publish(shown)
