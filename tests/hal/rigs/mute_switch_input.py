"""An input device as mute switch, with a double in place of the kernel."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import patch

from conclave_hal.device import AnyDevice
from conclave_hal.drivers import Slot
from conclave_hal.input.events import EV_SW, EV_SYN, SW_MUTE_DEVICE, InputEvent
from tests.hal.input.doubles import DoubleInput
from tests.hal.rigs import Rig


@asynccontextmanager
async def rig(folder: Path) -> AsyncIterator[Rig]:
    """A device that is plugged in and works."""
    double = DoubleInput(folder)
    double.switches = {SW_MUTE_DEVICE: False}
    double.plug_in()

    async def unplug() -> None:
        double.unplug()

    async def plug_in() -> None:
        double.plug_in()

    async def move(value: int, device: AnyDevice) -> None:
        double.switches[SW_MUTE_DEVICE] = bool(value)
        double.say(InputEvent(EV_SW, SW_MUTE_DEVICE, value), InputEvent(EV_SYN, 0, 0))

    hands: dict[str, Callable[[AnyDevice], Awaitable[None]]] = {
        "block": partial(move, 1),
        "pass": partial(move, 0),
    }
    try:
        with patch("conclave_hal.input.node.fcntl", SimpleNamespace(ioctl=double.ioctl)):
            yield Rig(Slot.MUTE_SWITCH, "input", {"device": str(double.path)}, unplug, plug_in, hands)
    finally:
        double.unplug()
