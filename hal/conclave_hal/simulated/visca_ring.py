"""Simulated cameras behind one wire: a chain on a serial port, or one in a network.

On a chain every packet goes round: Address Set counts the cameras, IF_Clear clears them all, what is for
one of them ends there, and what is for nobody comes back.
"""

from collections.abc import Sequence

from conclave_hal.simulated.visca_camera import Said, SimulatedViscaCamera
from conclave_hal.visca.packet import BROADCAST, CONTROLLER, MAX_CAMERAS, Packet


class ViscaRing:
    """The chain, in the order in which the controller's packets pass it."""

    def __init__(self, cameras: Sequence[SimulatedViscaCamera]) -> None:
        """One to seven."""
        if not 1 <= len(cameras) <= MAX_CAMERAS:
            raise ValueError(f"{len(cameras)} cameras")
        self.cameras = tuple(cameras)
        self.is_broken = False
        """Whether nothing gets round: a camera without power, or a cable that is out."""
        self._back: list[Packet] = []
        for address, camera in enumerate(self.cameras, 1):
            camera.address = address

    def receive(self, packet: Packet, now: float, number: int | None = None) -> None:
        """Take a packet from the controller."""
        if self.is_broken or packet.sender != CONTROLLER:
            return
        if packet.receiver == BROADCAST:
            self._broadcast(packet.message)
            return
        for camera in self.cameras:
            if camera.address == packet.receiver:
                camera.receive(packet.message, now, number)
                return
        self._back.append(packet)

    def advance(self, now: float) -> list[Said]:
        """What comes back up to now."""
        said = [Said(packet, None) for packet in self._back]
        self._back.clear()
        for camera in self.cameras:
            said += camera.advance(now)
        return [] if self.is_broken else said

    def next_time(self) -> float | None:
        """When `advance` is due, if nothing comes before; the past for at once."""
        if self._back:
            return float("-inf")
        times = [time for camera in self.cameras if (time := camera.next_time()) is not None]
        return min(times, default=None)

    def _broadcast(self, message: bytes) -> None:
        if len(message) == 2 and message[0] == 0x30:
            for address, camera in enumerate(self.cameras, message[1]):
                camera.address = address
            message = bytes((0x30, message[1] + len(self.cameras)))
        elif message == b"\x01\x00\x01":
            for camera in self.cameras:
                camera.clear()
        self._back.append(Packet(CONTROLLER, BROADCAST, message))
