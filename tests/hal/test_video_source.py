"""The gate where a frame is read: what a shutter and a mute switch let through."""

import asyncio
from contextlib import aclosing
from dataclasses import replace

import pytest

from conclave_hal.camera import CameraState, VideoEncoderState
from conclave_hal.device import Health
from conclave_hal.errors import DeviceGoneError
from conclave_hal.media import Codec, EncodedFrame
from conclave_hal.simulated.mute_switch import SimulatedMuteSwitch
from conclave_hal.simulated.privacy_switch import SimulatedPrivacySwitch
from conclave_hal.switches import SwitchPosition
from conclave_hal.video_source import SETTLING_PACKETS, GatedAudioSource, GatedVideoSource
from tests.hal.devices import SMALL, ScriptedCamera, ScriptedEncoder, ScriptedMicrophone, picture


class Eye:
    """A gated camera whose parts a test moves."""

    def __init__(self) -> None:
        self.camera = ScriptedCamera()
        self.encoder = ScriptedEncoder()
        self.shutter = SimulatedPrivacySwitch()
        self.source = GatedVideoSource(self.camera, self.encoder, self.shutter)

    async def seen(self) -> list[bytes]:
        """Everything that leaves until the camera's end."""
        self.camera.deliver(None)
        async with asyncio.timeout(10):
            return [frame.data async for frame in self.source.frames()]


@pytest.fixture
async def eye() -> Eye:
    made = Eye()
    await made.shutter.open()
    await made.source.open()
    return made


def coded(number: int, *, is_keyframe: bool = False) -> EncodedFrame:
    return EncodedFrame(Codec.H264, bytes([number]), number * 3000, is_keyframe)


async def test_an_open_shutter_lets_every_picture_through(eye: Eye) -> None:
    eye.camera.deliver(picture(1), picture(2))
    assert await eye.seen() == [b"\x01\x01", b"\x01\x02"]
    assert eye.encoder.keyframes == [True, False]


async def test_a_closed_shutter_lets_nothing_through_and_nothing_is_encoded(eye: Eye) -> None:
    await eye.shutter.move(SwitchPosition.BLOCKING)
    eye.camera.deliver(picture(1), picture(2), coded(3, is_keyframe=True))
    assert await eye.seen() == []
    assert eye.encoder.keyframes == []


async def test_a_shutter_that_closes_while_a_picture_is_encoded_holds_it_back(eye: Eye) -> None:
    eye.encoder.meanwhile = lambda: eye.shutter.move(SwitchPosition.BLOCKING)
    eye.camera.deliver(picture(1))
    assert await eye.seen() == []
    assert not eye.encoder.is_streaming


async def test_the_gate_holds_though_nobody_else_gets_a_turn(eye: Eye) -> None:
    # No task that watches the switch runs between the closing and the next read.
    eye.camera.deliver(picture(1), picture(2), None)
    async with asyncio.timeout(10), aclosing(eye.source.frames()) as frames:
        assert (await anext(frames)).data == b"\x01\x01"
        moving = eye.shutter.move(SwitchPosition.BLOCKING)
        with pytest.raises(StopIteration):
            moving.send(None)
        assert await anext(frames, None) is None


async def test_after_the_shutter_has_opened_a_new_stream_begins_with_a_keyframe(eye: Eye) -> None:
    async with asyncio.timeout(10), aclosing(eye.source.frames()) as frames:
        eye.camera.deliver(picture(1))
        await anext(frames)
        await eye.shutter.move(SwitchPosition.BLOCKING)
        eye.camera.deliver(picture(2))
        coming = asyncio.ensure_future(anext(frames))
        while eye.encoder.is_streaming:  # noqa: ASYNC110 - until the picture has been refused
            await asyncio.sleep(0)
        await eye.shutter.move(SwitchPosition.PASSING)
        eye.camera.deliver(picture(3))
        after = await coming
    assert (after.data, after.is_keyframe) == (b"\x02\x03", True)


async def test_a_shutter_that_nobody_can_read_mutes_nobody(eye: Eye) -> None:
    await eye.shutter.move(SwitchPosition.UNKNOWN)
    eye.camera.deliver(picture(1))
    assert await eye.seen() == [b"\x01\x01"]


async def test_of_a_camera_that_encodes_nothing_leaves_after_the_shutter_before_a_keyframe(eye: Eye) -> None:
    async with asyncio.timeout(10), aclosing(eye.source.frames()) as frames:
        eye.camera.deliver(coded(1, is_keyframe=True), coded(2))
        assert [(await anext(frames)).data, (await anext(frames)).data] == [b"\x01", b"\x02"]
        await eye.shutter.move(SwitchPosition.BLOCKING)
        eye.camera.deliver(coded(3))
        coming = asyncio.ensure_future(anext(frames))
        while eye.camera._waiting.qsize():  # noqa: ASYNC110 - until the frame has been refused
            await asyncio.sleep(0)
        await eye.shutter.move(SwitchPosition.PASSING)
        eye.camera.deliver(coded(4), coded(5), coded(6, is_keyframe=True))
        assert (await coming).data == b"\x06"
    assert eye.camera.keyframes_asked == 1
    assert eye.encoder.streams == 0, "its own frames are not encoded again"


async def test_a_source_that_is_switched_off_lets_nothing_through_whatever_the_camera_does(eye: Eye) -> None:
    await eye.source.set_enabled(False)
    eye.camera.deliver(picture(1), coded(2, is_keyframe=True))
    assert await eye.seen() == []
    assert eye.camera.switched == [False]


async def test_a_picture_that_is_encoded_while_the_source_is_switched_off_stays_here(eye: Eye) -> None:
    eye.encoder.meanwhile = lambda: eye.source.set_enabled(False)
    eye.camera.deliver(picture(1))
    assert await eye.seen() == []


async def test_a_keyframe_that_was_asked_for_comes_next(eye: Eye) -> None:
    async with asyncio.timeout(10), aclosing(eye.source.frames()) as frames:
        eye.camera.deliver(picture(1), picture(2), picture(3))
        kinds = [(await anext(frames)).is_keyframe, (await anext(frames)).is_keyframe]
        await eye.source.request_keyframe()
        kinds.append((await anext(frames)).is_keyframe)
    assert kinds == [True, False, True]


async def test_every_reader_begins_with_a_keyframe_and_the_newest_one_reads(eye: Eye) -> None:
    async with asyncio.timeout(10), aclosing(eye.source.frames()) as earlier:
        eye.camera.deliver(picture(1))
        assert (await anext(earlier)).is_keyframe
        async with aclosing(eye.source.frames()) as newer:
            eye.camera.deliver(picture(2))
            assert (await anext(newer)).is_keyframe
            eye.camera.deliver(picture(3))
            assert await anext(earlier, None) is None


async def test_pictures_of_another_size_begin_another_stream(eye: Eye) -> None:
    eye.camera.deliver(picture(1), picture(2, replace(SMALL, width=32)))
    assert await eye.seen() == [b"\x01\x01", b"\x02\x02"]
    assert eye.encoder.keyframes == [True, True]


async def test_an_encoder_that_breaks_ends_the_frames_and_the_next_reader_begins_anew(eye: Eye) -> None:
    eye.encoder.error = DeviceGoneError("the chip is gone")
    eye.camera.deliver(picture(1))
    with pytest.raises(DeviceGoneError, match="the chip is gone"):
        await eye.seen()
    eye.encoder.error = None
    eye.camera._waiting.get_nowait()
    eye.camera.deliver(picture(2))
    assert await eye.seen() == [b"\x02\x02"]


async def test_a_camera_that_goes_ends_the_frames_with_its_error(eye: Eye) -> None:
    eye.camera.deliver(DeviceGoneError("unplugged"))
    with pytest.raises(DeviceGoneError, match="unplugged"):
        await eye.seen()


@pytest.mark.parametrize(
    ("camera", "encoder", "joined"),
    [
        (
            CameraState(Health.READY, "", SMALL),
            VideoEncoderState(Health.READY, "not fitted"),
            (Health.READY, "not fitted"),
        ),
        (
            CameraState(Health.FAILED, "unplugged"),
            VideoEncoderState(Health.READY),
            (Health.FAILED, "unplugged"),
        ),
        (
            CameraState(Health.READY, "", SMALL),
            VideoEncoderState(Health.DEGRADED, "broke"),
            (Health.DEGRADED, "broke"),
        ),
        (
            CameraState(Health.READY, "not fitted"),
            VideoEncoderState(Health.DEGRADED, "broke"),
            (Health.READY, "not fitted"),
        ),
    ],
)
async def test_the_source_is_as_well_as_the_worse_of_its_parts(
    eye: Eye, camera: CameraState, encoder: VideoEncoderState, joined: tuple[Health, str]
) -> None:
    running = asyncio.create_task(eye.source.run())
    await eye.camera.become(camera)
    await eye.encoder.become(encoder)
    async with asyncio.timeout(10):
        async for state in eye.source.watch():
            if (state.health, state.reason) == joined:
                break
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


def packet(number: int) -> EncodedFrame:
    return EncodedFrame(Codec.OPUS, bytes([number]), number * 960)


@pytest.fixture
async def ear() -> tuple[ScriptedMicrophone, SimulatedMuteSwitch, GatedAudioSource]:
    microphone, switch = ScriptedMicrophone(), SimulatedMuteSwitch()
    await switch.open()
    return microphone, switch, GatedAudioSource(microphone, switch)


Ear = tuple[ScriptedMicrophone, SimulatedMuteSwitch, GatedAudioSource]


async def test_a_blocking_mute_switch_lets_no_packet_through(ear: Ear) -> None:
    microphone, switch, source = ear
    async with asyncio.timeout(10), aclosing(source.frames()) as frames:
        microphone.deliver(packet(1))
        assert (await anext(frames)).data == b"\x01"
        await switch.move(SwitchPosition.BLOCKING)
        microphone.deliver(packet(2), packet(3), None)
        assert await anext(frames, None) is None


async def test_what_was_heard_before_the_switch_opened_is_not_in_the_first_packet(ear: Ear) -> None:
    microphone, switch, source = ear
    await switch.move(SwitchPosition.BLOCKING)
    async with asyncio.timeout(10), aclosing(source.frames()) as frames:
        microphone.deliver(packet(1))
        coming = asyncio.ensure_future(anext(frames))
        while microphone._waiting.qsize():  # noqa: ASYNC110 - until the packet has been refused
            await asyncio.sleep(0)
        await switch.move(SwitchPosition.PASSING)
        microphone.deliver(*(packet(number) for number in range(2, 10)))
        assert (await coming).data == bytes([2 + SETTLING_PACKETS])


async def test_a_mute_switch_that_nobody_can_read_mutes_nobody(ear: Ear) -> None:
    microphone, switch, source = ear
    await switch.move(SwitchPosition.UNKNOWN)
    microphone.deliver(packet(1), None)
    assert [frame.data async for frame in source.frames()] == [b"\x01"]


async def test_a_microphone_that_is_switched_off_lets_nothing_through(ear: Ear) -> None:
    microphone, _, source = ear
    await source.set_enabled(False)
    microphone.deliver(packet(1), None)
    assert [frame.data async for frame in source.frames()] == []
