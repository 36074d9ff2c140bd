"""The drivers there are, by slot and name; each is imported only when it is chosen.

A package outside this one adds drivers through the entry-point group `conclave.hal`: the entry
point's name is `<slot>.<driver>`, for example `camera.v4l2`, and its value a `Driver`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, EntryPoints, entry_points
from typing import Any, Generic, TypeVar

from conclave_hal.device import AnyDevice
from conclave_hal.errors import ConfigurationError
from conclave_hal.options import declared_options

ENTRY_POINT_GROUP = "conclave.hal"

O = TypeVar("O")  # noqa: E741


class Slot(Enum):
    """The places for hardware in a room; the value is the table's name in `hal.toml`.

    In the order in which they are made: a device may look at those made before it.
    """

    PRIVACY_SWITCH = "privacy_switch"
    MUTE_SWITCH = "mute_switch"
    TAMPER = "tamper"
    VIDEO_ENCODER = "video_encoder"
    CAMERA = "camera"
    CAMERA_CONTROL = "camera_control"
    MICROPHONE = "microphone"
    SCREEN = "screen"
    SPEAKER = "speaker"
    INDICATOR = "indicator"
    BUTTONS = "buttons"
    DISPLAY = "display"
    CODEC_CONTROL = "codec_control"
    PANEL = "panel"


@dataclass(frozen=True, slots=True)
class Driver(Generic[O]):
    """A way to make a device from its options and from the devices made before it."""

    options: type[O]
    """A frozen dataclass as `conclave_hal.options` describes it."""
    make: Callable[[O, Mapping[Slot, AnyDevice]], AnyDevice]
    """Must not touch hardware: that is `open`'s. May raise ConfigurationError."""


_SIMULATED = "conclave_hal.simulated.{}:DRIVER"
_ALSA = "conclave_hal.alsa.{}:DRIVER"
_V4L2 = "conclave_hal.v4l2.{}:DRIVER"
_GPIO = "conclave_hal.gpio.{}:DRIVER"
_INPUT = "conclave_hal.input.{}:DRIVER"
_BUILT_IN: dict[Slot, dict[str, str]] = {
    Slot.PRIVACY_SWITCH: {"simulated": _SIMULATED, "v4l2": _V4L2, "input": _INPUT, "gpio": _GPIO},
    Slot.MUTE_SWITCH: {"simulated": _SIMULATED, "input": _INPUT, "gpio": _GPIO},
    Slot.TAMPER: {"simulated": _SIMULATED, "gpio": _GPIO},
    Slot.VIDEO_ENCODER: {
        "simulated": _SIMULATED,
        **{name: f"conclave_hal.encoding.{name}:DRIVER" for name in ("auto", "software", "v4l2m2m")},
    },
    Slot.CAMERA: {"simulated": _SIMULATED, "v4l2": _V4L2},
    Slot.CAMERA_CONTROL: {
        "simulated": _SIMULATED,
        "v4l2": _V4L2,
        "visca": "conclave_hal.visca.camera_control:DRIVER",
    },
    Slot.MICROPHONE: {"simulated": _SIMULATED, "alsa": _ALSA},
    Slot.SCREEN: {"simulated": _SIMULATED, "pixels": "conclave_hal.wall.screen:DRIVER"},
    Slot.SPEAKER: {"simulated": _SIMULATED, "alsa": _ALSA},
    Slot.INDICATOR: {"simulated": _SIMULATED, "led": "conclave_hal.led.{}:DRIVER", "gpio": _GPIO},
    Slot.BUTTONS: {"simulated": _SIMULATED, "input": _INPUT, "gpio": _GPIO},
    Slot.DISPLAY: {
        "simulated": _SIMULATED,
        "mdc": "conclave_hal.mdc.display:DRIVER",
        "cec": "conclave_hal.cec.display:DRIVER",
    },
    Slot.CODEC_CONTROL: {"simulated": _SIMULATED, "line": "conclave_hal.line_control.driver:DRIVER"},
    Slot.PANEL: {
        "simulated": _SIMULATED,
        "crystalfontz": "conclave_hal.lcd.panel:DRIVER",
        "pixels": "conclave_hal.pixels.pixel_panel:DRIVER",
    },
}
"""Beside `none`, which every slot has: the driver's name, and where it is imported from."""
DEFAULT_DRIVERS: dict[Slot, str] = {Slot.VIDEO_ENCODER: "auto"}
"""What a slot without a table in `hal.toml` has, where that is not `none`."""


def driver_names(slot: Slot) -> tuple[str, ...]:
    """Names that `find_driver` knows for `slot`, sorted."""
    return tuple(sorted({*built_in_names(slot), *(_name(point) for point in _outside(slot))}))


def built_in_names(slot: Slot) -> tuple[str, ...]:
    """Those of them that are in this package, sorted."""
    return tuple(sorted({"none", *_BUILT_IN[slot]}))


def find_driver(slot: Slot, name: str) -> Driver[Any]:
    """Import the driver `name` of `slot`.

    Raises KeyError if there is none, ConfigurationError if it cannot be imported or is there twice.
    """
    points = [point for point in _outside(slot) if _name(point) == name]
    is_built_in = name in built_in_names(slot)
    if len(points) + is_built_in > 1:
        places = ["built in"] * is_built_in + sorted(f"in {_package(point)}" for point in points)
        raise ConfigurationError(
            f"driver {name!r} is there more than once: {', and '.join(places)}",
            hint="give it another name in the package's entry points, or uninstall one",
        )
    if name == "none":
        found: object = getattr(import_module("conclave_hal.none"), slot.name)
    elif is_built_in:
        module, _, attribute = _BUILT_IN[slot][name].partition(":")
        found = getattr(import_module(module.format(slot.value)), attribute)
    elif points:
        found = _imported(points[0])
    else:
        raise KeyError(name)
    if not isinstance(found, Driver):
        raise ConfigurationError(f"driver {name!r} is not a Driver but {type(found).__name__}")
    return found


@cache
def outside() -> EntryPoints:
    """What other packages bring. Read once: it takes every installed package's metadata."""
    return entry_points(group=ENTRY_POINT_GROUP)


def named_elsewhere(slot: Slot, name: str) -> str:
    """Whether a package brings a driver of this name under another slot, or under none; else empty."""
    found = sorted(
        f"{_package(point)} has {point.name!r}"
        for point in outside()
        if point.name.rpartition(".")[2] == name and point not in _outside(slot)
    )
    return f"{'; '.join(found)}, which would have to be '{slot.value}.{name}'" if found else ""


def _outside(slot: Slot) -> list[EntryPoint]:
    """What other packages bring for this slot."""
    return [point for point in outside() if point.name.startswith(slot.value + ".")]


def _name(point: EntryPoint) -> str:
    return point.name.partition(".")[2]


def _package(point: EntryPoint) -> str:
    return f"the package {point.dist.name}" if point.dist is not None else point.value


def _imported(point: EntryPoint) -> object:
    """Import what another package names. Whatever goes wrong in it is one line that names it."""
    module, _, attribute = point.value.partition(":")
    try:
        found = getattr(import_module(module), attribute)
        if isinstance(found, Driver):
            declared_options(found.options)
    # Other people's code: it may raise anything while it is imported.
    except Exception as error:
        said = str(error) if isinstance(error, ImportError) else f"{type(error).__name__}: {error}"
        raise ConfigurationError(
            f"driver {_name(point)!r} of {_package(point)} cannot be imported: {' '.join(said.split())}",
            hint="docs/hal.md says how a driver is packaged",
        ) from error
    return found
