"""Checks of an encoder: H.264 that a decoder of another's making understands."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from conclave_hal.camera import Picture, PictureFormat, VideoEncoder
from conclave_hal.drivers import Slot
from conclave_hal.errors import UsageError
from conclave_hal.media import CLOCK_HZ, Codec, EncodedFrame
from tests.hal.checks import streams
from tests.hal.checks.bench import Bench
from tests.hal.checks.check import BrokenError, Checks, require

CHECKS = Checks()
ENCODER = frozenset({Slot.VIDEO_ENCODER})
FORMAT = PictureFormat(streams.WIDTH, streams.HEIGHT, streams.FPS)
BIT_RATE = 300_000
MOST_GATHERED = 10
"""Pictures that an encoder may hold back at the beginning."""


@CHECKS.claim(
    "begins with a keyframe, and makes pictures of the same size again",
    mend="send SPS and PPS with each IDR, in Annex B form",
    slots=ENCODER,
)
async def encodes(bench: Bench) -> None:
    async with _configured(bench) as device:
        frames = await _encoded(bench, device, 10)
        require(frames[0].is_keyframe, "the first frame is no keyframe")
        require(frames[0].data.startswith((b"\0\0\0\1", b"\0\0\1")), "it is not in Annex B form")
        found = streams.decoded_pictures(frames)
        require(set(found) == {(FORMAT.width, FORMAT.height)}, f"decoded pictures are {set(found)}")
        require(len(found) == len(frames), f"{len(frames)} frames are {len(found)} pictures")


@CHECKS.claim(
    "makes a keyframe when one is asked for, that can be decoded alone",
    mend="force an IDR, not only an I picture",
    slots=ENCODER,
)
async def makes_a_keyframe(bench: Bench) -> None:
    async with _configured(bench) as device:
        await _encoded(bench, device, 3)
        frames = await _encoded(bench, device, 3, is_keyframe=True)
        keyframes = [at for at, frame in enumerate(frames) if frame.is_keyframe]
        require(keyframes, "none of the frames after it is a keyframe")
        require(streams.decoded_pictures(frames[keyframes[0] :]), "it cannot be decoded alone")


@CHECKS.claim(
    "takes a picture of another size for our mistake",
    mend="compare it with what `configure` was given, and raise UsageError",
    slots=ENCODER,
)
async def refuses_another_size(bench: Bench) -> None:
    async with _configured(bench) as device:
        try:
            await bench.done(device.encode(Picture(64, 64, streams.grey_picture(0, 64, 64), 0)))
        except UsageError:
            return
        raise BrokenError("it encodes it")


@CHECKS.claim(
    "changes its rate in mid-stream, and begins anew after `end_stream`",
    mend="a new stream begins with a keyframe, and knows nothing of the pictures before it",
    slots=ENCODER,
)
async def begins_anew(bench: Bench) -> None:
    async with _configured(bench) as device:
        await _encoded(bench, device, 3)
        await bench.done(device.set_bit_rate(BIT_RATE // 2))
        await _encoded(bench, device, 3)
        await bench.done(device.end_stream())
        await bench.done(device.configure(FORMAT, BIT_RATE))
        frames = await _encoded(bench, device, 3)
        require(frames[0].is_keyframe, "the new stream does not begin with a keyframe")
        require(streams.decoded_pictures(frames), "the new stream cannot be decoded alone")


@CHECKS.claim(
    "says what encodes",
    mend="put the name of the encoder that is really used into the state",
    slots=ENCODER,
)
async def says_its_name(bench: Bench) -> None:
    async with _configured(bench) as device:
        await _encoded(bench, device, 1)
        require(device.state().name, "its state has no name")


@asynccontextmanager
async def _configured(bench: Bench) -> AsyncIterator[VideoEncoder]:
    async with bench.running(VideoEncoder) as device:
        await bench.done(device.configure(FORMAT, BIT_RATE))
        yield device
        await bench.done(device.end_stream())


async def _encoded(
    bench: Bench, device: VideoEncoder, count: int, *, is_keyframe: bool = False
) -> list[EncodedFrame]:
    """So many frames; the first picture is asked to be a keyframe, if at all."""
    frames: list[EncodedFrame] = []
    for number in range(count + MOST_GATHERED):
        stamp = number * CLOCK_HZ[Codec.H264] // FORMAT.fps
        picture = Picture(FORMAT.width, FORMAT.height, streams.grey_picture(number), stamp)
        frame = await bench.done(device.encode(picture, is_keyframe=is_keyframe and not number))
        if frame is not None:
            frames.append(frame)
        if len(frames) == count:
            return frames
    raise BrokenError(f"{count + MOST_GATHERED} pictures are {len(frames)} frames")
