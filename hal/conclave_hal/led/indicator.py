"""The driver `led` of the room's lamps: LEDs of the kernel's LED class."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from conclave_hal.device import AnyDevice
from conclave_hal.drivers import Driver, Slot
from conclave_hal.errors import ConfigurationError, DeviceError
from conclave_hal.lamp_patterns import Colour
from conclave_hal.led.lamp import Led
from conclave_hal.options import Option, Rule, device_path
from conclave_hal.pattern_indicator import Lamps, PatternIndicator


def led_name() -> Rule[str]:
    """The name of a folder of the LED class, or nothing."""

    def parse(value: object, folder: Path) -> str:
        if not isinstance(value, str) or not value.isprintable() or "/" in value or value.startswith("."):
            raise ValueError
        return value

    return Rule('a name in /sys/class/leds, such as "green:status"', parse)


@dataclass(frozen=True, slots=True)
class LedOptions:
    """Options of lamps of the LED class. A lamp without a name is not fitted."""

    ring: Annotated[str, Option(led_name(), "the ring, if it is one LED of several colours")] = ""
    red: Annotated[str, Option(led_name(), "the red LED of a ring of single LEDs")] = ""
    green: Annotated[str, Option(led_name(), "the green LED of a ring of single LEDs")] = ""
    blue: Annotated[str, Option(led_name(), "the blue LED of a ring of single LEDs")] = ""
    mute: Annotated[str, Option(led_name(), "the lamp that is lit while the microphone is muted")] = ""
    camera: Annotated[str, Option(led_name(), "the lamp that is lit while pictures leave the room")] = ""
    folder: Annotated[str, Option(device_path(), "where the LEDs are")] = "/sys/class/leds"


class LedLamps:
    """The LEDs that the options name."""

    def __init__(self, options: LedOptions) -> None:
        """Raises OSError where one is not there, DeviceError where one is not what it should be."""
        folder = Path(options.folder)

        def led(name: str) -> Led | None:
            return Led(folder / name) if name else None

        self._ring = led(options.ring)
        if self._ring is not None and not self._ring.has_colours:
            raise DeviceError(f"{options.ring} has one colour", hint="name it as red, green or blue")
        self._single = tuple(led(name) for name in (options.red, options.green, options.blue))
        self._mute, self._camera = led(options.mute), led(options.camera)

    def light(self, ring: Colour, *, is_mute_lit: bool, is_camera_lit: bool) -> None:
        """See `Lamps`."""
        red, green, blue = ring.value
        if self._ring is not None:
            self._ring.colour(red, green, blue)
        single = zip(self._single, ring.value, strict=True)
        for lamp, is_lit in (*single, (self._mute, is_mute_lit), (self._camera, is_camera_lit)):
            if lamp is not None:
                lamp.light(is_lit=is_lit)

    def release(self) -> None:
        """No LED is held open."""


class LedIndicator(PatternIndicator):
    """Lamps of the LED class."""

    def __init__(
        self, options: LedOptions, *, pause: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> None:
        super().__init__(pause=pause)
        self._options = options

    def _acquire(self) -> Lamps:
        return LedLamps(self._options)


def _make(options: LedOptions, made: Mapping[Slot, AnyDevice]) -> LedIndicator:
    named = (options.ring, options.red, options.green, options.blue, options.mute, options.camera)
    if not any(named):
        raise ConfigurationError("ring: name at least one LED", hint="ls /sys/class/leds shows what there is")
    return LedIndicator(options)


DRIVER = Driver(LedOptions, _make)
