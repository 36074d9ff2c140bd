"""What simulated cameras are heard on: a pseudo-terminal, or a UDP port with Sony's header."""

import asyncio
import contextlib
import socket
from dataclasses import dataclass
from typing import Any

from conclave_hal.errors import DeviceError
from conclave_hal.simulated.pty_wire import PtyWire
from conclave_hal.simulated.visca_ring import ViscaRing
from conclave_hal.visca.over_ip import (
    NUMBER_REFUSED,
    RESET,
    TYPE_REFUSED,
    Datagram,
    PayloadType,
    parse_datagram,
)
from conclave_hal.visca.packet import PacketReader, parse_packet


@dataclass(frozen=True, slots=True)
class Pace:
    """The simulated cameras' time."""

    factor: float = 1.0
    """How many times faster than life they are."""

    def now(self) -> float:
        """The time for them, in their seconds."""
        return asyncio.get_running_loop().time() * self.factor

    def real_s(self, until: float | None) -> float | None:
        """How long that is from now in life's seconds; None for ever."""
        return None if until is None else max(0.0, until - self.now()) / self.factor


async def serve_on_pty(ring: ViscaRing, wire: PtyWire, pace: Pace) -> None:
    """Be the cameras on `wire` until cancelled, plugged in or not."""
    reader = PacketReader()
    while True:
        for said in ring.advance(pace.now()):
            wire.write(bytes(said.packet))
        try:
            async with asyncio.timeout(pace.real_s(ring.next_time())):
                data = await wire.read()
        except TimeoutError:
            continue
        for packet in reader.feed(data):
            ring.receive(packet, pace.now())


class UdpWire(asyncio.DatagramProtocol):
    """One camera in the network: it speaks to whoever spoke last, and wants rising sequence numbers."""

    def __init__(self, ring: ViscaRing, pace: Pace) -> None:
        self.ring = ring
        self._pace = pace
        self._transport: asyncio.DatagramTransport | None = None
        self._controller: Any = None
        self._last_number: int | None = None
        self._heard = asyncio.Event()
        self.is_unplugged = False
        self.lost_answers = 0
        """How many of the next datagrams get lost on their way to the controller."""

    @property
    def port(self) -> int:
        """Where it listens."""
        if self._transport is None:
            raise RuntimeError("not served yet")
        return int(self._transport.get_extra_info("sockname")[1])

    async def listen(self, host: str, port: int = 0) -> None:
        """Open the port. Raises OSError. Others may listen on it at other addresses of this machine."""
        ours = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            ours.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            ours.setblocking(False)
            ours.bind((host, port))
            loop = asyncio.get_running_loop()
            self._transport, _ = await loop.create_datagram_endpoint(lambda: self, sock=ours)
        except BaseException:
            ours.close()
            raise

    async def serve(self) -> None:
        """Be the camera until cancelled."""
        while True:
            self._heard.clear()
            for said in self.ring.advance(self._pace.now()):
                self._send(PayloadType.REPLY, said.number or 0, bytes(said.packet))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._pace.real_s(self.ring.next_time())):
                    await self._heard.wait()

    def close(self) -> None:
        """Close the port. Safe to call twice."""
        if self._transport is not None:
            self._transport.close()

    def datagram_received(self, data: bytes, address: Any) -> None:
        """Take what a controller sends."""
        if self.is_unplugged:
            return
        with contextlib.suppress(DeviceError):
            datagram = parse_datagram(data)
            self._controller = address
            if datagram.kind is PayloadType.CONTROL:
                if datagram.payload == RESET:
                    self._last_number = 0
                    self._send(PayloadType.CONTROL_REPLY, datagram.number, RESET)
            elif datagram.kind not in (PayloadType.COMMAND, PayloadType.INQUIRY):
                self._send(PayloadType.CONTROL, datagram.number, TYPE_REFUSED)
            elif self._last_number is None or datagram.number <= self._last_number:
                self._send(PayloadType.CONTROL, datagram.number, NUMBER_REFUSED)
            else:
                self._last_number = datagram.number
                self.ring.receive(parse_packet(datagram.payload), self._pace.now(), datagram.number)
        self._heard.set()

    def restart(self) -> None:
        """Lose the mains and get them back: it forgets the numbers."""
        self._last_number = None

    def _send(self, kind: PayloadType, number: int, payload: bytes) -> None:
        if self.lost_answers:
            self.lost_answers -= 1
        elif self._transport is not None and self._controller is not None and not self.is_unplugged:
            self._transport.sendto(bytes(Datagram(kind, number, payload)), self._controller)
