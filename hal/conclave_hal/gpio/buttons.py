"""The driver `gpio` of the buttons: push buttons, each on a line of one chip."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Annotated

from conclave_hal.button_readers import ButtonReaders
from conclave_hal.buttons import Button, Buttons
from conclave_hal.device import DeviceState, Health
from conclave_hal.drivers import Driver
from conclave_hal.gpio.lines import BIASES, InputLines, Line, gpio_line, load_gpiod
from conclave_hal.hot_plug import HotPlugDevice
from conclave_hal.options import Option, Rule, choice, device_path, flag, integer

ButtonLines = tuple[tuple[Button, Line], ...]
"""Which line each button is on."""


def button_lines() -> Rule[ButtonLines]:
    """A table from button to line: `{ microphone = 17, leave = "BUTTON_2" }`."""
    line = gpio_line()

    def parse(value: object, folder: Path) -> ButtonLines:
        if not isinstance(value, dict) or not value:
            raise ValueError
        found = {Button(button): line.parse(each, folder) for button, each in value.items()}
        if len(set(found.values())) != len(found):
            raise ValueError
        return tuple(found.items())

    buttons = ", ".join(button.value for button in Button)
    return Rule(f"a table from button ({buttons}) to a line of its own: {line.allowed}", parse)


@dataclass(frozen=True, slots=True)
class GpioButtonsOptions:
    """Options of push buttons on GPIO lines. As usual they pull their lines to ground."""

    lines: Annotated[ButtonLines, Option(button_lines(), "which line each button is on")]
    chip: Annotated[str, Option(device_path(), "the GPIO chip")] = "/dev/gpiochip0"
    active_low: Annotated[bool, Option(flag(), "a line is low while its button is pressed")] = True
    bias: Annotated[str, Option(choice(*BIASES), "the resistor that the chip puts on the lines")] = "pull-up"
    debounce_ms: Annotated[int, Option(integer(0, 1000), "how long a contact may bounce")] = 20


class GpioButtons(HotPlugDevice[DeviceState], Buttons):
    """Push buttons. One that was held as the lines were asked for is no press."""

    def __init__(
        self,
        options: GpioButtonsOptions,
        *,
        load: Callable[[], ModuleType] = load_gpiod,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        super().__init__(pause=pause)
        self._options = options
        self._load = load
        self._readers = ButtonReaders()

    async def open(self) -> None:
        """Raises ConfigurationError without gpiod 2."""
        self._load()

    async def close(self) -> None:
        """Let go whoever waits for a press. Safe to call twice."""
        self._readers.close()

    def fitted(self) -> frozenset[Button]:
        """Those with a line."""
        return frozenset(button for button, _ in self._options.lines)

    def presses(self) -> AsyncIterator[Button]:
        """Each press once, until `close`."""
        return self._readers.presses()

    async def _session(self) -> None:
        options = self._options
        by_line = {line: button for button, line in options.lines}
        lines = InputLines(
            self._load(),
            options.chip,
            tuple(by_line),
            active_low=options.active_low,
            bias=options.bias,
            debounce_ms=options.debounce_ms,
        )
        try:
            await self._publish(DeviceState(Health.READY))
            while True:
                for line in await lines.risen():
                    self._readers.press(by_line[line])
        finally:
            lines.release()


DRIVER = Driver(GpioButtonsOptions, lambda options, made: GpioButtons(options))
