"""A relay that lies: it has the hop's keys, and nothing else."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest

from conclaved.media import transport
from conclaved.media.streams import StreamContext, metadata_of
from conclaved.rtp import Direction, MediaOffer, Packetizer, RtpPacket, SrtpSession
from conclaved.sframe import EpochKeys, MediaKeyring, Refusal
from tests.media.rooms import Room, until, voice

TWO = frozenset({0, 1})
VOICE = StreamContext.MICROPHONE
SSRC = 77


class HostileRelay(asyncio.DatagramProtocol):
    """Sends what a test tells it to, under the offer's keys."""

    def __init__(self) -> None:
        self.address: Any = None
        self.key, self.other = bytes(range(30)), bytes(range(1, 31))
        self.out = SrtpSession(Direction.OUTBOUND, self.other)
        self.packetizer = Packetizer(SSRC, 111)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self.address = addr

    def raw(self, data: bytes) -> None:
        self.transport.sendto(data, self.address)

    def packet(self, packet: RtpPacket) -> bytes:
        wire = self.out.protect(packet.encode())
        self.raw(wire)
        return wire

    def ciphertext(self, data: bytes, timestamp: int = 0) -> bytes:
        (packet,) = self.packetizer.packetize(data, timestamp)
        return self.packet(packet)


@contextlib.asynccontextmanager
async def trapped() -> AsyncIterator[tuple[HostileRelay, Room, MediaKeyring]]:
    """A room whose only relay is hostile, and the keyring of the other member."""
    loop = asyncio.get_running_loop()
    socket, relay = await loop.create_datagram_endpoint(HostileRelay, local_addr=("127.0.0.1", 0))
    room, peer = Room(0), MediaKeyring()
    room.advance(1, TWO)
    peer.advance(EpochKeys(1, (1).to_bytes(16, "big"), 4, 1, TWO), 0.0)
    port = socket.get_extra_info("sockname")[1]
    try:
        await room.engine.start(MediaOffer("127.0.0.1", port, 1, 2, relay.key, relay.other))
        await until(lambda: relay.address)
        yield relay, room, peer
    finally:
        await room.engine.stop()
        socket.abort()


def seal(peer: MediaKeyring, data: bytes) -> bytes:
    return peer.protect(VOICE, data, metadata_of(0), 0.0)


async def refused(room: Room, reason: Refusal) -> None:
    await until(lambda: room.engine.stats().keyring.refused[reason])


async def goes_on(relay: HostileRelay, room: Room, peer: MediaKeyring) -> None:
    """Nothing bad was played, and a true frame still is."""
    before = len(room.speaker.played)
    relay.ciphertext(seal(peer, b"true"))
    await until(lambda: len(room.speaker.played) > before)
    assert set(room.speaker.data("1/0")) == {b"true"}


async def test_a_frame_that_was_changed_is_refused() -> None:
    async with trapped() as (relay, room, peer):
        sealed = seal(peer, b"changed")
        relay.ciphertext(sealed[:-1] + bytes((sealed[-1] ^ 1,)))
        await refused(room, Refusal.FORGED)
        await goes_on(relay, room, peer)


async def test_a_frame_sent_again_in_a_new_packet_is_refused() -> None:
    async with trapped() as (relay, room, peer):
        sealed = seal(peer, b"true")
        relay.ciphertext(sealed)
        await until(lambda: room.speaker.played)
        relay.ciphertext(sealed)
        await refused(room, Refusal.REPLAYED)
        await goes_on(relay, room, peer)


async def test_a_frame_under_another_key_is_refused() -> None:
    async with trapped() as (relay, room, peer):
        stranger = MediaKeyring()
        stranger.advance(EpochKeys(1, b"another base key", 4, 1, TWO), 0.0)
        relay.ciphertext(seal(stranger, b"stranger"))
        await refused(room, Refusal.FORGED)
        await goes_on(relay, room, peer)


async def test_a_frame_at_another_time_is_refused() -> None:
    async with trapped() as (relay, room, peer):
        relay.ciphertext(seal(peer, b"moved"), timestamp=960)
        await refused(room, Refusal.FORGED)
        await goes_on(relay, room, peer)


async def test_our_own_frame_is_refused_when_it_comes_back() -> None:
    async with trapped() as (relay, room, peer):
        mirror = MediaKeyring()
        mirror.advance(EpochKeys(1, (1).to_bytes(16, "big"), 4, 0, TWO), 0.0)
        relay.ciphertext(seal(mirror, b"mirror"))
        await refused(room, Refusal.OWN)
        await goes_on(relay, room, peer)


async def test_garbage_in_every_layer_is_refused() -> None:
    async with trapped() as (relay, room, peer):
        relay.ciphertext(b"\xff")
        await refused(room, Refusal.MALFORMED)
        relay.packet(RtpPacket(111, 900, 0, 5, b""))
        for data in (b"\x80", bytes(60), b"\x80\xc9\0\1" + bytes(30), bytes(3000)):
            relay.raw(data)
        await until(lambda: room.engine.stats().received.packets_refused == 4)
        await goes_on(relay, room, peer)


async def test_a_packet_sent_again_is_refused_at_the_hop() -> None:
    async with trapped() as (relay, room, peer):
        relay.raw(relay.ciphertext(seal(peer, b"true")))
        await until(lambda: room.engine.stats().received.packets_replayed == 1)
        await goes_on(relay, room, peer)


async def test_ssrcs_without_end_are_forgotten_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "MAX_SSRCS", 4)
    async with trapped() as (relay, room, peer):
        first = relay.packet(RtpPacket(111, 1, 0, 1000, b""))
        for ssrc in range(1001, 1010):
            relay.packet(RtpPacket(111, 1, 0, ssrc, b""))
        await until(lambda: room.engine.stats().received.packets_received == 10)
        # The first one's replay window is gone with it; a frame in it would still be opened once.
        relay.raw(first)
        await until(lambda: room.engine.stats().received.packets_received == 11)
        await goes_on(relay, room, peer)


async def test_plain_media_is_not_played() -> None:
    async with trapped() as (relay, room, peer):
        relay.packet(RtpPacket(111, 5, 0, 6, voice(b"\xc0plain opus").data))
        await until(lambda: room.engine.stats().received.units_assembled)
        await goes_on(relay, room, peer)
