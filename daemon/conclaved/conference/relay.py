"""The media relay of the conference service: forwards what it cannot read.

One UDP port for all meetings. A client has two SRTP keys of its own, one for each direction,
and two SSRCs that only it may use. What it sends is authenticated with its key and sent to
every other client of its meeting under theirs; the payload, an SFrame ciphertext, is never
looked at. Header fields pass unchanged: receivers authenticate the timestamp end to end.

    datagram -> SSRC names the client -> its key authenticates -> its address is where it came from
             -> capture -> each other client that has an address: protect, send

An address is learned from authenticated packets only, and follows the newest: a client behind
a NAT may move. A stranger's datagram costs one look-up, a forged one a tag check; a true one
costs a tag for each other client, and their number is bounded.
"""

import asyncio
import contextlib
import secrets
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast

from conclaved.conference.errors import ConferenceError
from conclaved.rtp import rtcp
from conclaved.rtp.errors import (
    MalformedPacketError,
    RtpRemoteError,
    RtpUsageError,
    SrtpReplayError,
)
from conclaved.rtp.offer import SRTP_KEY_BYTES, MediaOffer
from conclaved.rtp.packet import is_rtcp, ssrc_of
from conclaved.rtp.srtp import Direction, SrtpSession

MAX_CLIENTS = 256
"""In one meeting."""
_RECEIVE_BUFFER_BYTES = 1 << 20

Address = tuple[Any, ...]


class RelayUnavailableError(ConferenceError):
    """The relay cannot have its UDP port."""


@dataclass(frozen=True, slots=True)
class ClientStats:
    """What the relay did for one client."""

    packets_received: int = 0
    """Media packets that its key authenticated."""
    bytes_received: int = 0
    packets_sent: int = 0
    """Media packets sent to it."""
    packets_refused: int = 0
    """Forged, malformed or misplaced packets under its SSRCs."""
    packets_replayed: int = 0
    packets_dropped: int = 0
    """Media packets meant for it, while it had no address yet or the socket was full."""
    feedback_forwarded: int = 0
    """Picture loss indications of others, sent to it."""
    has_address: bool = False


@dataclass(frozen=True, slots=True)
class RelayStats:
    """What the relay did for one meeting."""

    clients: tuple[tuple[int, ClientStats], ...] = ()
    packets_unknown: int = 0
    """Datagrams of no client, on the whole port."""


@dataclass(slots=True, eq=False)
class _Client:
    number: int
    meeting: "_Meeting"
    offer: MediaOffer
    uplink: SrtpSession
    downlink: SrtpSession
    address: Address | None = None
    packets_received: int = 0
    bytes_received: int = 0
    packets_sent: int = 0
    packets_refused: int = 0
    packets_replayed: int = 0
    packets_dropped: int = 0
    feedback_forwarded: int = 0

    def stats(self) -> ClientStats:
        return ClientStats(
            self.packets_received,
            self.bytes_received,
            self.packets_sent,
            self.packets_refused,
            self.packets_replayed,
            self.packets_dropped,
            self.feedback_forwarded,
            self.address is not None,
        )


@dataclass(slots=True, eq=False)
class _Meeting:
    name: bytes
    clients: dict[int, _Client] = field(default_factory=dict)


class Relay(asyncio.DatagramProtocol):
    """A UDP relay. Made by `start`, ended by `close`."""

    def __init__(self, *, capture: Callable[[bytes], None] | None = None) -> None:
        """Use `start`. `capture` gets every RTP packet as the relay sees it once SRTP is off."""
        self._capture = capture
        self._transport: asyncio.DatagramTransport | None = None
        self._closed = asyncio.Event()
        self._advertised = ""
        self._meetings: dict[bytes, _Meeting] = {}
        self._by_ssrc: dict[int, _Client] = {}
        self._unknown = 0
        self._is_full = False

    @classmethod
    async def start(
        cls,
        host: str,
        port: int = 0,
        *,
        advertise: str = "",
        capture: Callable[[bytes], None] | None = None,
    ) -> "Relay":
        """Listen on `host` and `port` (0: a free one).

        `advertise` is the host that offers name, where clients cannot use `host` (a wildcard).
        Raises RelayUnavailableError.
        """
        relay = cls(capture=capture)
        loop = asyncio.get_running_loop()
        try:
            await loop.create_datagram_endpoint(lambda: relay, local_addr=(host, port))
        # ValueError: a host name that no resolver takes, such as one with an empty label.
        except (OSError, ValueError) as error:
            raise RelayUnavailableError(
                f"media relay cannot listen on {host}:{port}: {error}", hint="choose another address or port"
            ) from error
        relay._advertised = advertise or relay.address[0]
        return relay

    @property
    def address(self) -> tuple[str, int]:
        """Host and port that the relay listens on. Raises RtpUsageError when it does not."""
        if self._transport is None:
            raise RtpUsageError("the relay is not running")
        host, port = self._transport.get_extra_info("sockname")[:2]
        return host, port

    def add_client(self, meeting: bytes, client: int) -> MediaOffer:
        """Make keys and SSRCs for a client of a meeting; what it had before is void.

        Raises RtpUsageError when the meeting is full or the relay does not run.
        """
        port = self.address[1]
        self.remove_client(meeting, client)
        found = self._meetings.setdefault(meeting, _Meeting(meeting))
        if len(found.clients) >= MAX_CLIENTS:
            raise RtpUsageError(f"a meeting has at most {MAX_CLIENTS} media clients")
        audio, video = self._new_ssrc(), self._new_ssrc()
        while video == audio:
            video = self._new_ssrc()
        offer = MediaOffer(
            self._advertised,
            port,
            audio,
            video,
            secrets.token_bytes(SRTP_KEY_BYTES),
            secrets.token_bytes(SRTP_KEY_BYTES),
        )
        made = _Client(
            client,
            found,
            offer,
            SrtpSession(Direction.INBOUND, offer.send_key),
            SrtpSession(Direction.OUTBOUND, offer.receive_key),
        )
        found.clients[client] = self._by_ssrc[audio] = self._by_ssrc[video] = made
        return offer

    def remove_client(self, meeting: bytes, client: int) -> None:
        """Forget a client and its keys. Unknown ones are ignored."""
        found = self._meetings.get(meeting)
        gone = found.clients.pop(client, None) if found else None
        if found is None or gone is None:
            return
        del self._by_ssrc[gone.offer.audio_ssrc], self._by_ssrc[gone.offer.video_ssrc]
        gone.uplink.close()
        gone.downlink.close()
        for other in found.clients.values():
            # SSRCs are random and never given twice, so this forgets nothing that will be used.
            other.downlink.forget(gone.offer.audio_ssrc)
            other.downlink.forget(gone.offer.video_ssrc)
        if not found.clients:
            del self._meetings[meeting]

    def stats(self, meeting: bytes) -> RelayStats:
        """What was done so far for the clients that are there now."""
        found = self._meetings.get(meeting)
        clients = tuple((c.number, c.stats()) for c in found.clients.values()) if found else ()
        return RelayStats(clients, self._unknown)

    async def close(self) -> None:
        """Stop listening and forget every key. Safe to call twice."""
        for meeting in list(self._meetings.values()):
            for client in list(meeting.clients):
                self.remove_client(meeting.name, client)
        if self._transport is not None:
            self._transport.abort()
            self._transport = None
            await self._closed.wait()

    def _new_ssrc(self) -> int:
        while True:
            ssrc = secrets.randbits(32)
            if ssrc not in self._by_ssrc:
                return ssrc

    # asyncio.DatagramProtocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The socket is there."""
        # Python 3.11's datagram transport is no subclass of DatagramTransport, only shaped like one.
        self._transport = cast("asyncio.DatagramTransport", transport)
        with contextlib.suppress(OSError):
            transport.get_extra_info("socket").setsockopt(
                socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER_BYTES
            )

    def connection_lost(self, exc: Exception | None) -> None:
        """The socket is gone."""
        self._closed.set()

    def pause_writing(self) -> None:
        """Too much waits in the socket: packets are dropped, as any full queue on the way would."""
        self._is_full = True

    def resume_writing(self) -> None:
        """The socket has room again."""
        self._is_full = False

    def error_received(self, exc: Exception) -> None:
        """A client's port is closed (ICMP). It will come back or be removed."""

    def datagram_received(self, data: bytes, addr: Address) -> None:
        """Authenticate, learn the address, forward."""
        ssrc = ssrc_of(data)
        client = self._by_ssrc.get(ssrc) if ssrc is not None else None
        if client is None:
            self._unknown += 1
            return
        try:
            if is_rtcp(data):
                self._feedback(client, client.uplink.unprotect_rtcp(data), addr)
            else:
                self._media(client, client.uplink.unprotect(data), addr)
        except SrtpReplayError:
            client.packets_replayed += 1
        except RtpRemoteError:
            client.packets_refused += 1

    def _media(self, client: _Client, packet: bytes, addr: Address) -> None:
        client.address = addr
        client.packets_received += 1
        client.bytes_received += len(packet)
        if self._capture is not None:
            self._capture(packet)
        for other in client.meeting.clients.values():
            if other is client:
                continue
            if self._send(other, packet, other.downlink.protect):
                other.packets_sent += 1
            else:
                other.packets_dropped += 1

    def _feedback(self, client: _Client, compound: bytes, addr: Address) -> None:
        client.address = addr
        own = {client.offer.audio_ssrc, client.offer.video_ssrc}
        asked = set()
        for packet in rtcp.decode(compound):
            if not isinstance(packet, rtcp.PictureLossIndication):
                continue
            if packet.sender_ssrc not in own:
                raise MalformedPacketError("feedback in another client's name")
            asked.add(packet.media_ssrc)
        for media_ssrc in asked:
            target = self._by_ssrc.get(media_ssrc)
            # Nobody asks across meetings: that would tell which SSRCs exist elsewhere.
            if target is None or target is client or target.meeting is not client.meeting:
                continue
            request = rtcp.encode([rtcp.PictureLossIndication(client.offer.video_ssrc, media_ssrc)])
            if self._send(target, request, target.downlink.protect_rtcp):
                target.feedback_forwarded += 1

    def _send(self, client: _Client, packet: bytes, protect: Callable[[bytes], bytes]) -> bool:
        """Send one packet to a client. Without an address nothing is protected: the stream's
        rollover counter must begin with a packet that the client can really get."""
        transport = self._transport
        if client.address is None or transport is None or self._is_full:
            return False
        try:
            wire = protect(packet)
        except RtpUsageError:
            # Too long to forward, or older than the window of this client's session.
            return False
        transport.sendto(wire, client.address)
        return True
