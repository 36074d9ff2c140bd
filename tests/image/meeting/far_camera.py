"""The simulated PTZ camera at the far end of the machine's serial port, which is a socket here."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from conclave_hal.simulated.camera_body import CameraBody
from conclave_hal.simulated.visca_camera import SimulatedViscaCamera
from conclave_hal.simulated.visca_ring import ViscaRing
from conclave_hal.simulated.visca_wires import Pace
from conclave_hal.visca.packet import PacketReader

READ_BYTES = 4096


class FarCamera:
    """One camera, and how far it has been turned."""

    def __init__(self) -> None:
        self._camera = SimulatedViscaCamera()
        self._ring = ViscaRing([self._camera])
        self._pace = Pace()
        self.received = 0
        """Packets that came over the wire."""
        self.widest_pan = 0
        """The farthest from where it began, in its own steps."""

    @property
    def body(self) -> CameraBody:
        """What the camera's mechanics do."""
        return self._camera.body

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Be the camera until the wire ends or this is cancelled."""
        packets = PacketReader()
        reading: asyncio.Task[bytes] | None = None
        try:
            while True:
                reading = reading or asyncio.create_task(reader.read(READ_BYTES))
                timeout = self._pace.real_s(self._ring.next_time())
                done, _ = await asyncio.wait({reading}, timeout=timeout)
                if done:
                    data, reading = reading.result(), None
                    if not data:
                        return
                    for packet in packets.feed(data):
                        self.received += 1
                        self._ring.receive(packet, self._pace.now())
                for said in self._ring.advance(self._pace.now()):
                    writer.write(bytes(said.packet))
                self.widest_pan = max(self.widest_pan, abs(self.body.pan.steps))
        finally:
            if reading is not None:
                reading.cancel()


@contextlib.asynccontextmanager
async def far_camera(wire: Path) -> AsyncIterator[FarCamera]:
    """The camera on QEMU's socket `wire`."""
    camera = FarCamera()
    reader, writer = await asyncio.open_unix_connection(wire)
    serving = asyncio.create_task(camera.serve(reader, writer))
    try:
        yield camera
    finally:
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
