"""The media of one device in one meeting, from the first epoch to the last.

    camera, microphone -> SendingStream -> keyring -> RTP -> SRTP -> relay
    relay -> SRTP -> RTP -> Receiver -> keyring -> StreamPlayer -> screen, speaker

The engine is told about epochs, about the way to the relay, about muting, and whether it may
send at all. It tells who was heard in which epoch, and that frames of an epoch arrive that it
does not have. Sending or not is the meeting's decision (DESIGN §4, *Alive and behind*); with
sending off no media leaves, whatever the sources do, and the sources are switched off.

One owner task holds all others in a TaskGroup. Hardware that fails is a fault in the stats and
comes back by itself; it never ends the meeting.
"""

import asyncio
import hashlib
import logging
import secrets
import time
from collections.abc import Callable

from conclave_hal.media import (
    AudioSink,
    AudioSource,
    Codec,
    MediaSink,
    StreamReport,
    VideoSink,
    VideoSource,
)
from conclaved.media.errors import MediaUsageError
from conclaved.media.playback import StreamPlayer
from conclaved.media.receiving import ReceivedStream, Receiver
from conclaved.media.sending import RETRY_S, SendingStream
from conclaved.media.stats import (
    STREAM_FIELDS,
    MediaStats,
    ParticipantStats,
    ReceivedStats,
    SentStats,
    StreamStats,
)
from conclaved.media.streams import StreamContext, stream_name
from conclaved.media.transport import MediaTransport
from conclaved.rtp import MediaOffer, Packetizer, RtpPacket
from conclaved.sframe import EpochKeys, MediaKeyring

TICK_S = 0.02
REPORT_S = 1.0
"""Between two receiver reports, which keep the way open."""
KEYFRAME_INTERVAL_S = 0.3
"""Between two keyframes that others asked for."""
_log = logging.getLogger(__name__)


def _ignore_authenticated(leaf_index: int, epoch: int) -> None:
    """Nobody listens."""


def _ignore() -> None:
    """Nobody listens."""


class MediaEngine:
    """Owns the keyring and the media tasks; borrows the hardware, which others open and close."""

    def __init__(
        self,
        keyring: MediaKeyring,
        *,
        camera: VideoSource | None = None,
        microphone: AudioSource | None = None,
        screen: VideoSink | None = None,
        speaker: AudioSink | None = None,
        on_authenticated: Callable[[int, int], None] = _ignore_authenticated,
        on_unknown_epoch: Callable[[], None] = _ignore,
        on_live: Callable[[], None] = _ignore,
        clock: Callable[[], float] = time.monotonic,
        is_camera_muted: bool = False,
        is_microphone_muted: bool = False,
    ) -> None:
        """`on_authenticated(leaf_index, epoch)` is called at a leaf's first authenticated frame in
        each epoch; `on_unknown_epoch()` at each frame of an epoch that we do not have, which the relay
        vouches for and no member; `on_live()` when `is_camera_live` or `is_microphone_live` is another.
        `clock` gives seconds and never goes back."""
        self._keyring = keyring
        self._clock = clock
        self._sinks: dict[Codec, MediaSink | None] = {Codec.H264: screen, Codec.OPUS: speaker}
        self._sending: dict[StreamContext, SendingStream] = {}
        if microphone is not None:
            context = StreamContext.MICROPHONE
            self._sending[context] = SendingStream(context, microphone, keyring, clock)
            self._sending[context].is_muted = is_microphone_muted
        if camera is not None:
            context = StreamContext.CAMERA
            self._sending[context] = SendingStream(context, camera, keyring, clock)
            self._sending[context].is_muted = is_camera_muted
        self._receiver = Receiver(
            keyring,
            make_player=self._make_player,
            request_keyframe=self._request_keyframe,
            on_authenticated=on_authenticated,
            on_unknown_epoch=on_unknown_epoch,
        )
        self._transport: MediaTransport | None = None
        self._owner: asyncio.Task[None] | None = None
        self._group: asyncio.TaskGroup | None = None
        # Players that still have something to do, those of members who left included.
        self._players: dict[str, StreamPlayer] = {}
        self._ending: set[StreamPlayer] = set()
        self._members: frozenset[int] = frozenset()
        self._is_sending = False
        self._has_stopped = False
        self._on_live = on_live
        self._live = (False, False)
        self._switches = asyncio.Event()
        self._keyframe_wanted = asyncio.Event()
        self._keyframes_wanted = 0
        self._packets = (0, 0, 0)
        self._fault = ""
        self._used_offers: set[bytes] = set()

    async def start(self, offer: MediaOffer) -> None:
        """Begin, or go on through another relay: the old way is closed first.

        Raises MediaUnavailableError, after which `start` may be called again with the same offer, and
        MediaUsageError after `stop`, or for an offer that was in use before.
        """
        if self._has_stopped:
            raise MediaUsageError("the engine has stopped; its keys are erased")
        fingerprint = hashlib.sha256(offer.send_key).digest()
        if fingerprint in self._used_offers:
            # Its SRTP indices would begin anew, and so would the keystream.
            raise MediaUsageError("an offer is used once", hint="ask the service for another")
        await self._disconnect()
        transport = MediaTransport(offer, self._take, self._note_keyframe_wanted)
        await transport.open()
        self._used_offers.add(fingerprint)
        self._transport = transport
        for context, stream in self._sending.items():
            ssrc = offer.audio_ssrc if context is StreamContext.MICROPHONE else offer.video_ssrc
            first = secrets.randbelow(1 << 15)
            stream.connect(transport, Packetizer(ssrc, context.payload_type, first_sequence_number=first))
        transport.report()
        self._fault = ""
        # Receivers know nothing of the new SSRCs: the first picture must decode alone.
        self._keyframe_wanted.set()
        self._switches.set()
        running = asyncio.Event()
        self._owner = asyncio.create_task(self._own(running), name="media engine")
        await running.wait()

    async def stop(self) -> None:
        """End all media, switch the sources off, free the decoders, erase every key.

        Safe to call twice; the keys are erased even if the caller is cancelled meanwhile.
        """
        self._has_stopped = True
        self.set_sending(False)
        try:
            await self._disconnect()
            await self._apply()
            for player in [*self._players.values(), *self._ending]:
                await player.forget()
            self._players.clear()
            self._ending.clear()
        finally:
            self._keyring.close()

    def advance(self, keys: EpochKeys) -> None:
        """Enter an epoch: send under it at once, play what waited for it, forget who left.

        Raises SframeUsageError for an epoch that is not newer.
        """
        now = self._clock()
        opened = self._keyring.advance(keys, now)
        for leaf_index in (self._members - keys.members) | keys.removed:
            self._forget_leaf(leaf_index)
        arrived = (keys.members - self._members) | (keys.removed & keys.members)
        self._members = keys.members
        if arrived:
            # Who joins can decode nothing until the next keyframe (RFC 9605 §6.2).
            self._keyframe_wanted.set()
        self._receiver.deliver(opened, now)

    def set_sending(self, is_sending: bool) -> None:
        """Whether media may leave at all. False holds from this very call on; the sources are
        then told to stop capturing. Receiver reports, which carry no media, go on: without them
        the relay would lose our address and we would hear nobody."""
        self._is_sending = is_sending and not self._has_stopped
        for stream in self._sending.values():
            stream.set_sending(self._is_sending)
        self._switches.set()

    def gate(self, *, is_camera_muted: bool, is_microphone_muted: bool) -> None:
        """Mute or unmute both, without a word to the sources: of what is muted no frame leaves from
        this very call on. `apply_gates` then lets the sources follow."""
        for context, is_muted in (
            (StreamContext.CAMERA, is_camera_muted),
            (StreamContext.MICROPHONE, is_microphone_muted),
        ):
            if context in self._sending:
                self._sending[context].is_muted = is_muted
        self._look_what_is_live()

    @property
    def is_camera_live(self) -> bool:
        """Whether frames of the camera leave: one did a moment ago, and nothing has closed the way since."""
        return self._is_live(StreamContext.CAMERA)

    @property
    def is_microphone_live(self) -> bool:
        """Whether frames of the microphone leave, as for the camera."""
        return self._is_live(StreamContext.MICROPHONE)

    @property
    def disobeying(self) -> tuple[str, ...]:
        """A line for each source that was to stop and may still capture. Nothing of it leaves."""
        return tuple(f"{s.name} {s.disobeys}" for s in self._sending.values() if s.disobeys)

    def _is_live(self, context: StreamContext) -> bool:
        stream = self._sending.get(context)
        return stream is not None and stream.is_live(self._clock())

    def _look_what_is_live(self) -> None:
        live = (self.is_camera_live, self.is_microphone_live)
        if live != self._live:
            self._live = live
            self._on_live()

    async def apply_gates(self) -> None:
        """Let the sources follow, side by side: a camera that does not answer delays no microphone.

        Returns when each has obeyed, or its refusal is a fault in the stats and it is asked again.
        """
        if not await self._apply():
            self._switches.set()

    async def set_camera_muted(self, is_muted: bool) -> None:
        """Mute or unmute the camera. Muted, no frame leaves from this very call on; returns when
        the source has obeyed, or its refusal is a fault in the stats."""
        await self._set_muted(StreamContext.CAMERA, is_muted)

    async def set_microphone_muted(self, is_muted: bool) -> None:
        """Mute or unmute the microphone, like `set_camera_muted`."""
        await self._set_muted(StreamContext.MICROPHONE, is_muted)

    def stats(self) -> MediaStats:
        """A snapshot of everything counted so far."""
        sent = {context: stream.stats for context, stream in self._sending.items()}
        return MediaStats(
            self._owner is not None and not self._owner.done(),
            self._is_sending,
            self._keyring.epoch,
            sent.get(StreamContext.MICROPHONE, SentStats()),
            sent.get(StreamContext.CAMERA, SentStats()),
            self._received(),
            self._keyring.counts,
            self._participants(),
            self._faults(),
        )

    # What the stats are made of

    def _received(self) -> ReceivedStats:
        received, refused, replayed = self._packet_counts()
        receiver = self._receiver
        return ReceivedStats(
            received,
            refused,
            replayed,
            receiver.packets_lost,
            receiver.units_assembled,
            receiver.units_dropped,
            receiver.keyframes_requested,
            self._keyframes_wanted,
        )

    def _packet_counts(self) -> tuple[int, int, int]:
        received, refused, replayed = self._packets
        transport = self._transport
        if transport is not None:
            received += transport.packets_received
            refused += transport.packets_refused
            replayed += transport.packets_replayed
        return received, refused, replayed

    def _participants(self) -> tuple[ParticipantStats, ...]:
        reports: dict[str, StreamReport] = {}
        for sink in self._sinks.values():
            if sink is not None:
                reports.update(sink.reports())
        found: dict[int, dict[str, StreamStats]] = {}
        for (leaf_index, context), stream in self._receiver.streams.items():
            report = reports.get(stream_name(leaf_index, context))
            found.setdefault(leaf_index, {})[STREAM_FIELDS[context]] = _stream_stats(stream, report)
        return tuple(ParticipantStats(leaf_index, **streams) for leaf_index, streams in sorted(found.items()))

    def _faults(self) -> tuple[str, ...]:
        lines = [self._fault]
        lines += [f"{c.name.lower()}: {s.fault}" for c, s in self._sending.items() if s.fault]
        lines += [f"stream {p.name}: {p.fault}" for p in self._players.values() if p.fault]
        return tuple(line for line in lines if line)

    # Tasks

    async def _own(self, running: asyncio.Event) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                for stream in self._sending.values():
                    group.create_task(stream.run())
                for player in [*self._players.values(), *self._ending]:
                    group.create_task(self._play(player))
                group.create_task(self._tick())
                group.create_task(self._switch())
                group.create_task(self._give_keyframes())
                running.set()
        except* Exception as errors:  # noqa: BLE001 - the root of all media tasks: logged once, and a fault
            _log.exception("media has stopped")
            self._fault = f"media has stopped: {type(errors.exceptions[0]).__name__}"
        finally:
            self._group = None
            running.set()

    async def _disconnect(self) -> None:
        """Close the way to the relay and end all tasks; streams and keys stay."""
        for stream in self._sending.values():
            stream.disconnect()
        owner, self._owner = self._owner, None
        self._packets = self._packet_counts()
        transport, self._transport = self._transport, None
        self._receiver.forget_pipes()
        self._group = None
        if transport is not None:
            await transport.close()
        if owner is not None:
            owner.cancel()
            await asyncio.wait([owner])

    async def _tick(self) -> None:
        reported_at = self._clock()
        while True:
            await asyncio.sleep(TICK_S)
            now = self._clock()
            self._receiver.tick(now)
            self._look_what_is_live()
            if now - reported_at >= REPORT_S and self._transport is not None:
                reported_at = now
                self._transport.report()

    async def _switch(self) -> None:
        """Let the sources follow mutes and gate; one that does not obey is asked again."""
        while True:
            await self._switches.wait()
            self._switches.clear()
            if not await self._apply():
                await asyncio.sleep(RETRY_S)
                self._switches.set()

    async def _give_keyframes(self) -> None:
        """Answer requests for keyframes, many with one, and not more often than is useful."""
        camera = self._sending.get(StreamContext.CAMERA)
        while camera is not None:
            await self._keyframe_wanted.wait()
            self._keyframe_wanted.clear()
            await camera.request_keyframe()
            await asyncio.sleep(KEYFRAME_INTERVAL_S)

    async def _play(self, player: StreamPlayer) -> None:
        await player.run()
        self._ending.discard(player)

    # What the parts call

    def _take(self, packet: RtpPacket) -> None:
        self._receiver.take(packet, self._clock())

    def _note_keyframe_wanted(self) -> None:
        self._keyframes_wanted += 1
        self._keyframe_wanted.set()

    def _request_keyframe(self, media_ssrc: int) -> None:
        if self._transport is not None:
            self._transport.request_keyframe(media_ssrc)

    def _make_player(
        self, name: str, context: StreamContext, on_undecodable: Callable[[], None]
    ) -> StreamPlayer | None:
        sink = self._sinks[context.codec]
        if sink is None:
            return None
        before = next((player for player in self._ending if player.name == name), None)
        player = self._players[name] = StreamPlayer(name, sink, on_undecodable, before)
        if self._group is not None:
            self._group.create_task(self._play(player))
        return player

    def _forget_leaf(self, leaf_index: int) -> None:
        for name in self._receiver.forget_leaf(leaf_index):
            player = self._players.pop(name, None)
            if player is not None:
                player.stop()
                self._ending.add(player)

    async def _apply(self) -> bool:
        """Let the sources follow their gates; returns whether all of them obeyed."""
        return all(await asyncio.gather(*(stream.apply() for stream in self._sending.values())))

    async def _set_muted(self, context: StreamContext, is_muted: bool) -> None:
        stream = self._sending.get(context)
        if stream is not None:
            stream.is_muted = is_muted
            if not await stream.apply():
                self._switches.set()


def _stream_stats(stream: ReceivedStream, report: StreamReport | None) -> StreamStats:
    player = stream.player
    if player is None:
        return StreamStats(stream.frames_opened, stream.frames_skipped)
    return StreamStats(
        stream.frames_opened,
        stream.frames_skipped + player.frames_overrun,
        player.frames_failed,
        player.frames_played,
        report,
    )
