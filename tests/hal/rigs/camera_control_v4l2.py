"""A camera with every control that Video4Linux has for turning it: a double below the ioctl."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from unittest.mock import patch

from conclave_hal.drivers import Driver, Slot
from conclave_hal.v4l2.abi import ControlId
from conclave_hal.v4l2.camera_control import ControlOptions, V4l2CameraControl
from tests.hal.rigs import Rig
from tests.hal.v4l2.fake_camera import FakeCamera, FakeControl


def controls() -> dict[int, FakeControl]:
    """All of them, as a conference camera has them."""
    return {
        ControlId.PAN_ABSOLUTE: FakeControl(-36000, 36000),
        ControlId.TILT_ABSOLUTE: FakeControl(-18000, 18000),
        ControlId.ZOOM_ABSOLUTE: FakeControl(100, 500, 100, default=100),
        ControlId.PAN_SPEED: FakeControl(-10, 20),
        ControlId.TILT_SPEED: FakeControl(-10, 20),
        ControlId.ZOOM_CONTINUOUS: FakeControl(-7, 7),
        ControlId.FOCUS_AUTO: FakeControl(0, 1, 1),
        ControlId.FOCUS_ABSOLUTE: FakeControl(0, 250),
        ControlId.EXPOSURE_AUTO: FakeControl(0, 3, 3, refused=frozenset({0, 2})),
        ControlId.AUTO_WHITE_BALANCE: FakeControl(0, 1, 1),
        ControlId.WHITE_BALANCE_TEMPERATURE: FakeControl(2800, 6500, 4000),
    }


@asynccontextmanager
async def rig(folder: Path) -> AsyncIterator[Rig]:
    """A camera that is plugged in and works."""
    double = FakeCamera(folder / "camera", controls=controls())

    async def unplug() -> None:
        double.unplug()

    async def plug_in() -> None:
        double.plug_in()

    driver = Driver(
        ControlOptions, lambda options, made: V4l2CameraControl(options, open_node=double.open_node)
    )
    try:
        with patch("conclave_hal.v4l2.camera_control.DRIVER", driver):
            yield Rig(Slot.CAMERA_CONTROL, "v4l2", {"device": str(double.path)}, unplug, plug_in)
    finally:
        double.close()
