"""The media relay over real UDP on loopback."""

import asyncio
from collections.abc import AsyncIterator
from typing import Self

import pytest

from conclaved.conference.relay import Relay, RelayUnavailableError
from conclaved.rtp import (
    Direction,
    MediaOffer,
    PictureLossIndication,
    ReceiverReport,
    RtpPacket,
    RtpUsageError,
    SrtpSession,
    rtcp,
)

MEETING, OTHER_MEETING = b"meeting", b"other"
DEADLINE_S = 5


class Peer(asyncio.DatagramProtocol):
    """A client: one socket, the keys of its offer."""

    def __init__(self, offer: MediaOffer) -> None:
        self.offer = offer
        self.out = SrtpSession(Direction.OUTBOUND, offer.send_key)
        self.into = SrtpSession(Direction.INBOUND, offer.receive_key)
        self.inbox: asyncio.Queue[bytes] = asyncio.Queue()
        self.number = 0

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        remote = (self.offer.host, self.offer.port)
        self.transport, _ = await loop.create_datagram_endpoint(lambda: self, remote_addr=remote)
        self.say_hello()
        return self

    async def __aexit__(self, *exc: object) -> None:
        self.transport.abort()
        await asyncio.sleep(0)

    def datagram_received(self, data: bytes, addr: object) -> None:
        self.inbox.put_nowait(data)

    def say_hello(self) -> None:
        """Let the relay learn our address."""
        self.control([ReceiverReport(self.offer.video_ssrc)])

    def control(self, packets: list[rtcp.RtcpPacket]) -> None:
        self.transport.sendto(self.out.protect_rtcp(rtcp.encode(packets)))

    def packet(self, payload: bytes, ssrc: int | None = None) -> RtpPacket:
        self.number += 1
        return RtpPacket(96, self.number, 7, self.offer.video_ssrc if ssrc is None else ssrc, payload)

    def send(self, payload: bytes, ssrc: int | None = None) -> bytes:
        wire = self.out.protect(self.packet(payload, ssrc).encode())
        self.transport.sendto(wire)
        return wire

    async def receive(self) -> RtpPacket:
        async with asyncio.timeout(DEADLINE_S):
            return RtpPacket.decode(self.into.unprotect(await self.inbox.get()))

    async def receive_control(self) -> tuple[rtcp.RtcpPacket, ...]:
        async with asyncio.timeout(DEADLINE_S):
            return rtcp.decode(self.into.unprotect_rtcp(await self.inbox.get()))


@pytest.fixture
async def relay() -> AsyncIterator[Relay]:
    started = await Relay.start("127.0.0.1")
    yield started
    await started.close()


@pytest.fixture
async def ana(relay: Relay) -> AsyncIterator[Peer]:
    async with Peer(relay.add_client(MEETING, 1)) as peer:
        yield peer


@pytest.fixture
async def ben(relay: Relay, ana: Peer) -> AsyncIterator[Peer]:
    async with Peer(relay.add_client(MEETING, 2)) as peer:
        await settled(relay, 2)
        yield peer


async def settled(relay: Relay, clients: int, meeting: bytes = MEETING) -> None:
    """Wait until the relay knows where `clients` clients are."""
    async with asyncio.timeout(DEADLINE_S):
        while sum(stats.has_address for _, stats in relay.stats(meeting).clients) < clients:  # noqa: ASYNC110
            await asyncio.sleep(0)


async def until_refused(relay: Relay, client: int) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not (stats := dict(relay.stats(MEETING).clients)[client]).packets_refused:
            if stats.packets_replayed:
                return
            await asyncio.sleep(0)


async def test_a_packet_reaches_every_other_client_and_not_its_sender(
    relay: Relay, ana: Peer, ben: Peer
) -> None:
    async with Peer(relay.add_client(MEETING, 3)) as cleo:
        await settled(relay, 3)
        ana.send(b"one")
        assert (await ben.receive()).payload == b"one"
        assert (await cleo.receive()).payload == b"one"
        ben.send(b"two")
        assert (await ana.receive()).payload == b"two"
        assert ana.inbox.empty()


async def test_header_fields_pass_unchanged(ana: Peer, ben: Peer) -> None:
    sent = RtpPacket(111, 500, 0xABCDEF01, ana.offer.audio_ssrc, b"\xc0x", marker=True)
    ana.transport.sendto(ana.out.protect(sent.encode()))
    assert await ben.receive() == sent


async def test_a_packet_travels_under_the_receivers_own_key(ana: Peer, ben: Peer) -> None:
    wire = ana.send(b"payload")
    async with asyncio.timeout(DEADLINE_S):
        received = await ben.inbox.get()
    assert b"payload" not in received
    assert received != wire
    assert RtpPacket.decode(ben.into.unprotect(received)).payload == b"payload"


async def test_another_meeting_receives_nothing(relay: Relay, ana: Peer, ben: Peer) -> None:
    async with Peer(relay.add_client(OTHER_MEETING, 1)) as stranger:
        await settled(relay, 1, OTHER_MEETING)
        ana.send(b"inside")
        await ben.receive()
        assert stranger.inbox.empty()
        assert dict(relay.stats(OTHER_MEETING).clients)[1].packets_sent == 0


async def test_capture_gets_the_packet_as_the_relay_sees_it() -> None:
    captured: list[bytes] = []
    relay = await Relay.start("127.0.0.1", capture=captured.append)
    try:
        async with (
            Peer(relay.add_client(MEETING, 1)) as ana,
            Peer(relay.add_client(MEETING, 2)) as ben,
        ):
            await settled(relay, 2)
            ana.send(b"sealed")
            received = await ben.receive()
            assert [RtpPacket.decode(data) for data in captured] == [received]
    finally:
        await relay.close()


async def test_a_forged_packet_is_refused_and_goes_nowhere(relay: Relay, ana: Peer, ben: Peer) -> None:
    wire = bytearray(ana.out.protect(ana.packet(b"true").encode()))
    wire[-1] ^= 1
    ana.transport.sendto(bytes(wire))
    await until_refused(relay, 1)
    ana.send(b"after")
    assert (await ben.receive()).payload == b"after"


async def test_a_replayed_packet_is_refused_and_counted(relay: Relay, ana: Peer, ben: Peer) -> None:
    wire = ana.send(b"once")
    await ben.receive()
    ana.transport.sendto(wire)
    await until_refused(relay, 1)
    assert dict(relay.stats(MEETING).clients)[1].packets_replayed == 1
    ana.send(b"after")
    assert (await ben.receive()).payload == b"after"


async def test_a_client_cannot_send_under_anothers_ssrc(relay: Relay, ana: Peer, ben: Peer) -> None:
    ana.send(b"as ben", ssrc=ben.offer.video_ssrc)
    await until_refused(relay, 2)
    ana.send(b"as ana")
    assert (await ben.receive()).payload == b"as ana"


async def test_datagrams_of_nobody_are_counted(relay: Relay, ana: Peer, ben: Peer) -> None:
    for data in (b"x", bytes(40), b"\x80\xc9" + bytes(20)):
        ana.transport.sendto(data)
    ana.send(b"after")
    await ben.receive()
    assert relay.stats(MEETING).packets_unknown == 3


async def test_a_forged_packet_does_not_move_a_clients_address(relay: Relay, ana: Peer, ben: Peer) -> None:
    async with Peer(ben.offer) as thief:
        thief.inbox = asyncio.Queue()
        wire = bytearray(ben.out.protect(ben.packet(b"true").encode()))
        wire[-1] ^= 1
        thief.transport.sendto(bytes(wire))
        await until_refused(relay, 2)
    ana.send(b"for ben")
    assert (await ben.receive()).payload == b"for ben"


async def test_an_authentic_packet_from_elsewhere_moves_a_clients_address(
    relay: Relay, ana: Peer, ben: Peer
) -> None:
    loop = asyncio.get_running_loop()
    moved, _ = await loop.create_datagram_endpoint(lambda: ben, remote_addr=(ben.offer.host, ben.offer.port))
    old, ben.transport = ben.transport, moved
    old.abort()
    ben.send(b"here now")
    assert (await ana.receive()).payload == b"here now"
    ana.send(b"found you")
    assert (await ben.receive()).payload == b"found you"


async def test_a_picture_loss_indication_reaches_the_client_that_it_names(ana: Peer, ben: Peer) -> None:
    ben.control([PictureLossIndication(ben.offer.video_ssrc, ana.offer.video_ssrc)])
    assert await ana.receive_control() == (PictureLossIndication(ben.offer.video_ssrc, ana.offer.video_ssrc),)


async def test_feedback_in_anothers_name_is_refused(relay: Relay, ana: Peer, ben: Peer) -> None:
    ben.control(
        [
            ReceiverReport(ben.offer.video_ssrc),
            PictureLossIndication(ana.offer.video_ssrc, ana.offer.video_ssrc),
        ]
    )
    await until_refused(relay, 2)
    ben.send(b"after")
    assert (await ana.receive()).payload == b"after"


async def test_feedback_does_not_cross_meetings(relay: Relay, ana: Peer, ben: Peer) -> None:
    async with Peer(relay.add_client(OTHER_MEETING, 1)) as stranger:
        stranger.control([PictureLossIndication(stranger.offer.video_ssrc, ana.offer.video_ssrc)])
        await settled(relay, 1, OTHER_MEETING)
        ben.send(b"after")
        assert (await ana.receive()).payload == b"after"


async def test_a_removed_client_is_heard_no_more(relay: Relay, ana: Peer, ben: Peer) -> None:
    relay.remove_client(MEETING, 1)
    ana.send(b"gone")
    async with Peer(relay.add_client(MEETING, 3)) as cleo:
        await settled(relay, 2)
        cleo.send(b"there")
        assert (await ben.receive()).payload == b"there"
    assert relay.stats(MEETING).packets_unknown == 1


async def test_adding_a_client_again_voids_what_it_had(relay: Relay, ana: Peer, ben: Peer) -> None:
    offer = relay.add_client(MEETING, 1)
    assert offer.send_key != ana.offer.send_key
    ana.send(b"old keys")
    async with Peer(offer) as again:
        await settled(relay, 2)
        again.send(b"new keys")
        assert (await ben.receive()).payload == b"new keys"


async def test_offers_share_no_key_and_no_ssrc(relay: Relay) -> None:
    offers = [relay.add_client(MEETING, n) for n in range(5)]
    assert len({key for o in offers for key in (o.send_key, o.receive_key)}) == 10
    assert len({ssrc for o in offers for ssrc in (o.audio_ssrc, o.video_ssrc)}) == 10


async def test_a_port_that_is_taken_is_a_clear_error(relay: Relay) -> None:
    with pytest.raises(RelayUnavailableError, match=str(relay.address[1])):
        await Relay.start("127.0.0.1", relay.address[1])


async def test_a_closed_relay_gives_no_offers() -> None:
    relay = await Relay.start("127.0.0.1")
    relay.add_client(MEETING, 1)
    await relay.close()
    await relay.close()
    with pytest.raises(RtpUsageError):
        relay.add_client(MEETING, 2)
