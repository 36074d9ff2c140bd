"""A wire to a device's second network card, and a scan of all its ports from the other end.

QEMU's user network shows only what it was told to forward. A tap in the tests' own network shows what a
stranger on the same cable sees.
"""

import asyncio
import contextlib
import errno
import socket
import struct
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from tests.image.machine import EMPTY_SLOT, Machine

TAP = "conclave0"
HERE, DEVICE = "198.51.100.1", "198.51.100.2"
"""Ends of the wire (RFC 5737)."""
CARD = "52:54:00:12:34:99"
"""The second card's address."""
ALL_PORTS = range(1, 65536)
_AT_ONCE = 400
_CONNECT_S = 20.0
"""A port that says nothing for so long is filtered; the device is emulated, and answers all at once."""
_PACE_S = 0.02
_PER_PACE = 200
_UNREACHABLE = {socket.AF_INET: (3, 3), socket.AF_INET6: (1, 4)}
"""Type and code of ICMP's "port unreachable" (RFC 792; RFC 4443 §3.1)."""


@asynccontextmanager
async def wire(machine: Machine) -> AsyncIterator[None]:
    """Plug a second card into a machine that runs, with the tests' end of its wire here."""
    await _ip("tuntap", "add", TAP, "mode", "tap")
    try:
        await _ip("address", "add", f"{HERE}/24", "dev", TAP)
        await _ip("link", "set", TAP, "up")
        tap = {"type": "tap", "id": "wire", "ifname": TAP, "script": "no", "downscript": "no"}
        await machine.qmp.execute("netdev_add", **tap)
        card = {"driver": "virtio-net-pci", "id": "outside", "netdev": "wire", "romfile": "", "mac": CARD}
        await machine.qmp.execute("device_add", bus=EMPTY_SLOT, **card)
        yield
    finally:
        # Its user first: the tap is gone with QEMU.
        await machine.stop()
        await _ip("link", "delete", TAP)


async def open_tcp(address: str, ports: Iterable[int] = ALL_PORTS) -> set[int]:
    """The ports that take a connection, or answer anything but a refusal."""
    gate = asyncio.Semaphore(_AT_ONCE)
    found: set[int] = set()

    async def knock(port: int) -> None:
        async with gate:
            if not await _is_refused(address, port):
                found.add(port)

    async with asyncio.TaskGroup() as group:
        for port in ports:
            group.create_task(knock(port))
    return found


async def _is_refused(address: str, port: int) -> bool:
    try:
        async with asyncio.timeout(_CONNECT_S):
            _, writer = await asyncio.open_connection(address, port)
    except ConnectionRefusedError:
        return True
    except (OSError, TimeoutError):
        return False
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return False


async def open_udp(address: str, ports: Iterable[int] = ALL_PORTS) -> set[int]:
    """The ports of which the device does not say that nobody is there, asked several times.

    It needs the device's limits on ICMP lifted, which say one such word a second.
    """
    return await asyncio.to_thread(_open_udp, address, set(ports))


def _open_udp(address: str, left: set[int]) -> set[int]:
    family, _, _, _, target = socket.getaddrinfo(address, 1, type=socket.SOCK_DGRAM)[0]
    protocol = socket.IPPROTO_ICMP if family == socket.AF_INET else socket.IPPROTO_ICMPV6
    with (
        socket.socket(family, socket.SOCK_DGRAM) as asking,
        socket.socket(family, socket.SOCK_RAW, protocol) as hearing,
    ):
        hearing.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 24)
        hearing.setblocking(False)
        # A slow machine loses some of a burst: until a whole round has brought no answer more.
        before = 0
        while left and len(left) != before:
            before = len(left)
            for number, port in enumerate(sorted(left)):
                # An error that came back for an earlier port is reported at the next one's turn.
                with contextlib.suppress(ConnectionRefusedError):
                    asking.sendto(b"", (target[0], port, *target[2:]))
                if number % _PER_PACE == _PER_PACE - 1:
                    time.sleep(_PACE_S)
                    left -= _said_unreachable(hearing, family)
            give_up_at = time.monotonic() + 3
            while left and time.monotonic() < give_up_at:
                time.sleep(_PACE_S)
                left -= _said_unreachable(hearing, family)
    return left


def _said_unreachable(hearing: socket.socket, family: socket.AddressFamily) -> set[int]:
    """The ports in the messages that have come: each holds the head of the datagram that it is about."""
    found: set[int] = set()
    while True:
        try:
            packet = hearing.recv(2048)
        except BlockingIOError:
            return found
        except OSError as error:
            if error.errno != errno.ECONNREFUSED:
                raise
            continue
        if family == socket.AF_INET:
            # A raw socket of IPv4 hands over the IP head too; the inner one has a length of its own.
            icmp = packet[(packet[0] & 15) * 4 :]
            inner = icmp[8:]
            udp = inner[(inner[0] & 15) * 4 :] if inner else b""
        else:
            icmp = packet
            udp = icmp[8 + 40 :]
        if (icmp[0], icmp[1]) == _UNREACHABLE[family] and len(udp) >= 4:
            found.add(struct.unpack("!H", udp[2:4])[0])


async def _ip(*words: str) -> None:
    process = await asyncio.create_subprocess_exec("ip", *words, stderr=asyncio.subprocess.PIPE)
    _, said = await process.communicate()
    if process.returncode != 0:
        raise OSError(f"ip {' '.join(words)}: {said.decode(errors='replace').strip()}")
