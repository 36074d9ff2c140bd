"""The V4L2 camera: when it captures, what it does with a camera that goes, hangs or is too fast."""

import asyncio
import queue
import threading
import time
from collections.abc import Generator, Iterator
from contextlib import aclosing
from functools import partial
from pathlib import Path

import pytest

from conclave_hal.camera import Picture, PictureFormat
from conclave_hal.device import Health
from conclave_hal.errors import DeviceGoneError
from conclave_hal.media import Codec, EncodedFrame
from conclave_hal.v4l2 import abi
from conclave_hal.v4l2.camera import KEPT_FRAMES, V4l2Camera, V4l2CameraOptions, look_at
from conclave_hal.v4l2.modes import Chosen
from tests.hal.devices import picture
from tests.hal.v4l2.fake_camera import FakeCamera
from tests.hal.waiting import Clock, running, until_state


class Sensor:
    """What a capture thread reads, item by item."""

    def __init__(self) -> None:
        self.items: queue.Queue[Picture | EncodedFrame | Exception] = queue.Queue()
        self.chosen: list[Chosen] = []
        self.closed = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def capture(self, path: str, chosen: Chosen) -> Generator[Picture | EncodedFrame | None, None, None]:
        """As FFmpeg would."""
        self.chosen.append(chosen)
        self._loop.call_soon_threadsafe(self.closed.clear)
        try:
            while True:
                try:
                    item = self.items.get(timeout=0.01)
                except queue.Empty:
                    yield None
                    continue
                if isinstance(item, Exception):
                    raise item
                yield item
        finally:
            self._loop.call_soon_threadsafe(self.closed.set)


@pytest.fixture
def plugged(tmp_path: Path) -> Iterator[FakeCamera]:
    made = FakeCamera(tmp_path / "camera", sizes={"YUYV": [(640, 480), (1280, 720)], "H264": [(1280, 720)]})
    yield made
    made.close()


@pytest.fixture
async def sensor() -> Sensor:
    return Sensor()


@pytest.fixture
def clock() -> Clock:
    return Clock()


def camera_of(plugged: FakeCamera, sensor: Sensor, clock: Clock, **options: object) -> V4l2Camera:
    return V4l2Camera(
        V4l2CameraOptions(str(plugged.path), **options),  # type: ignore[arg-type]
        look=partial(look_at, open_node=plugged.open_node),
        capture=sensor.capture,
        pause=clock.pause,
    )


@pytest.fixture
def camera(plugged: FakeCamera, sensor: Sensor, clock: Clock) -> V4l2Camera:
    return camera_of(plugged, sensor, clock)


async def ready(camera: V4l2Camera) -> None:
    await until_state(camera, lambda state: state.health is Health.READY)


async def test_formats_are_listed_best_first_and_nothing_is_captured_before_somebody_reads(
    camera: V4l2Camera, sensor: Sensor
) -> None:
    async with running(camera):
        await ready(camera)
        assert camera.formats() == (
            PictureFormat(1280, 720, 30),
            PictureFormat(1280, 720, 30, is_encoded=True),
            PictureFormat(640, 480, 30),
        )
        assert camera.state().format == PictureFormat(1280, 720, 30)
        assert not camera.state().is_capturing
    assert sensor.chosen == []
    assert camera.formats() == ()


async def test_pictures_come_while_somebody_reads(camera: V4l2Camera, sensor: Sensor) -> None:
    async with running(camera), asyncio.timeout(20):
        async with aclosing(camera.pictures()) as pictures:
            for number in (1, 2):
                sensor.items.put(picture(number))
                assert await anext(pictures) == picture(number)
            assert camera.state().is_capturing
        await until_state(camera, lambda state: not state.is_capturing)
        assert sensor.closed.is_set()
    assert sensor.chosen == [Chosen(PictureFormat(1280, 720, 30), "yuyv422")]


async def test_a_slow_reader_gets_the_newest_picture(camera: V4l2Camera, sensor: Sensor) -> None:
    async with running(camera), asyncio.timeout(20), aclosing(camera.pictures()) as pictures:
        sensor.items.put(picture(1))
        await anext(pictures)
        for number in range(2, 9):
            sensor.items.put(picture(number))
        seen = picture(1)
        while seen != picture(8):
            newer = await anext(pictures)
            assert isinstance(newer, Picture)
            assert newer.timestamp > seen.timestamp
            seen = newer


async def test_a_camera_that_is_switched_off_is_closed_and_delivers_nothing(
    camera: V4l2Camera, sensor: Sensor
) -> None:
    async with running(camera), asyncio.timeout(20), aclosing(camera.pictures()) as pictures:
        sensor.items.put(picture(1))
        await anext(pictures)
        await camera.set_enabled(False)
        await until_state(camera, lambda state: not state.is_capturing)
        assert sensor.closed.is_set()
        await camera.set_enabled(True)
        sensor.items.put(picture(4))
        later = await anext(pictures)
        assert later == picture(4)


async def test_a_camera_that_goes_ends_the_pictures_and_comes_back_for_the_next_reader(
    camera: V4l2Camera, sensor: Sensor, plugged: FakeCamera, clock: Clock
) -> None:
    async with running(camera), asyncio.timeout(20):
        async with aclosing(camera.pictures()) as pictures:
            sensor.items.put(picture(1))
            await anext(pictures)
            plugged.unplug()
            sensor.items.put(OSError(19, "No such device"))
            with pytest.raises(DeviceGoneError, match="No such device"):
                await anext(pictures)
        await until_state(camera, lambda state: state.health is Health.FAILED)
        async with aclosing(camera.pictures()) as pictures:
            coming = asyncio.ensure_future(anext(pictures))
            plugged.plug_in()
            sensor.items.put(picture(2))
            while not coming.done():
                await clock.tick()
            assert await coming == picture(2)


async def test_an_idle_camera_that_is_unplugged_is_missed(
    camera: V4l2Camera, plugged: FakeCamera, clock: Clock
) -> None:
    async with running(camera):
        await ready(camera)
        plugged.unplug()
        missed = asyncio.ensure_future(until_state(camera, lambda state: state.health is Health.FAILED))
        while not missed.done():
            await clock.tick()
        assert "not there any more" in (await missed).reason
        assert camera.formats() == ()


async def test_a_camera_that_hangs_is_given_up_and_gets_no_second_thread(
    plugged: FakeCamera, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("conclave_hal.threaded_source.FIRST_ITEM_S", 0.05)
    monkeypatch.setattr("conclave_hal.capture_thread.ENDING_S", 0.05)
    lets_go = threading.Event()
    threads = []

    def hang(path: str, chosen: Chosen) -> Generator[Picture, None, None]:
        threads.append(threading.current_thread())
        while True:
            lets_go.wait()
            yield picture(1)
            time.sleep(0.01)

    look = partial(look_at, open_node=plugged.open_node)
    camera = V4l2Camera(V4l2CameraOptions(str(plugged.path)), look=look, capture=hang, pause=clock.pause)
    async with running(camera), asyncio.timeout(20):
        with pytest.raises(DeviceGoneError, match="delivers nothing"):
            await anext(camera.pictures())
        with pytest.raises(DeviceGoneError, match="still hangs"):
            await anext(camera.pictures())
        assert len(threads) == 1
        lets_go.set()
        threads[0].join(10)
        assert await anext(camera.pictures()) == picture(1)


async def test_a_camera_that_another_program_has_is_degraded_until_it_lets_go(
    camera: V4l2Camera, sensor: Sensor
) -> None:
    async with running(camera), asyncio.timeout(20):
        for _ in range(2):
            sensor.items.put(OSError(16, "Device or resource busy"))
            with pytest.raises(DeviceGoneError, match="busy"):
                await anext(camera.pictures())
            degraded = await until_state(camera, lambda state: state.health is Health.DEGRADED)
            assert "busy" in degraded.reason
        async with aclosing(camera.pictures()) as pictures:
            sensor.items.put(picture(1))
            assert await anext(pictures) == picture(1)
            assert camera.state().health is Health.READY


async def test_of_a_cameras_own_frames_a_slow_reader_loses_all_up_to_a_keyframe(
    plugged: FakeCamera, sensor: Sensor, clock: Clock
) -> None:
    camera = camera_of(plugged, sensor, clock, pixels="h264")
    async with running(camera), asyncio.timeout(20), aclosing(camera.pictures()) as pictures:
        sensor.items.put(EncodedFrame(Codec.H264, b"first", 0, True))
        await anext(pictures)
        reader = camera._reader
        assert reader is not None
        for number in range(KEPT_FRAMES + 5):
            reader.give(EncodedFrame(Codec.H264, b"lost", number, False))
        reader.give(EncodedFrame(Codec.H264, b"key", 99, True))
        reader.give(EncodedFrame(Codec.H264, b"next", 100, False))
        seen = [await anext(pictures), await anext(pictures)]
        assert [each.data for each in seen] == [b"key", b"next"]


async def test_a_newer_reader_takes_over(camera: V4l2Camera, sensor: Sensor) -> None:
    async with running(camera), asyncio.timeout(20):
        earlier = camera.pictures()
        sensor.items.put(picture(1))
        await anext(earlier)
        async with aclosing(camera.pictures()) as newer:
            coming = asyncio.ensure_future(anext(newer))
            await asyncio.sleep(0)
            assert await anext(earlier, None) is None
            sensor.items.put(picture(2))
            assert await coming == picture(2)


async def test_a_closed_camera_ends_its_pictures(camera: V4l2Camera, sensor: Sensor) -> None:
    async with asyncio.timeout(20):
        async with running(camera):
            pictures = camera.pictures()
            sensor.items.put(picture(1))
            await anext(pictures)
            pending = asyncio.ensure_future(anext(pictures, None))
            await camera.close()
            assert await pending is None


@pytest.mark.parametrize(
    ("capabilities", "code", "said"),
    [
        (abi.CAP_STREAMING, "YUYV", "captures no pictures"),
        (abi.CAP_VIDEO_CAPTURE | abi.CAP_STREAMING, "RGGB", "no format"),
    ],
)
async def test_a_node_that_is_no_camera_says_what_it_lacks(
    camera: V4l2Camera, plugged: FakeCamera, capabilities: int, code: str, said: str
) -> None:
    plugged.capabilities, plugged.sizes = capabilities, {code: [(640, 480)]}
    async with running(camera):
        failed = await until_state(camera, lambda state: state.health is Health.FAILED)
    assert said in failed.reason
