"""The driver `gpio` of the room's lamps: LEDs on lines of one chip."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Annotated

from conclave_hal.device import AnyDevice
from conclave_hal.drivers import Driver, Slot
from conclave_hal.errors import ConfigurationError
from conclave_hal.gpio.lines import Line, OutputLines, gpio_line, load_gpiod
from conclave_hal.lamp_patterns import Colour
from conclave_hal.options import Option, device_path, flag
from conclave_hal.pattern_indicator import Lamps, PatternIndicator


@dataclass(frozen=True, slots=True)
class GpioIndicatorOptions:
    """Options of lamps on GPIO lines. A lamp without a line is not fitted."""

    chip: Annotated[str, Option(device_path(), "the GPIO chip")] = "/dev/gpiochip0"
    red: Annotated[Line | None, Option(gpio_line(), "the ring's red")] = None
    green: Annotated[Line | None, Option(gpio_line(), "the ring's green")] = None
    blue: Annotated[Line | None, Option(gpio_line(), "the ring's blue")] = None
    mute: Annotated[
        Line | None, Option(gpio_line(), "the lamp that is lit while the microphone is muted")
    ] = None
    camera: Annotated[
        Line | None, Option(gpio_line(), "the lamp that is lit while pictures leave the room")
    ] = None
    active_low: Annotated[bool, Option(flag(), "a line is low while its lamp is lit")] = False


class GpioLamps:
    """The lamps, their lines taken."""

    def __init__(self, gpiod: ModuleType, options: GpioIndicatorOptions) -> None:
        """Raises OSError, DeviceError."""
        self._ring = (options.red, options.green, options.blue)
        self._mute, self._camera = options.mute, options.camera
        self._lines = OutputLines(gpiod, options.chip, fitted(options), active_low=options.active_low)

    def light(self, ring: Colour, *, is_mute_lit: bool, is_camera_lit: bool) -> None:
        """See `Lamps`."""
        lamps = zip(
            (*self._ring, self._mute, self._camera), (*ring.value, is_mute_lit, is_camera_lit), strict=True
        )
        self._lines.set({line: is_lit for line, is_lit in lamps if line is not None})

    def release(self) -> None:
        """Give the lines back."""
        self._lines.release()


class GpioIndicator(PatternIndicator):
    """Lamps on GPIO lines."""

    def __init__(
        self,
        options: GpioIndicatorOptions,
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

    def _acquire(self) -> Lamps:
        return GpioLamps(self._load(), self._options)


def fitted(options: GpioIndicatorOptions) -> tuple[Line, ...]:
    """The lines that have a lamp."""
    lines = (options.red, options.green, options.blue, options.mute, options.camera)
    return tuple(line for line in lines if line is not None)


def _make(options: GpioIndicatorOptions, made: Mapping[Slot, AnyDevice]) -> GpioIndicator:
    lines = fitted(options)
    if not lines:
        raise ConfigurationError("red: name the line of at least one lamp")
    if len(set(lines)) != len(lines):
        raise ConfigurationError("red: each lamp has a line of its own")
    return GpioIndicator(options)


DRIVER = Driver(GpioIndicatorOptions, _make)
