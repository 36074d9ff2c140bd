"""A camera, a microphone and an encoder that do what a test says, picture by picture."""

import asyncio
from collections.abc import AsyncIterator, Callable

from conclave_hal.camera import (
    Camera,
    CameraState,
    Picture,
    PictureFormat,
    VideoEncoder,
    VideoEncoderState,
)
from conclave_hal.device import DeviceState, Health
from conclave_hal.media import AudioSource, Codec, EncodedFrame

SMALL = PictureFormat(64, 48, 30)
"""The size of pictures in tests that look at no picture."""


def picture(number: int, size: PictureFormat = SMALL) -> Picture:
    """Picture number so and so, all of its number."""
    return Picture(
        size.width, size.height, bytes([number % 256]) * (size.width * size.height * 3 // 2), number * 3000
    )


class ScriptedCamera(Camera):
    """Delivers what it is given, enabled or not: a gate must hold without its help."""

    def __init__(self) -> None:
        super().__init__()
        self._waiting: asyncio.Queue[Picture | EncodedFrame | Exception | None] = asyncio.Queue()
        self.switched: list[bool] = []
        self.keyframes_asked = 0
        self._state = CameraState(Health.READY, "", SMALL)

    def deliver(self, *pictures: Picture | EncodedFrame | Exception | None) -> None:
        """From the sensor; None ends, an exception is raised where it is read."""
        for each in pictures:
            self._waiting.put_nowait(each)

    async def become(self, state: CameraState) -> None:
        """Say so."""
        await self._publish(state)

    async def open(self) -> None:
        """Nothing to acquire."""

    async def close(self) -> None:
        """Nothing to release."""

    def formats(self) -> tuple[PictureFormat, ...]:
        """One."""
        return (SMALL,)

    async def pictures(self) -> AsyncIterator[Picture | EncodedFrame]:
        """What was delivered."""
        while (each := await self._waiting.get()) is not None:
            if isinstance(each, Exception):
                raise each
            yield each

    async def set_enabled(self, is_enabled: bool) -> None:
        """Remember it, and go on."""
        self.switched.append(is_enabled)

    async def request_keyframe(self) -> None:
        """Remember it."""
        self.keyframes_asked += 1


class ScriptedEncoder(VideoEncoder):
    """Encodes a picture as its first byte, with the number of its stream before it."""

    def __init__(self) -> None:
        super().__init__()
        self.streams = 0
        self.is_streaming = False
        self.keyframes: list[bool] = []
        self.error: Exception | None = None
        self.meanwhile: Callable[[], object] = lambda: None
        """Called while a picture is being encoded."""
        self._state = VideoEncoderState(Health.READY)

    async def become(self, state: VideoEncoderState) -> None:
        """Say so."""
        await self._publish(state)

    async def open(self) -> None:
        """Nothing to acquire."""

    async def close(self) -> None:
        """Nothing to release."""

    async def configure(self, picture: PictureFormat, bit_rate: int) -> None:
        """A new stream."""
        self.streams += 1
        self.is_streaming = True

    async def encode(self, picture: Picture, *, is_keyframe: bool = False) -> EncodedFrame | None:
        """The stream's number and the picture's."""
        outcome = self.meanwhile()
        if asyncio.iscoroutine(outcome):
            await outcome
        if self.error is not None:
            raise self.error
        self.keyframes.append(is_keyframe)
        return EncodedFrame(
            Codec.H264, bytes([self.streams]) + picture.data[:1], picture.timestamp, is_keyframe
        )

    async def set_bit_rate(self, bit_rate: int) -> None:
        """Nothing."""

    async def end_stream(self) -> None:
        """The stream is gone."""
        self.is_streaming = False


class ScriptedMicrophone(AudioSource):
    """Delivers packets as it is given them."""

    def __init__(self) -> None:
        super().__init__()
        self._waiting: asyncio.Queue[EncodedFrame | None] = asyncio.Queue()
        self._state = DeviceState(Health.READY)

    def deliver(self, *frames: EncodedFrame | None) -> None:
        """From the line; None ends."""
        for each in frames:
            self._waiting.put_nowait(each)

    async def open(self) -> None:
        """Nothing to acquire."""

    async def close(self) -> None:
        """Nothing to release."""

    async def frames(self) -> AsyncIterator[EncodedFrame]:
        """What was delivered."""
        while (each := await self._waiting.get()) is not None:
            yield each

    async def set_enabled(self, is_enabled: bool) -> None:
        """Nothing."""

    async def request_keyframe(self) -> None:
        """Nothing."""
