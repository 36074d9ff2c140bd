"""The simulated control port."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from conclave_hal.device import AnyDevice
from conclave_hal.drivers import Slot
from conclave_hal.serial_port import SerialPort, SerialSettings, open_serial_port
from tests.hal.rigs import Rig


@asynccontextmanager
async def rig(folder: Path) -> AsyncIterator[Rig]:
    """A terminal in `folder`."""
    link = folder / "control"
    ports: list[SerialPort] = []

    async def ask(device: AnyDevice) -> None:
        # Open until the end: closing would flush the line before anybody has read it.
        ports.append(open_serial_port(str(link), SerialSettings()))
        await ports[-1].write(b"command mute-microphone\r")

    try:
        yield Rig(Slot.CODEC_CONTROL, "simulated", {"link": str(link)}, by_hand={"ask": ask})
    finally:
        for port in ports:
            port.close()
