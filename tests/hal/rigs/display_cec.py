"""A display on HDMI-CEC, with a double in place of the kernel and the television."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from unittest.mock import patch

from conclave_hal.cec.display import CecDisplay
from conclave_hal.drivers import Slot
from tests.hal.cec.doubles import DoubleCec
from tests.hal.rigs import Rig


@asynccontextmanager
async def rig(folder: Path) -> AsyncIterator[Rig]:
    """A television that is plugged in and in standby."""
    cec = DoubleCec()

    async def unplug() -> None:
        cec.unplug()

    async def plug_in() -> None:
        cec.plug_in()

    defaults = CecDisplay.__init__.__kwdefaults__
    try:
        with patch.dict(defaults, {"open_adapter": cec.open_adapter}):
            yield Rig(Slot.DISPLAY, "cec", {"device": "/dev/cec7"}, unplug, plug_in)
    finally:
        cec.close()
