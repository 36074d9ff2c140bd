"""A wire to a device's second network card, and a scan of all its ports from the other end.

QEMU's user network shows only what it was told to forward. A tap in the tests' own network shows what a
stranger on the same cable sees.
"""

import asyncio
import contextlib
import errno
import select
import socket
import struct
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

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
_UDP_AT_ONCE = 64
_UDP_WAIT_S = 2.0
_UDP_TIMES = 3
"""How often a port is asked that says nothing: of what comes in a burst, a slow machine loses some."""
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


def _open_udp(address: str, ports: set[int]) -> set[int]:
    family, _, _, _, target = socket.getaddrinfo(address, 1, type=socket.SOCK_DGRAM)[0]
    protocol = socket.IPPROTO_ICMP if family == socket.AF_INET else socket.IPPROTO_ICMPV6
    with (
        socket.socket(family, socket.SOCK_DGRAM) as asking,
        socket.socket(family, socket.SOCK_RAW, protocol) as hearing,
    ):
        hearing.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 24)
        hearing.setblocking(False)
        silent = ports
        for _ in range(_UDP_TIMES):
            silent = _silent_once(asking, hearing, target, silent)
        return silent


def _silent_once(
    asking: socket.socket, hearing: socket.socket, target: tuple[Any, ...], ports: set[int]
) -> set[int]:
    """The ports of which nothing was heard: no more are asked at once than the device has had time for."""
    to_ask, waiting, silent = sorted(ports, reverse=True), dict[int, float](), set[int]()
    while to_ask or waiting:
        while to_ask and len(waiting) < _UDP_AT_ONCE:
            port = to_ask.pop()
            asking.sendto(b"", (target[0], port, *target[2:]))
            waiting[port] = time.monotonic()
        select.select([hearing], [], [], _UDP_WAIT_S / 10)
        for port in _said_unreachable(hearing, asking.family):
            waiting.pop(port, None)
            silent.discard(port)
        # Asked in this order, so the first ones have waited longest.
        late = time.monotonic() - _UDP_WAIT_S
        for port in [port for port, asked_at in waiting.items() if asked_at < late]:
            del waiting[port]
            silent.add(port)
    return silent


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
