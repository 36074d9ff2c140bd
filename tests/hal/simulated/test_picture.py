"""From the simulated camera to the simulated screen, through real H.264."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from itertools import islice, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conclave_hal.camera import Picture
from conclave_hal.decoding_sink import MAX_WAITING
from conclave_hal.encoding.h264_stream import LIBX264
from conclave_hal.encoding.stream_encoder import EncoderOptions, StreamEncoder
from conclave_hal.errors import DeviceGoneError, UsageError
from conclave_hal.media import Codec, EncodedFrame
from conclave_hal.none import NoPrivacySwitch
from conclave_hal.simulated.camera import CameraOptions, SimulatedCamera
from conclave_hal.simulated.picture_code import MAX_NAME_BYTES, PictureCode, draw_code, read_code
from conclave_hal.simulated.privacy_switch import SimulatedPrivacySwitch
from conclave_hal.simulated.screen import SimulatedScreen
from conclave_hal.switches import SwitchPosition
from conclave_hal.video_source import GatedVideoSource

NAME = "north.rooms.example"
FAST = CameraOptions(name=NAME, fps=60)


@pytest.fixture
async def shutter() -> SimulatedPrivacySwitch:
    switch = SimulatedPrivacySwitch()
    await switch.open()
    return switch


@pytest.fixture
async def camera(shutter: SimulatedPrivacySwitch) -> AsyncIterator[SimulatedCamera]:
    device = SimulatedCamera(FAST, shutter)
    await device.open()
    yield device
    await device.close()


@pytest.fixture
async def video(camera: SimulatedCamera) -> AsyncIterator[GatedVideoSource]:
    """The camera's frames; no shutter is before this source, so that black ones can be looked at."""
    encoder = StreamEncoder((LIBX264,), EncoderOptions())
    await encoder.open()
    yield GatedVideoSource(camera, encoder, NoPrivacySwitch())
    await encoder.close()


@pytest.fixture
async def screen() -> AsyncIterator[SimulatedScreen]:
    device = SimulatedScreen()
    await device.open()
    yield device
    await device.close()


async def film(video: GatedVideoSource, count: int) -> list[EncodedFrame]:
    async with asyncio.timeout(20), aclosing(video.frames()) as frames:
        return [await anext(frames) for _ in range(count)]


async def pictures(camera: SimulatedCamera, count: int) -> list[Picture]:
    async with asyncio.timeout(20), aclosing(camera.pictures()) as captured:
        return [await anext(captured) for _ in range(count)]


@given(
    counter=st.integers(0, 2**32 - 1),
    name=st.text(max_size=MAX_NAME_BYTES // 4),
    width=st.sampled_from([320, 336, 640]),
)
def test_a_code_drawn_into_a_picture_is_read_back(counter: int, name: str, width: int) -> None:
    stride = width + 32
    luma = bytearray(b"\x55" * stride * 360)
    draw_code(luma, stride, width, PictureCode(counter, name))
    assert read_code(bytes(luma), stride, width, 360) == PictureCode(counter, name)


def test_one_wrong_square_makes_the_code_unreadable() -> None:
    luma = bytearray(640 * 360)
    draw_code(luma, 640, 640, PictureCode(7, NAME))
    for x in range(16 * 20, 16 * 21):
        for y in range(16):
            luma[y * 640 + x] ^= 0xFF
    assert read_code(bytes(luma), 640, 640, 360) is None


async def test_the_screen_reads_name_and_advancing_counter_off_the_decoded_picture(
    video: GatedVideoSource, screen: SimulatedScreen
) -> None:
    for frame in await film(video, 8):
        assert await screen.play("1/1", frame)
    report = screen.reports()["1/1"]
    assert (report.frames_decoded, report.frames_failed) == (8, 0)
    assert report.detail == {"counter": 8, "counter_advances": 7, "name": NAME}


async def test_time_stamps_advance_by_whole_periods_of_the_media_clock(camera: SimulatedCamera) -> None:
    stamps = [picture.timestamp for picture in await pictures(camera, 4)]
    steps = [(after - before) % 2**32 for before, after in pairwise(stamps)]
    assert all(step > 0 and step % 1500 == 0 for step in steps)


async def test_a_picture_is_whole_planes_without_padding() -> None:
    camera = SimulatedCamera(CameraOptions(width=336, height=190, fps=60))
    await camera.open()
    picture = (await pictures(camera, 1))[0]
    assert (picture.width, picture.height, len(picture.data)) == (336, 190, 336 * 190 * 3 // 2)
    await camera.close()


async def test_the_camera_says_whether_it_captures(camera: SimulatedCamera) -> None:
    assert not camera.state().is_capturing
    async with asyncio.timeout(20):
        async with aclosing(camera.pictures()) as captured:
            await anext(captured)
            assert camera.state().is_capturing
        assert not camera.state().is_capturing


async def test_a_disabled_camera_yields_nothing_until_it_is_enabled(camera: SimulatedCamera) -> None:
    async with asyncio.timeout(20), aclosing(camera.pictures()) as captured:
        before = await anext(captured)
        await camera.set_enabled(False)
        pending = asyncio.ensure_future(anext(captured))
        # Its clock goes on while it captures nothing: enough turns for many pictures.
        other = SimulatedCamera(FAST)
        await other.open()
        await pictures(other, 4)
        await other.close()
        assert not pending.done()
        assert not camera.state().is_capturing
        await camera.set_enabled(True)
        after = await pending
        assert (after.timestamp - before.timestamp) % 2**32 >= 4 * 1500


async def test_a_closed_camera_ends_its_pictures(camera: SimulatedCamera) -> None:
    async with asyncio.timeout(20):
        captured = camera.pictures()
        await anext(captured)
        await camera.set_enabled(False)
        pending = asyncio.ensure_future(anext(captured, None))
        await camera.close()
        assert await pending is None


async def test_a_newer_reader_takes_over_from_an_earlier_one(camera: SimulatedCamera) -> None:
    async with asyncio.timeout(20):
        earlier, newer = camera.pictures(), camera.pictures()
        await anext(earlier)
        await anext(newer)
        assert await anext(earlier, None) is None
        await newer.aclose()


async def test_a_closed_shutter_leaves_no_name_and_no_counter_in_the_picture(
    video: GatedVideoSource, shutter: SimulatedPrivacySwitch, screen: SimulatedScreen
) -> None:
    await shutter.move(SwitchPosition.BLOCKING)
    for frame in await film(video, 3):
        assert await screen.play("1/1", frame)
    report = screen.reports()["1/1"]
    assert report.frames_decoded == 3
    assert report.detail == {}


async def test_a_camera_that_is_not_open_has_no_pictures() -> None:
    with pytest.raises(UsageError):
        await anext(SimulatedCamera(FAST).pictures())


@pytest.mark.parametrize("data", [b"", b"\0\0\0\1garbage", bytes(range(256)), b"\0\0\0\1\x67\x42"])
async def test_a_damaged_frame_is_counted_and_a_keyframe_heals_the_stream(
    video: GatedVideoSource, screen: SimulatedScreen, data: bytes
) -> None:
    frames = await film(video, 3)
    assert await screen.play("1/1", frames[0])
    assert not await screen.play("1/1", EncodedFrame(Codec.H264, data, 0, is_keyframe=False))
    assert not await screen.play("1/1", frames[1]), "it refers to a picture that was lost"
    assert await screen.play("1/1", frames[0])
    assert await screen.play("1/1", frames[1])
    report = screen.reports()["1/1"]
    assert (report.frames_decoded, report.frames_failed) == (3, 2)


async def test_a_stream_that_starts_between_keyframes_waits_for_one(
    video: GatedVideoSource, screen: SimulatedScreen
) -> None:
    frames = await film(video, 3)
    assert not await screen.play("1/1", frames[1])
    assert await screen.play("1/1", frames[0])


async def test_a_flood_of_one_stream_is_bounded_and_then_needs_a_keyframe(
    video: GatedVideoSource, screen: SimulatedScreen
) -> None:
    frames = await film(video, MAX_WAITING + 3)
    flood = islice(frames, MAX_WAITING + 2)
    played = await asyncio.gather(*(screen.play("1/1", frame) for frame in flood))
    assert played == [True] * MAX_WAITING + [False] * 2
    assert not await screen.play("1/1", frames[-1])
    assert await screen.play("1/1", frames[0])


async def test_streams_are_told_apart_and_a_stopped_one_is_forgotten(
    video: GatedVideoSource, screen: SimulatedScreen
) -> None:
    first = (await film(video, 1))[0]
    assert await screen.play("1/1", first)
    assert await screen.play("2/1", first)
    await screen.stop("1/1")
    await screen.stop("7/1")
    assert set(screen.reports()) == {"2/1"}


async def test_a_screen_refuses_sound_and_use_outside_its_life(screen: SimulatedScreen) -> None:
    with pytest.raises(UsageError):
        await screen.play("1/0", EncodedFrame(Codec.OPUS, b"", 0))
    with pytest.raises(UsageError):
        await SimulatedScreen().play("1/1", EncodedFrame(Codec.H264, b"", 0))
    await screen.close()
    await screen.close()
    with pytest.raises(DeviceGoneError):
        await screen.play("1/1", EncodedFrame(Codec.H264, b"", 0))
