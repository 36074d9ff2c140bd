"""A Video4Linux camera: its node is a double below the ioctl, and its pictures are drawn in its thread."""

import errno
import os
import time
from collections.abc import AsyncIterator, Generator
from contextlib import asynccontextmanager
from functools import partial
from itertools import count
from pathlib import Path
from unittest.mock import patch

from conclave_hal.camera import Picture
from conclave_hal.drivers import Driver, Slot
from conclave_hal.v4l2.camera import V4l2Camera, V4l2CameraOptions, look_at
from conclave_hal.v4l2.modes import Chosen
from tests.hal.devices import picture
from tests.hal.rigs import Rig
from tests.hal.v4l2.fake_camera import FakeCamera


@asynccontextmanager
async def rig(folder: Path) -> AsyncIterator[Rig]:
    """A camera that is plugged in and works."""
    double = FakeCamera(folder / "camera")

    def capture(path: str, chosen: Chosen) -> Generator[Picture, None, None]:
        for number in count():
            time.sleep(0.02)
            if not double.path.exists():
                raise OSError(errno.ENODEV, os.strerror(errno.ENODEV))
            yield picture(number, chosen.format)

    async def unplug() -> None:
        double.unplug()

    async def plug_in() -> None:
        double.plug_in()

    look = partial(look_at, open_node=double.open_node)
    driver = Driver(V4l2CameraOptions, lambda options, made: V4l2Camera(options, look=look, capture=capture))
    try:
        with patch("conclave_hal.v4l2.camera.DRIVER", driver):
            yield Rig(Slot.CAMERA, "v4l2", {"device": str(double.path)}, unplug, plug_in)
    finally:
        double.close()
