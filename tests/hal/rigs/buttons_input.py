"""An input device as buttons, with a double in place of the kernel."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import patch

from conclave_hal.device import AnyDevice
from conclave_hal.drivers import Slot
from conclave_hal.input.events import EV_KEY, KEYS, InputEvent
from tests.hal.input.doubles import DoubleInput
from tests.hal.rigs import Rig


@asynccontextmanager
async def rig(folder: Path) -> AsyncIterator[Rig]:
    """A device that is plugged in and works."""
    double = DoubleInput(folder)
    double.keys = set(KEYS.values())
    double.plug_in()

    async def unplug() -> None:
        double.unplug()

    async def plug_in() -> None:
        double.plug_in()

    async def press(device: AnyDevice) -> None:
        double.say(*(InputEvent(EV_KEY, KEYS["KEY_MICMUTE"], value) for value in (1, 0)))

    try:
        with patch("conclave_hal.input.node.fcntl", SimpleNamespace(ioctl=double.ioctl)):
            yield Rig(Slot.BUTTONS, "input", {"device": str(double.path)}, unplug, plug_in, {"press": press})
    finally:
        double.unplug()
