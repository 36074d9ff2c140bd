"""What a link is joined to: a serial port, or a UDP socket.

A transport turns what the link has to send into bytes, and bytes into the link's input. It keeps no rule
of the protocol.
"""

import asyncio
import contextlib
import socket
from abc import ABC, abstractmethod
from typing import Any

from conclave_hal.errors import DeviceError, DeviceGoneError
from conclave_hal.options import HostPort
from conclave_hal.serial_port import SerialPort, SerialSettings, open_serial_port
from conclave_hal.visca.link import Link
from conclave_hal.visca.link_events import Kind, Outgoing
from conclave_hal.visca.over_ip import ERRORS, NUMBER_REFUSED, RESET, Datagram, PayloadType, parse_datagram
from conclave_hal.visca.packet import PacketReader, parse_packet
from conclave_hal.visca.replies import parse_reply

RESOLVE_S = 3.0
"""For the name of a camera in the network."""
MAX_DATAGRAMS = 64
"""Of what nobody has read yet; what comes then is lost, as datagrams may be."""


class Transport(ABC):
    """A wire. One task reads it; it is closed by its owner."""

    @abstractmethod
    async def read_into(self, link: Link) -> None:
        """Wait until something comes, and hand it to the link. Raises DeviceGoneError at the wire's end."""

    @abstractmethod
    async def send(self, outgoing: Outgoing) -> None:
        """Send one packet, in one piece. Raises DeviceGoneError or DeviceTimeoutError."""

    @abstractmethod
    def close(self) -> None:
        """Let the wire go. Safe to call twice."""


class SerialTransport(Transport):
    """A serial port, for us alone."""

    def __init__(self, port: SerialPort) -> None:
        self._port = port
        self._reader = PacketReader()

    async def read_into(self, link: Link) -> None:
        """Hand over the packets that are whole now, if any."""
        data = await self._port.read()
        now = asyncio.get_running_loop().time()
        for packet in self._reader.feed(data):
            link.receive(parse_reply(packet), now)

    async def send(self, outgoing: Outgoing) -> None:
        """In one write, because there are cameras that take each write for a packet."""
        if outgoing.packet is not None:
            await self._port.write(bytes(outgoing.packet))

    def close(self) -> None:
        """Let the port go."""
        self._port.close()


def open_serial_transport(path: str, baud: int) -> SerialTransport:
    """Raises DeviceGoneError with the reason if the port is not there now."""
    return SerialTransport(open_serial_port(path, SerialSettings(baud)))


_TYPES = {Kind.INQUIRY: PayloadType.INQUIRY, Kind.RESET: PayloadType.CONTROL}


class UdpTransport(asyncio.DatagramProtocol, Transport):
    """A UDP socket that hears one camera only."""

    def __init__(self, where: str) -> None:
        """Use `open_udp_transport`."""
        self._where = where
        self._datagrams: asyncio.Queue[bytes] = asyncio.Queue(MAX_DATAGRAMS)
        self._transport: asyncio.DatagramTransport | None = None
        self._end: DeviceGoneError | None = None

    def connection_made(self, transport: Any) -> None:
        """The socket is there."""
        self._transport = transport

    def datagram_received(self, data: bytes, address: Any) -> None:
        """Keep what has come until it is read."""
        with contextlib.suppress(asyncio.QueueFull):
            self._datagrams.put_nowait(data)

    def error_received(self, error: Exception) -> None:
        """Nobody listens there, or there is no way there; the link's silence decides."""

    async def read_into(self, link: Link) -> None:
        """Hand over one datagram. What is none is lost."""
        data = await self._datagrams.get()
        if self._end is not None:
            raise self._end
        now = asyncio.get_running_loop().time()
        with contextlib.suppress(DeviceError):
            datagram = parse_datagram(data)
            if datagram.kind is PayloadType.REPLY:
                link.receive(parse_reply(parse_packet(datagram.payload)), now, datagram.number)
            elif datagram.kind is PayloadType.CONTROL_REPLY and datagram.payload == RESET:
                link.sequence_reset(now)
            elif datagram.kind in ERRORS and datagram.payload == NUMBER_REFUSED:
                link.sequence_refused(now, datagram.number)

    async def send(self, outgoing: Outgoing) -> None:
        """Send one datagram."""
        if self._transport is None or self._end is not None:
            raise self._end or DeviceGoneError(f"{self._where}: not open")
        payload = RESET if outgoing.packet is None else bytes(outgoing.packet)
        kind = _TYPES.get(outgoing.kind, PayloadType.COMMAND)
        self._transport.sendto(bytes(Datagram(kind, outgoing.number, payload)))

    def close(self) -> None:
        """Let the socket go; who reads gets DeviceGoneError."""
        if self._end is None:
            self._end = DeviceGoneError(f"{self._where}: closed")
            self.datagram_received(b"", None)
        if self._transport is not None:
            self._transport.close()


async def open_udp_transport(address: HostPort) -> UdpTransport:
    """Find the camera's address and make a socket for it. Raises DeviceGoneError."""
    where = f"{address.host}:{address.port}"
    try:
        async with asyncio.timeout(RESOLVE_S):
            _, protocol = await asyncio.get_running_loop().create_datagram_endpoint(
                lambda: UdpTransport(where), remote_addr=(address.host, address.port)
            )
    except socket.gaierror as error:
        raise DeviceGoneError(f"{where}: no such host", hint="name it by its address") from error
    except (OSError, TimeoutError) as error:
        reason = getattr(error, "strerror", None) or "its name is not resolved in time"
        raise DeviceGoneError(f"{where}: {reason}") from error
    return protocol
