"""A driver with the counterpart that it is tested against: one file here for each pair.

A file `<slot>_<driver>.py` has one function `rig(folder)`: an asynchronous context manager that starts
the counterpart (below the wire: on a pty, a socket, in a scratch folder), and yields a `Rig` with the
driver's options as they would stand in `hal.toml`. `tests.hal.conformance` does the rest.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

from conclave_hal.device import AnyDevice
from conclave_hal.drivers import Slot


@dataclass(frozen=True, slots=True)
class Rig:
    """What a conformance run needs to know of one driver."""

    slot: Slot
    driver: str
    options: dict[str, object] = field(default_factory=dict)
    """As TOML values."""
    unplug: Callable[[], Awaitable[None]] | None = None
    """Takes the hardware away; None where that cannot be done by a program."""
    plug_in: Callable[[], Awaitable[None]] | None = None
    """Brings it back."""
    by_hand: dict[str, Callable[[AnyDevice], Awaitable[None]]] = field(default_factory=dict)
    """What people do there, by name: `block` and `pass` (a switch), `open_case` and `close_case` (tamper),
    `press` (buttons, panel: any of them), `ask` (codec_control: the controller asks to mute the microphone).
    Each is given the driver's device; most need only the counterpart."""


MakeRig = Callable[[Path], AbstractAsyncContextManager[Rig]]


def all_rigs() -> dict[str, MakeRig]:
    """The `rig` of each file here, by the file's name; and one for each slot in which nothing is fitted."""
    names = sorted(module.name for module in iter_modules(__path__))
    found: dict[str, MakeRig] = {name: import_module(f"{__name__}.{name}").rig for name in names}
    return {**found, **{f"{slot.value}_none": _empty(slot) for slot in Slot}}


def slot_of(name: str) -> Slot:
    """The slot of a rig by its name: `camera_control_visca` is of CAMERA_CONTROL."""
    found = [slot for slot in Slot if name.startswith(slot.value + "_")]
    return max(found, key=lambda slot: len(slot.value))


def _empty(slot: Slot) -> MakeRig:
    @asynccontextmanager
    async def rig(folder: Path) -> AsyncIterator[Rig]:
        yield Rig(slot, "none")

    return rig
