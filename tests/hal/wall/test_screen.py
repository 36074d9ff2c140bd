"""The screen on pixels: real H.264 in, pictures on a glass that is a file, or one that a test takes away."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from threading import Event

import pytest
from PIL import Image

from conclave_hal.camera import Picture, PictureFormat
from conclave_hal.device import Health
from conclave_hal.encoding.h264_stream import LIBX264, H264Stream, StreamSettings
from conclave_hal.errors import DeviceError, DeviceGoneError
from conclave_hal.media import Codec, EncodedFrame
from conclave_hal.pixels.glass import Glass
from conclave_hal.wall.screen import BACKGROUND, STALE_S, PixelScreen, PixelScreenOptions
from tests.hal.waiting import Clock, running, until_state

WIDE = PictureFormat(320, 180, 30)
DARK, BRIGHT = 60, 200
"""Shades of pictures, told apart after coding."""
OPTIONS = PixelScreenOptions(backend="png")


class FakeGlass(Glass):
    """Remembers what it shows."""

    def __init__(self) -> None:
        self.name, self.width, self.height = "glass", 640, 360
        self.shown: list[Image.Image] = []
        self.error: Exception | None = None
        self.is_closed = False

    def show(self, picture: Image.Image) -> None:
        if isinstance(self.error, DeviceGoneError):
            raise self.error
        self.shown.append(picture.copy())

    def check(self) -> None:
        if self.error is not None:
            raise self.error

    def close(self) -> None:
        self.is_closed = True


class Room:
    """A screen, its glass, and time."""

    def __init__(self) -> None:
        self.glass = FakeGlass()
        self.clock = Clock()
        self.now = 100.0
        self.screen = PixelScreen(
            OPTIONS, opens_glass=lambda options: self.glass, pause=self.clock.pause, clock=lambda: self.now
        )

    async def until(self, is_so: Callable[[Image.Image], bool]) -> Image.Image:
        """What is on the glass once that `is_so`."""
        while not (self.glass.shown and is_so(self.glass.shown[-1])):
            await self.clock.tick()
        return self.glass.shown[-1]


@pytest.fixture
async def room() -> AsyncIterator[Room]:
    made = Room()
    async with asyncio.timeout(30), running(made.screen):
        await until_state(made.screen, lambda state: state.health is Health.READY)
        yield made


def film(shade: int, size: PictureFormat = WIDE) -> EncodedFrame:
    """One grey picture that decodes alone."""
    stream = H264Stream(StreamSettings(LIBX264, size, 400_000))
    pixels = size.width * size.height
    grey = Picture(size.width, size.height, bytes([shade]) * pixels + bytes([128]) * (pixels // 2), 0)
    frame = stream.encode(grey, is_keyframe=True)
    assert frame is not None
    return frame


def shade_at(image: Image.Image, x: int, y: int) -> int:
    found = image.getpixel((x, y))
    assert isinstance(found, tuple)
    return int(found[0])


def is_dark(shade: int) -> bool:
    """Of limited range, made full: (60 - 16) * 255 / 219."""
    return abs(shade - 51) < 12


def is_bright(shade: int) -> bool:
    return abs(shade - 214) < 12


async def test_the_glass_is_empty_while_nobody_sends(room: Room) -> None:
    assert room.glass.shown[-1].getcolors() == [(640 * 360, BACKGROUND)]


async def test_one_picture_fills_the_glass_and_two_stand_side_by_side(room: Room) -> None:
    assert await room.screen.play("1/1", film(DARK))
    alone = await room.until(lambda image: is_dark(shade_at(image, 320, 180)))
    assert is_dark(shade_at(alone, 2, 2))
    assert is_dark(shade_at(alone, 637, 357))
    assert await room.screen.play("2/1", film(BRIGHT))
    both = await room.until(lambda image: is_bright(shade_at(image, 480, 180)))
    assert is_dark(shade_at(both, 160, 180))
    assert both.getpixel((160, 5)) == BACKGROUND, "a picture keeps its shape"


async def test_who_stops_sending_is_taken_away_after_a_moment(room: Room) -> None:
    await room.screen.play("1/1", film(DARK))
    await room.until(lambda image: is_dark(shade_at(image, 320, 180)))
    room.now += STALE_S
    await room.until(lambda image: image.getpixel((320, 180)) == BACKGROUND)
    await room.screen.play("1/1", film(BRIGHT))
    await room.until(lambda image: is_bright(shade_at(image, 320, 180)))


async def test_who_leaves_is_taken_away_at_once(room: Room) -> None:
    await room.screen.play("1/1", film(DARK))
    await room.until(lambda image: is_dark(shade_at(image, 320, 180)))
    await room.screen.stop("1/1")
    await room.until(lambda image: image.getpixel((320, 180)) == BACKGROUND)


async def test_nothing_is_drawn_while_nothing_changes(room: Room) -> None:
    await room.screen.play("1/1", film(DARK))
    await room.until(lambda image: is_dark(shade_at(image, 320, 180)))
    count = len(room.glass.shown)
    for _ in range(20):
        await room.clock.tick()
    assert len(room.glass.shown) == count


async def test_what_was_drawn_over_is_drawn_again(room: Room) -> None:
    count = len(room.glass.shown)
    room.glass.error = DeviceError("another picture is on it")
    room.now += 2
    while len(room.glass.shown) == count:
        await room.clock.tick()


async def test_a_glass_that_goes_is_an_event_and_comes_back(room: Room) -> None:
    first = room.glass
    first.error = DeviceGoneError("no monitor is plugged in")
    await room.screen.play("1/1", film(DARK))
    failed = asyncio.ensure_future(until_state(room.screen, lambda state: state.health is Health.FAILED))
    while not failed.done():
        await room.clock.tick()
    assert (await failed).reason == "no monitor is plugged in"
    assert first.is_closed
    assert await room.screen.play("1/1", film(BRIGHT)), "it is decoded all the same"
    room.glass = FakeGlass()
    await room.until(lambda image: is_bright(shade_at(image, 320, 180)))


async def test_a_damaged_picture_is_counted_and_shown_to_nobody(room: Room) -> None:
    assert not await room.screen.play("1/1", EncodedFrame(Codec.H264, b"\0\0\0\1garbage", 0))
    report = room.screen.reports()["1/1"]
    assert (report.frames_decoded, report.frames_failed) == (0, 1)


async def test_a_file_can_be_the_glass(tmp_path: Path) -> None:
    file = tmp_path / "screen.png"
    clock = Clock()
    options = PixelScreenOptions(backend="png", png_file=file, png_width=320, png_height=180)
    device = PixelScreen(options, pause=clock.pause)
    async with asyncio.timeout(30), running(device):
        await until_state(device, lambda state: state.health is Health.READY)
        await device.play("1/1", film(BRIGHT))
        while True:
            await clock.tick()
            with Image.open(file) as shown:
                if is_bright(shade_at(shown.convert("RGB"), 160, 90)):
                    break
    assert not file.exists(), "no old picture is left"


async def test_a_glass_that_comes_when_nobody_waits_any_more_is_closed() -> None:
    late, is_given_up = FakeGlass(), Event()
    screen = PixelScreen(OPTIONS, opens_glass=lambda options: late)
    is_given_up.set()
    with pytest.raises(DeviceGoneError):
        screen._open_glass(is_given_up)
    assert late.is_closed
