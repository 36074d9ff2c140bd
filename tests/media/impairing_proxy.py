"""A bad network between a room and the relay: loses, repeats and reorders, by a seed."""

import asyncio
import random
from typing import Any, Self, cast

from conclaved.rtp import MediaOffer


class _Side(asyncio.DatagramProtocol):
    def __init__(self, proxy: "ImpairingProxy", is_client: bool) -> None:
        self.proxy = proxy
        self.is_client = is_client

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: Any) -> None:
        if self.is_client:
            self.proxy.client_address = addr
            self.proxy.to_relay(data)
        else:
            self.proxy.to_client(data)


class ImpairingProxy:
    """Passes one client's datagrams to the relay as they are, and the relay's to it badly."""

    def __init__(self, seed: int, *, loss: float, repeat: float, reorder: float) -> None:
        self.is_bad = True
        self.lost = self.repeated = self.reordered = 0
        self.client_address: Any = None
        self._dice = random.Random(seed)
        self._rates = loss, repeat, reorder
        self._late: list[bytes] = []

    async def open(self, offer: MediaOffer) -> Self:
        loop = asyncio.get_running_loop()
        _, self._client = await loop.create_datagram_endpoint(
            lambda: _Side(self, True), local_addr=("127.0.0.1", 0)
        )
        _, self._relay = await loop.create_datagram_endpoint(
            lambda: _Side(self, False), remote_addr=(offer.host, offer.port)
        )
        self.port: int = self._client.transport.get_extra_info("sockname")[1]
        return self

    def close(self) -> None:
        self._client.transport.abort()
        self._relay.transport.abort()

    def to_relay(self, data: bytes) -> None:
        self._relay.transport.sendto(data)

    def to_client(self, data: bytes) -> None:
        if self.client_address is None:
            return
        loss, repeat, reorder = self._rates if self.is_bad else (0.0, 0.0, 0.0)
        fate = self._dice.random()
        if fate < loss:
            self.lost += 1
            return
        if fate < loss + reorder:
            self.reordered += 1
            self._late.append(data)
            return
        self._pass(data)
        if fate < loss + reorder + repeat:
            self.repeated += 1
            self._pass(data)
        late, self._late = self._late, []
        for old in late:
            self._pass(old)

    def _pass(self, data: bytes) -> None:
        self._client.transport.sendto(data, self.client_address)
