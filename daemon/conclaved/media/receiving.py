"""Everybody else's streams: RTP -> order -> SFrame -> the stream's player.

Up to the SFrame tag an SSRC is only a pipe: the service may put anybody's frames into any of
them. From the tag on, a frame belongs to the leaf and context of its authenticated KID, and the
SSRC matters no more, save as the address of a request for a keyframe.

For video, a frame counts as next only if its authenticated counter follows the one before. After
a hole, frames are skipped until a keyframe, which is asked for, at most once in PLI_INTERVAL_S.
"""

from collections.abc import Callable
from dataclasses import dataclass

from conclave_hal.media import Codec, EncodedFrame
from conclaved.media.h264 import is_keyframe
from conclaved.media.playback import StreamPlayer
from conclaved.media.streams import PAYLOAD_TYPES, StreamContext, metadata_of, stream_name, timestamp_of
from conclaved.rtp import Depacketizer, RtpPacket, SframeUnit
from conclaved.sframe import Held, MediaKeyring, Opened, Refusal, SframeRemoteError

AUDIO_WAIT_S = 0.06
VIDEO_WAIT_S = 0.15
"""How long a missing packet is waited for."""
PLI_INTERVAL_S = 0.5
IDLE_SSRC_S = 30.0
"""A pipe that was silent for so long is forgotten."""
MAX_PIPES = 512
"""Beyond it the longest unused one is forgotten."""


@dataclass(slots=True, eq=False)
class _Pipe:
    depacketizer: Depacketizer
    used_at: float


@dataclass(slots=True, eq=False)
class ReceivedStream:
    """One stream of one leaf."""

    leaf_index: int
    context: StreamContext
    player: StreamPlayer | None
    """None where the room has no such sink."""
    frames_opened: int = 0
    frames_skipped: int = 0
    epoch: int = -1
    ctr: int = -1
    needs_keyframe: bool = True
    ssrc: int | None = None
    """The pipe of its latest frame."""

    def is_next(self, frame: Opened) -> bool:
        """Whether `frame` follows the one before without a hole, by its authenticated counter."""
        if frame.epoch == self.epoch:
            return frame.ctr == self.ctr + 1
        return frame.epoch > self.epoch and frame.ctr == 0


class Receiver:
    """Sorts what arrives. Synchronous: all waiting is done by the players."""

    def __init__(
        self,
        keyring: MediaKeyring,
        *,
        make_player: Callable[[str, StreamContext, Callable[[], None]], StreamPlayer | None],
        request_keyframe: Callable[[int], None],
        on_authenticated: Callable[[int, int], None],
        on_unknown_epoch: Callable[[], None],
    ) -> None:
        self.streams: dict[tuple[int, StreamContext], ReceivedStream] = {}
        self.units_assembled = 0
        self.keyframes_requested = 0
        self._keyring = keyring
        self._make_player = make_player
        self._request_keyframe = request_keyframe
        self._on_authenticated = on_authenticated
        self._on_unknown_epoch = on_unknown_epoch
        self._pipes: dict[int, _Pipe] = {}
        self._heard: dict[int, int] = {}
        self._asked_at: dict[int, float] = {}
        self._lost = self._dropped = 0

    @property
    def packets_lost(self) -> int:
        """Sequence numbers that never came in time."""
        return self._lost + sum(pipe.depacketizer.packets_lost for pipe in self._pipes.values())

    @property
    def units_dropped(self) -> int:
        """Ciphertexts of which something was lost."""
        return self._dropped + sum(pipe.depacketizer.units_dropped for pipe in self._pipes.values())

    def take(self, packet: RtpPacket, now: float) -> None:
        """An RTP packet from the relay."""
        pipe = self._pipes.get(packet.ssrc)
        if pipe is None:
            if len(self._pipes) >= MAX_PIPES:
                self._forget_pipe(min(self._pipes, key=lambda ssrc: self._pipes[ssrc].used_at))
            is_audio = packet.payload_type == PAYLOAD_TYPES[Codec.OPUS]
            wait = AUDIO_WAIT_S if is_audio else VIDEO_WAIT_S
            pipe = self._pipes[packet.ssrc] = _Pipe(Depacketizer(packet.ssrc, max_wait_s=wait), now)
        pipe.used_at = now
        for unit in pipe.depacketizer.push(packet, now):
            self._open(unit, now)

    def tick(self, now: float) -> None:
        """Give up on what is overdue, and erase keys that are."""
        for ssrc, pipe in list(self._pipes.items()):
            for unit in pipe.depacketizer.poll(now):
                self._open(unit, now)
            if now - pipe.used_at > IDLE_SSRC_S:
                self._forget_pipe(ssrc)
        self._keyring.poll(now)

    def deliver(self, frames: tuple[Opened, ...], now: float) -> None:
        """Frames that waited for an epoch and were opened by it."""
        for frame in frames:
            self._deliver(frame, None, now)

    def forget_leaf(self, leaf_index: int) -> list[str]:
        """A member has left, or its leaf has a new owner: its streams end, its figures too.

        Returns the names of those streams.
        """
        self._heard.pop(leaf_index, None)
        gone = [key for key in self.streams if key[0] == leaf_index]
        for key in gone:
            del self.streams[key]
        return [stream_name(*key) for key in gone]

    def forget_pipes(self) -> None:
        """The relay has changed: its SSRCs mean nothing any more."""
        for ssrc in list(self._pipes):
            self._forget_pipe(ssrc)
        for stream in self.streams.values():
            stream.ssrc = None
            stream.needs_keyframe = True

    def _forget_pipe(self, ssrc: int) -> None:
        gone = self._pipes.pop(ssrc).depacketizer
        self._lost += gone.packets_lost
        self._dropped += gone.units_dropped
        self._asked_at.pop(ssrc, None)

    def _open(self, unit: SframeUnit, now: float) -> None:
        self.units_assembled += 1
        try:
            result = self._keyring.unprotect(unit.ciphertext, metadata_of(unit.timestamp), now)
        except SframeRemoteError as error:
            # Counted by the keyring, by reason.
            if error.refusal is Refusal.UNKNOWN_EPOCH:
                self._on_unknown_epoch()
            return
        if isinstance(result, Held):
            self._on_unknown_epoch()
        else:
            self._deliver(result, unit, now)

    def _deliver(self, frame: Opened, unit: SframeUnit | None, now: float) -> None:
        if self._heard.get(frame.leaf_index, -1) < frame.epoch:
            self._heard[frame.leaf_index] = frame.epoch
            self._on_authenticated(frame.leaf_index, frame.epoch)
        try:
            context = StreamContext(frame.context_id)
        except ValueError:
            # A member's stream of a kind that this version does not know.
            return
        stream = self._stream(frame.leaf_index, context)
        stream.frames_opened += 1
        if unit is not None:
            stream.ssrc = unit.ssrc
        is_key = context.codec is not Codec.H264 or self._is_playable(stream, frame, unit)
        stream.epoch, stream.ctr = frame.epoch, frame.ctr
        if context.codec is Codec.H264 and stream.needs_keyframe:
            stream.frames_skipped += 1
            self._ask(stream, now)
            return
        if stream.player is not None:
            timestamp = timestamp_of(frame.metadata)
            stream.player.play(EncodedFrame(context.codec, frame.plaintext, timestamp, is_key))

    def _is_playable(self, stream: ReceivedStream, frame: Opened, unit: SframeUnit | None) -> bool:
        """Keep track of holes; returns whether `frame` is a keyframe."""
        if not stream.is_next(frame) or (unit is not None and unit.is_after_gap):
            stream.needs_keyframe = True
        is_key = is_keyframe(frame.plaintext)
        if is_key:
            stream.needs_keyframe = False
        return is_key

    def _stream(self, leaf_index: int, context: StreamContext) -> ReceivedStream:
        found = self.streams.get((leaf_index, context))
        if found is None:
            found = self.streams[leaf_index, context] = ReceivedStream(leaf_index, context, None)
            made = found

            def on_undecodable() -> None:
                made.needs_keyframe = True

            found.player = self._make_player(stream_name(leaf_index, context), context, on_undecodable)
        return found

    def _ask(self, stream: ReceivedStream, now: float) -> None:
        ssrc = stream.ssrc
        if ssrc is None or now - self._asked_at.get(ssrc, float("-inf")) < PLI_INTERVAL_S:
            return
        self._asked_at[ssrc] = now
        self.keyframes_requested += 1
        self._request_keyframe(ssrc)
