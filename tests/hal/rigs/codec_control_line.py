"""The control port on a serial port, with a controller at the other end."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from conclave_hal.device import AnyDevice
from conclave_hal.drivers import Slot
from conclave_hal.line_control.password import hash_password
from conclave_hal.simulated.pty_wire import PtyWire
from tests.hal.rigs import Rig


@asynccontextmanager
async def rig(folder: Path) -> AsyncIterator[Rig]:
    """A wire that is plugged in."""
    wire = PtyWire(folder / "control")
    wire.plug_in()

    async def unplug() -> None:
        wire.unplug()

    async def plug_in() -> None:
        wire.plug_in()

    async def ask(device: AnyDevice) -> None:
        wire.write(b"login correct horse 7\rcommand mute-microphone\r")

    options: dict[str, object] = {"port": str(wire.link), "password": str(hash_password("correct horse 7"))}
    try:
        yield Rig(Slot.CODEC_CONTROL, "line", options, unplug, plug_in, {"ask": ask})
    finally:
        wire.unplug()
