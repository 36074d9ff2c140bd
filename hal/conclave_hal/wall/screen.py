"""Driver `pixels` of the slot screen: pictures are decoded here and put on a glass, side by side.

A picture that has not changed for a while is taken away: whoever has switched the camera off is not to
look as if still there. All is done by the processor, so this is for a few participants and for boards
without a compositor; a room with many wants a driver of its board's own.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Annotated, TypeVar

from PIL import Image

from conclave_hal.decoding_sink import DecodingSink
from conclave_hal.device import DeviceState, Health
from conclave_hal.drivers import Driver
from conclave_hal.errors import DeviceError, DeviceGoneError, DeviceTimeoutError
from conclave_hal.hot_plug import HotPlugDevice
from conclave_hal.media import Codec, VideoSink
from conclave_hal.options import Option, choice, file_path, integer
from conclave_hal.pixels.glass import Glass
from conclave_hal.pixels.glasses import open_glass
from conclave_hal.pixels.pixel_panel_options import connector_name, device_or_nothing
from conclave_hal.wall.grid import Box, fit, tiles
from conclave_hal.worker import Worker

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

    from conclave_hal.wall.newest_picture import NewestPicture

BACKGROUND = (14, 17, 22)
DRAW_DEADLINE_S = 5.0
CHECK_EVERY_S = 1.0
STALE_S = 3.0
"""A camera that is on delivers many pictures in this time, also on a bad line."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class PixelScreenOptions:
    """Options of the screen on pixels."""

    backend: Annotated[
        str, Option(choice("auto", "drm", "fbdev", "png"), "how pictures get there; auto: DRM, else fbdev")
    ] = "auto"
    device: Annotated[
        str, Option(device_or_nothing(), "card or framebuffer; empty: the first with a monitor")
    ] = ""
    connector: Annotated[
        str, Option(connector_name(), "which of the card's connectors; empty: built-in panels first")
    ] = ""
    fps: Annotated[int, Option(integer(1, 60), "how often the screen is drawn in a second, at most")] = 15
    png_file: Annotated[
        Path | None, Option(file_path(), "for png: the file that gets each picture, for its owner only")
    ] = None
    png_width: Annotated[int, Option(integer(320, 7680), "for png: pixels in a line")] = 1280
    png_height: Annotated[int, Option(integer(180, 4320), "for png: lines")] = 720


OpensGlass = Callable[[PixelScreenOptions], Glass]


def _open(options: PixelScreenOptions) -> Glass:
    return open_glass(
        options.backend,
        options.device,
        options.connector,
        png_file=options.png_file,
        png_size=(options.png_width, options.png_height),
        built_in_first=False,
    )


@dataclass(frozen=True, slots=True)
class _Shown:
    """What stands on the glass: the pictures in their order. Frames are compared by identity."""

    frames: "tuple[VideoFrame, ...]" = ()


class PixelScreen(HotPlugDevice[DeviceState], DecodingSink["NewestPicture"], VideoSink):
    """Draws everybody's picture on a glass. Without one everything is decoded all the same."""

    codec = Codec.H264

    def __init__(
        self,
        options: PixelScreenOptions,
        *,
        opens_glass: OpensGlass = _open,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`pause` waits so many seconds, `clock` tells them; both stand in for time in tests."""
        super().__init__(pause=pause)
        self._options = options
        self._opens_glass = opens_glass
        self._clock = clock
        self._drawer: Worker | None = None

    async def open(self) -> None:
        """Start the decoders' thread; `run` finds the glass."""
        self._start()

    async def close(self) -> None:
        """Free the decoders. `run` has been cancelled before, and with it the glass was left."""
        await DecodingSink.close(self)
        if self._drawer is not None:
            await self._drawer.close()
        await self._publish(self._lost("closed"))

    def _new_decoder(self) -> "NewestPicture":
        from conclave_hal.wall.newest_picture import NewestPicture  # FFmpeg: see `ffmpeg`

        return NewestPicture(self._clock)

    async def _session(self) -> None:
        is_given_up = Event()
        try:
            glass = await self._in_time(self._open_glass, is_given_up)
        except BaseException:
            is_given_up.set()
            raise
        try:
            canvas = await self._in_time(Image.new, "RGB", (glass.width, glass.height), BACKGROUND)
            await self._in_time(glass.show, canvas)
            await self._publish(DeviceState(Health.READY))
            await self._keep_drawing(glass, canvas)
        finally:
            await self._in_time(glass.close)

    def _open_glass(self, is_given_up: Event) -> Glass:
        """In the worker. A glass that comes when nobody waits for it any more would be nobody's to close."""
        glass = self._opens_glass(self._options)
        if is_given_up.is_set():
            glass.close()
            raise DeviceGoneError("the screen came too late")
        return glass

    async def _keep_drawing(self, glass: Glass, canvas: Image.Image) -> None:
        shown = _Shown()
        checked_at = self._clock()
        while True:
            await self._pause(1 / self._options.fps)
            wanted = _Shown(self._present())
            if wanted != shown:
                await self._in_time(_draw, glass, canvas, shown, wanted)
                shown = wanted
            elif self._clock() - checked_at >= CHECK_EVERY_S:
                checked_at = self._clock()
                try:
                    await self._in_time(glass.check)
                except DeviceError:
                    # Something drew over it: all of it is drawn anew.
                    shown = _Shown()
                    await self._in_time(_draw, glass, canvas, _Shown(), wanted)
                    shown = wanted

    def _present(self) -> "tuple[VideoFrame, ...]":
        """The newest picture of everybody who still sends some."""
        now = self._clock()
        return tuple(
            decoder.newest
            for decoder in self._decoders()
            if decoder.newest is not None and now - decoder.came_at < STALE_S
        )

    async def _in_time(self, function: Callable[..., T], *arguments: object) -> T:
        if self._drawer is None:
            self._drawer = Worker("screen")
        try:
            async with asyncio.timeout(DRAW_DEADLINE_S):
                return await self._drawer.call(function, *arguments)
        except TimeoutError as error:
            self._drawer.abandon()
            self._drawer = None
            raise DeviceTimeoutError(f"the screen does not answer for {DRAW_DEADLINE_S:g} s") from error


def _draw(glass: Glass, canvas: Image.Image, shown: _Shown, wanted: _Shown) -> None:
    """Put what is new on the canvas, and the canvas on the glass. Runs in the drawer."""
    is_same_grid = [_size(frame) for frame in shown.frames] == [_size(frame) for frame in wanted.frames]
    if not is_same_grid or not wanted.frames:
        canvas.paste(BACKGROUND, (0, 0, canvas.width, canvas.height))
    boxes = tiles(len(wanted.frames), canvas.width, canvas.height)
    before = shown.frames if is_same_grid else (None,) * len(wanted.frames)
    for box, frame, old in zip(boxes, wanted.frames, before, strict=True):
        if frame is not old:
            _paste(canvas, frame, fit(frame.width, frame.height, box))
    glass.show(canvas)


def _paste(canvas: Image.Image, frame: "VideoFrame", box: Box) -> None:
    picture: Image.Image = frame.to_image(width=box.width, height=box.height)  # type: ignore[no-untyped-call]
    canvas.paste(picture, (box.left, box.top))


def _size(frame: "VideoFrame") -> tuple[int, int]:
    return frame.width, frame.height


DRIVER = Driver(PixelScreenOptions, lambda options, made: PixelScreen(options))
