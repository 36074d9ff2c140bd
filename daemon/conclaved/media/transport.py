"""The UDP way to the relay, under SRTP.

Thin: it protects and unprotects, counts, and hands on. It never raises for what arrives.
"""

import asyncio
import contextlib
import socket
from collections.abc import Callable, Sequence
from typing import cast

from conclaved.media.errors import MediaUnavailableError
from conclaved.rtp import (
    Direction,
    MediaOffer,
    PictureLossIndication,
    ReceiverReport,
    RtpPacket,
    RtpRemoteError,
    RtpUsageError,
    SrtpReplayError,
    SrtpSession,
    is_rtcp,
    rtcp,
)

MAX_SSRCS = 512
"""SSRCs of which SRTP state is kept. Beyond it the longest unused one is forgotten: not by age, since
a member who was muted for an hour still has the rollover counter of an hour ago."""
_RECEIVE_BUFFER_BYTES = 1 << 20


class MediaTransport(asyncio.DatagramProtocol):
    """One socket, connected to the relay of one offer."""

    def __init__(
        self,
        offer: MediaOffer,
        on_packet: Callable[[RtpPacket], None],
        on_keyframe_wanted: Callable[[], None],
    ) -> None:
        """`on_packet` gets authenticated RTP; `on_keyframe_wanted` is called for a picture loss
        indication that names our camera."""
        self.offer = offer
        self.packets_received = 0
        self.packets_refused = 0
        self.packets_replayed = 0
        self.is_full = False
        self._on_packet = on_packet
        self._on_keyframe_wanted = on_keyframe_wanted
        self._outbound = SrtpSession(Direction.OUTBOUND, offer.send_key)
        self._inbound = SrtpSession(Direction.INBOUND, offer.receive_key)
        # In order of use, the latest last.
        self._ssrcs: dict[int, None] = {}
        self._transport: asyncio.DatagramTransport | None = None
        self._closed = asyncio.Event()

    async def open(self) -> None:
        """Connect the socket. Raises MediaUnavailableError."""
        loop = asyncio.get_running_loop()
        remote = self.offer.host, self.offer.port
        try:
            await loop.create_datagram_endpoint(lambda: self, remote_addr=remote)
        # ValueError: a host name that no resolver takes, such as one with an empty label.
        except (OSError, ValueError) as error:
            raise MediaUnavailableError(
                f"no way to the media relay {remote[0]}:{remote[1]}: {error}",
                hint="check the network, and that its firewall lets UDP out",
            ) from error

    async def close(self) -> None:
        """Close the socket and drop the hop's keys. Safe to call twice."""
        self._outbound.close()
        self._inbound.close()
        if self._transport is not None:
            self._transport.abort()
            self._transport = None
            await self._closed.wait()

    def send(self, packets: Sequence[RtpPacket]) -> int:
        """Send RTP packets; returns the bytes that left, or 0 where the socket takes none."""
        transport = self._transport
        if transport is None or self.is_full:
            return 0
        sent = 0
        for packet in packets:
            wire = self._outbound.protect(packet.encode())
            transport.sendto(wire)
            sent += len(wire)
        return sent

    def request_keyframe(self, media_ssrc: int) -> None:
        """Ask the source behind `media_ssrc` for a keyframe."""
        self._send_control([PictureLossIndication(self.offer.video_ssrc, media_ssrc)])

    def report(self) -> None:
        """Send an empty receiver report (RFC 3550 §6.4.2). It carries no media: it tells the
        relay, and every NAT on the way, where we are, also while we send nothing."""
        self._send_control([ReceiverReport(self.offer.video_ssrc)])

    def _send_control(self, packets: list[rtcp.RtcpPacket]) -> None:
        if self._transport is not None and not self.is_full:
            self._transport.sendto(self._outbound.protect_rtcp(rtcp.encode(packets)))

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
        """Too much waits in the socket: media is dropped, never queued."""
        self.is_full = True

    def resume_writing(self) -> None:
        """The socket has room again."""
        self.is_full = False

    def error_received(self, exc: Exception) -> None:
        """The relay's port is closed (ICMP). The service will tell us of another relay."""

    def datagram_received(self, data: bytes, addr: object) -> None:
        """Authenticate the hop and hand on."""
        if self._transport is None:
            return
        try:
            if is_rtcp(data):
                self._control(self._inbound.unprotect_rtcp(data))
            else:
                self._media(data)
        except SrtpReplayError:
            self.packets_replayed += 1
        except (RtpRemoteError, RtpUsageError):
            self.packets_refused += 1

    def _media(self, data: bytes) -> None:
        packet = RtpPacket.decode(self._inbound.unprotect(data))
        self._ssrcs.pop(packet.ssrc, None)
        self._ssrcs[packet.ssrc] = None
        if len(self._ssrcs) > MAX_SSRCS:
            oldest = next(iter(self._ssrcs))
            del self._ssrcs[oldest]
            self._inbound.forget(oldest)
        self.packets_received += 1
        self._on_packet(packet)

    def _control(self, compound: bytes) -> None:
        for packet in rtcp.decode(compound):
            if isinstance(packet, PictureLossIndication) and packet.media_ssrc == self.offer.video_ssrc:
                self._on_keyframe_wanted()
                return
