"""A driver with the counterpart that it is tested against: one file here for each pair.

A file `<slot>_<driver>.py` has one function `rig(folder)`: an asynchronous context manager that starts
the counterpart (below the wire: on a pty, a socket, in a scratch folder), and yields a `Rig` with the
driver's options as they would stand in `hal.toml`. `tests.hal.conformance` does the rest.
"""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

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


MakeRig = Callable[[Path], AbstractAsyncContextManager[Rig]]


def all_rigs() -> dict[str, MakeRig]:
    """The `rig` of each file here, by the file's name."""
    names = sorted(module.name for module in iter_modules(__path__))
    return {name: import_module(f"{__name__}.{name}").rig for name in names}
