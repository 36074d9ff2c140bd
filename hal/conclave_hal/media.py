"""Cameras, microphones, screens and speakers, seen as streams of encoded frames.

Capture and codec sit together below this line because hardware often joins them (a camera
that delivers H.264). The meeting sees encoded frames only, and encrypts those.
"""

from abc import abstractmethod
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from enum import Enum

from conclave_hal.device import Device, DeviceState


class Codec(Enum):
    """Codecs of the media line; the value is the RTP encoding name."""

    H264 = "H264"
    OPUS = "opus"


CLOCK_HZ = {Codec.H264: 90_000, Codec.OPUS: 48_000}
"""RTP clock rates (RFC 6184 §8.2.1, RFC 7587 §4.1)."""


@dataclass(frozen=True, slots=True)
class EncodedFrame:
    """One access unit: an H.264 picture in Annex B form, or one Opus packet of 20 ms."""

    codec: Codec
    data: bytes = field(repr=False)
    timestamp: int
    """In units of the codec's clock (CLOCK_HZ), starting anywhere, modulo 2^32."""
    is_keyframe: bool = True


class MediaSource(Device[DeviceState]):
    """A camera or a microphone that delivers encoded frames while it captures."""

    def _unknown(self) -> DeviceState:
        return DeviceState()

    @abstractmethod
    def frames(self) -> AsyncIterator[EncodedFrame]:
        """Encoded frames until `close`. Ends with DeviceGoneError if the device goes."""

    @abstractmethod
    async def set_enabled(self, is_enabled: bool) -> None:
        """Start or stop capture. A stopped source captures nothing: it does not send black or silence."""

    @abstractmethod
    async def request_keyframe(self) -> None:
        """Ask for a frame that can be decoded alone, soon. Nothing to do for audio."""


class VideoSource(MediaSource):
    """A camera with its encoder."""


class AudioSource(MediaSource):
    """A microphone with its encoder."""


@dataclass(frozen=True, slots=True)
class StreamReport:
    """What a sink found in one participant's *decoded* stream."""

    frames_decoded: int = 0
    frames_failed: int = 0
    detail: dict[str, str | int | float | bool] = field(default_factory=dict)
    """Driver-specific. The simulated room fills `counter`, `counter_advances`, `name` for video
    and `frequency_hz` for audio: they come from decoded pixels and samples."""


class MediaSink(Device[DeviceState]):
    """A screen or a speaker: takes encoded frames of several streams and decodes them."""

    def _unknown(self) -> DeviceState:
        return DeviceState()

    @abstractmethod
    async def play(self, stream: str, frame: EncodedFrame) -> bool:
        """Decode and render `frame` of `stream`; one decoder a stream, made at its first frame.

        Returns False when the frame could not be decoded and a keyframe is needed.
        """

    @abstractmethod
    async def stop(self, stream: str) -> None:
        """Forget a stream and free its decoder. Unknown streams are ignored."""

    @abstractmethod
    def reports(self) -> dict[str, StreamReport]:
        """What was found so far, by stream."""


class VideoSink(MediaSink):
    """The room's screen."""


class AudioSink(MediaSink):
    """The room's speaker."""

    @abstractmethod
    async def announce(self, samples: bytes) -> None:
        """Play a sound of this room, over what else plays: a chime, a spoken code.

        `samples` are 16-bit little-endian, mono, 48 kHz, at most a minute. Returns when it has been heard,
        or was cut off by the next one; none at all cut off what plays, and return at once. Raises
        DeviceGoneError while there is no speaker.
        """
