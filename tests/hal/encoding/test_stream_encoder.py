"""Encoders: what real libx264 makes, and what happens to a codec of the hardware that is not here or breaks.

No machine that these tests run on has an encoder in its kernel: `h264_v4l2m2m` is a double where it
works, and the real one where it is refused.
"""

import asyncio
import threading
from collections.abc import AsyncIterator
from dataclasses import replace

import av
import pytest
from av.error import ExternalError
from av.packet import Packet

from conclave_hal.camera import PictureFormat
from conclave_hal.device import Health
from conclave_hal.drivers import Slot, find_driver
from conclave_hal.encoding.h264_stream import LIBX264, V4L2M2M, H264Stream, Stream, StreamSettings
from conclave_hal.encoding.stream_encoder import DEADLINE_S, EncoderOptions, StreamEncoder
from conclave_hal.errors import DeviceError, DeviceGoneError, UsageError
from conclave_hal.media import Codec, EncodedFrame
from tests.hal.devices import SMALL, picture

RATE = 400_000


class Chip:
    """A double of the kernel's encoder: takes pictures, breaks or hangs when told so."""

    def __init__(self) -> None:
        self.begun: list[StreamSettings] = []
        self.error: Exception | None = None
        self.answers = threading.Event()
        self.answers.set()
        self.holds = 0

    def begin(self, settings: StreamSettings) -> Stream:
        """Hardware is this double, software is real."""
        self.begun.append(settings)
        return self if settings.codec == V4L2M2M else H264Stream(settings)

    def encode(self, picture: object, is_keyframe: bool) -> EncodedFrame | None:
        """One byte, or what it was told."""
        self.answers.wait()
        if self.error is not None:
            raise self.error
        if self.holds:
            self.holds -= 1
            return None
        return EncodedFrame(Codec.H264, b"\0", 0, is_keyframe)

    def close(self) -> None:
        """Nothing."""


@pytest.fixture
async def software() -> AsyncIterator[StreamEncoder]:
    device = StreamEncoder((LIBX264,), EncoderOptions())
    await device.open()
    yield device
    await device.close()


@pytest.fixture
def chip() -> Chip:
    return Chip()


@pytest.fixture
async def auto(chip: Chip) -> AsyncIterator[StreamEncoder]:
    device = StreamEncoder((V4L2M2M, LIBX264), EncoderOptions(), begin=chip.begin)
    await device.open()
    yield device
    chip.answers.set()
    await device.close()


async def frames_of(encoder: StreamEncoder, count: int, size: PictureFormat = SMALL) -> list[EncodedFrame]:
    made = [await encoder.encode(picture(number, size), is_keyframe=number == 0) for number in range(count)]
    return [frame for frame in made if frame is not None]


@pytest.mark.parametrize("size", [SMALL, PictureFormat(322, 182, 30), PictureFormat(50, 34, 15)])
async def test_a_stream_decodes_to_the_pictures_that_went_in(
    software: StreamEncoder, size: PictureFormat
) -> None:
    await software.configure(size, RATE)
    frames = await frames_of(software, 5, size)
    decoder = av.CodecContext.create("h264", "r")
    decoder.options = {"flags": "low_delay"}
    decoded = [each for frame in frames for each in decoder.decode(Packet(frame.data))]
    assert [(each.width, each.height) for each in decoded] == [(size.width, size.height)] * 5
    # Each picture is one shade: the encoder may be off by a little, a shifted line by much.
    for number, each in enumerate(decoded):
        luma = bytes(each.planes[0])
        rows = [luma[y * each.planes[0].line_size :][: size.width] for y in range(size.height)]
        assert all(abs(value - max(number, 0)) <= 4 for row in rows for value in row)


async def test_no_picture_waits_in_the_software_encoder(software: StreamEncoder) -> None:
    await software.configure(SMALL, RATE)
    frames = await frames_of(software, 4)
    assert [frame.timestamp for frame in frames] == [0, 3000, 6000, 9000]
    assert [frame.is_keyframe for frame in frames] == [True, False, False, False]


async def test_every_keyframe_carries_the_parameters_of_a_baseline_stream(software: StreamEncoder) -> None:
    await software.configure(SMALL, RATE)
    first = (await frames_of(software, 1))[0].data
    again = await software.encode(picture(9), is_keyframe=True)
    assert again is not None
    for data in (first, again.data):
        units = {unit[0] & 0x1F: unit for unit in data.split(b"\0\0\1") if unit}
        assert {5, 7, 8} <= units.keys()
        assert units[7][1] == 66, "profile_idc (H.264 §A.2.1)"


async def test_the_time_of_a_picture_is_kept_past_the_turn_of_the_clock(software: StreamEncoder) -> None:
    await software.configure(SMALL, RATE)
    stamps = [2**32 - 3000, 0, 0, 3000]
    made = [await software.encode(replace(picture(n), timestamp=stamp)) for n, stamp in enumerate(stamps)]
    assert [frame.timestamp for frame in made if frame is not None] == [2**32 - 3000, 0, 1, 3000]


async def test_without_hardware_auto_encodes_in_software_and_says_so() -> None:
    device = find_driver(Slot.VIDEO_ENCODER, "auto").make(EncoderOptions(), {})
    assert isinstance(device, StreamEncoder)
    await device.open()
    await device.configure(SMALL, RATE)
    state = device.state()
    await device.close()
    assert (state.health, state.name, state.is_hardware) == (Health.READY, LIBX264, False)


async def test_the_hardware_driver_says_that_there_is_none() -> None:
    device = find_driver(Slot.VIDEO_ENCODER, "v4l2m2m").make(EncoderOptions(), {})
    assert isinstance(device, StreamEncoder)
    await device.open()
    with pytest.raises(DeviceError, match="no encoder for 64 x 48: h264_v4l2m2m: ") as refused:
        await device.configure(SMALL, RATE)
    state = device.state()
    await device.close()
    assert "auto" in refused.value.hint
    assert state.health is Health.DEGRADED


async def test_auto_takes_the_hardware_where_there_is_some(auto: StreamEncoder, chip: Chip) -> None:
    await auto.configure(SMALL, RATE)
    assert (auto.state().name, auto.state().is_hardware) == (V4L2M2M, True)
    assert chip.begun == [StreamSettings(V4L2M2M, SMALL, RATE)]


async def test_hardware_that_still_gathers_gives_no_frame(auto: StreamEncoder, chip: Chip) -> None:
    await auto.configure(SMALL, RATE)
    chip.holds = 2
    made = [await auto.encode(picture(number)) for number in range(3)]
    assert [frame is None for frame in made] == [True, True, False]


async def test_hardware_that_breaks_is_left_for_software_with_the_next_stream(
    auto: StreamEncoder, chip: Chip
) -> None:
    await auto.configure(SMALL, RATE)
    chip.error = ExternalError(5, "Input/output error")
    with pytest.raises(DeviceGoneError, match="h264_v4l2m2m failed: Input/output error"):
        await auto.encode(picture(1))
    assert auto.state().health is Health.DEGRADED
    await auto.configure(SMALL, RATE)
    assert (auto.state().health, auto.state().name) == (Health.READY, LIBX264)
    assert await auto.encode(picture(2), is_keyframe=True)


async def test_hardware_that_hangs_is_given_up_after_its_deadline(auto: StreamEncoder, chip: Chip) -> None:
    await auto.configure(SMALL, RATE)
    chip.answers.clear()
    async with asyncio.timeout(20):
        auto._deadline_s = 0.05
        with pytest.raises(DeviceGoneError, match="does not answer"):
            await auto.encode(picture(1))
        auto._deadline_s = DEADLINE_S
        await auto.configure(SMALL, RATE)
        assert await auto.encode(picture(2), is_keyframe=True)
    assert auto.state().name == LIBX264


async def test_a_stream_that_ends_takes_the_picture_that_is_being_encoded_with_it(
    auto: StreamEncoder, chip: Chip
) -> None:
    await auto.configure(SMALL, RATE)
    chip.answers.clear()
    encoding = asyncio.ensure_future(auto.encode(picture(1)))
    await asyncio.sleep(0)
    ending = asyncio.ensure_future(auto.end_stream())
    await asyncio.sleep(0)
    chip.answers.set()
    assert await encoding is None
    await ending


async def test_pictures_need_a_stream_of_their_size(software: StreamEncoder) -> None:
    with pytest.raises(UsageError, match="has no stream"):
        await software.encode(picture(1))
    await software.configure(SMALL, RATE)
    with pytest.raises(UsageError, match="a picture of 32 x 32 in a stream of 64 x 48"):
        await software.encode(picture(1, PictureFormat(32, 32, 30)))
    await software.end_stream()
    with pytest.raises(UsageError, match="has no stream"):
        await software.encode(picture(1))


async def test_another_rate_begins_another_stream_and_the_limit_holds(
    auto: StreamEncoder, chip: Chip
) -> None:
    await auto.configure(SMALL, RATE)
    await auto.set_bit_rate(RATE)
    await auto.set_bit_rate(10**9)
    assert [settings.bit_rate for settings in chip.begun] == [RATE, 1000 * EncoderOptions().max_kbit_s]
