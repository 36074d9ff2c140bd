"""A camera that tells whether its lens is covered: a double below the ioctl, with the kernel's events."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from unittest.mock import patch

from conclave_hal.device import AnyDevice
from conclave_hal.drivers import Driver, Slot
from conclave_hal.v4l2.abi import ControlId
from conclave_hal.v4l2.privacy_switch import PrivacyOptions, V4l2PrivacySwitch
from tests.hal.rigs import Rig
from tests.hal.v4l2.fake_camera import FakeCamera, FakeControl


@asynccontextmanager
async def rig(folder: Path) -> AsyncIterator[Rig]:
    """A camera that is plugged in, with its lens open."""
    double = FakeCamera(folder / "camera", controls={ControlId.PRIVACY: FakeControl(0, 1)})

    async def unplug() -> None:
        double.unplug()

    async def plug_in() -> None:
        double.plug_in()

    async def block(device: AnyDevice) -> None:
        double.move(ControlId.PRIVACY, 1)

    async def let_pass(device: AnyDevice) -> None:
        double.move(ControlId.PRIVACY, 0)

    driver = Driver(
        PrivacyOptions, lambda options, made: V4l2PrivacySwitch(options, open_node=double.open_node)
    )
    try:
        with patch("conclave_hal.v4l2.privacy_switch.DRIVER", driver):
            yield Rig(
                Slot.PRIVACY_SWITCH,
                "v4l2",
                {"device": str(double.path)},
                unplug,
                plug_in,
                {"block": block, "pass": let_pass},
            )
    finally:
        double.close()
