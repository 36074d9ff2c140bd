"""The simulated room's camera turns: the driver `visca`, joined to a camera that is on a pty only."""

import asyncio
import contextlib
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from conclave_hal.camera_control import Limits
from conclave_hal.device import AnyDevice
from conclave_hal.drivers import Driver, Slot
from conclave_hal.options import Option, integer
from conclave_hal.simulated.camera_body import CameraBody
from conclave_hal.simulated.pty_wire import PtyWire
from conclave_hal.simulated.visca_camera import SimulatedViscaCamera
from conclave_hal.simulated.visca_orders import PRESETS
from conclave_hal.simulated.visca_ring import ViscaRing
from conclave_hal.simulated.visca_wires import Pace, serve_on_pty
from conclave_hal.visca.camera_control import ViscaCamera
from conclave_hal.visca.survey import Ranges
from conclave_hal.visca.transport import Transport, open_serial_transport

BAUD = 38400


@dataclass(frozen=True, slots=True)
class SimulatedControlOptions:
    """Options of the simulated camera's controls."""

    pace: Annotated[int, Option(integer(1, 100), "how many times faster than life it turns")] = 1


class SimulatedCameraControl(ViscaCamera):
    """A driver and its camera, with a wire between them."""

    def __init__(self, options: SimulatedControlOptions) -> None:
        self.camera = SimulatedViscaCamera()
        body = self.camera.body
        ranges = Ranges(
            Limits(body.pan.least, body.pan.most),
            Limits(body.tilt.least, body.tilt.most),
            Limits(body.zoom.least, body.zoom.most),
            PRESETS,
        )
        super().__init__("the simulated camera", ranges, camera=1, is_network=False)
        self._pace = Pace(options.pace)
        self._ring = ViscaRing([self.camera])
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._wire: PtyWire | None = None

    @property
    def body(self) -> CameraBody:
        """The camera's body, for whoever draws what it sees."""
        return self.camera.body

    async def open(self) -> None:
        """Make the wire."""
        if self._wire is None:
            self._folder = tempfile.TemporaryDirectory(prefix="conclave-camera-")
            self._wire = PtyWire(Path(self._folder.name) / "tty")
            self._wire.plug_in()

    async def run(self) -> None:
        """Be the camera, and drive it."""
        if self._wire is None:
            await super().run()
            return
        serving = asyncio.create_task(serve_on_pty(self._ring, self._wire, self._pace))
        try:
            await super().run()
        finally:
            serving.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await serving

    async def close(self) -> None:
        """Take the wire away."""
        await super().close()
        if self._wire is not None:
            self._wire.unplug()
        if self._folder is not None:
            self._folder.cleanup()
        self._wire = self._folder = None

    async def _connect(self) -> Transport:
        wire = self._wire
        return open_serial_transport("/nonexistent" if wire is None else str(wire.link), BAUD)


def _make(options: SimulatedControlOptions, made: Mapping[Slot, AnyDevice]) -> SimulatedCameraControl:
    return SimulatedCameraControl(options)


DRIVER = Driver(SimulatedControlOptions, _make)
