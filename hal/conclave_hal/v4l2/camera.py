"""Driver `v4l2` of the slot camera: a USB, CSI or HDMI camera that the kernel shows as `/dev/video*`."""

import asyncio
import os
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from dataclasses import dataclass
from typing import Annotated

from conclave_hal.camera import Camera, CameraState, Picture, PictureFormat
from conclave_hal.capture_thread import CaptureThread
from conclave_hal.device import Health
from conclave_hal.drivers import Driver
from conclave_hal.errors import DeviceError, DeviceGoneError, DeviceTimeoutError, HalError
from conclave_hal.hot_plug import HotPlugDevice
from conclave_hal.media import EncodedFrame
from conclave_hal.options import Option, choice, device_path, integer
from conclave_hal.v4l2.asking import either
from conclave_hal.v4l2.modes import Chosen, Wanted, usable
from conclave_hal.v4l2.node import Mode, Node
from conclave_hal.worker import Worker

LOOK_DEADLINE_S = 10.0
"""For a node to list its formats: some USB cameras are asked for seconds."""
FIRST_PICTURE_S = 10.0
NEXT_PICTURE_S = 4.0
"""Without a picture for so long the camera has hung, or its signal is gone."""
WATCH_S = 1.0
"""Between two looks whether an idle camera is still there."""
KEPT_FRAMES = 30
"""Of a camera's own H.264 that wait for the reader; of pictures the newest one does."""


@dataclass(frozen=True, slots=True)
class V4l2CameraOptions:
    """Options of a Video4Linux camera."""

    device: Annotated[str, Option(device_path(), "the camera's node, best a name in /dev/v4l/by-path")]
    width: Annotated[int, Option(integer(160, 3840, multiple_of=2), "pixels in a line, if it has such")] = (
        1280
    )
    height: Annotated[int, Option(integer(120, 2160, multiple_of=2), "lines, if it can")] = 720
    fps: Annotated[int, Option(integer(1, 60), "pictures in a second, if it can")] = 30
    pixels: Annotated[
        str, Option(choice("auto", "raw", "mjpeg", "h264"), "in which form the camera sends them")
    ] = "auto"


@dataclass(frozen=True, slots=True)
class Found:
    """A camera that is there."""

    modes: tuple[Chosen, ...]
    """Best first, at least one."""
    number: int
    """The node's device number: another camera behind the same name has another."""


def look_at(path: str, wanted: Wanted, open_node: Callable[[str], Node] = Node) -> Found:
    """Ask a node for its formats. Blocking. Raises DeviceGoneError, or DeviceError if it is no camera."""
    with open_node(path) as node:
        said = node.capability()
        if not said.can_capture:
            raise DeviceError(
                f"{path} ({said.card}) captures no pictures",
                hint="a camera has several nodes; the one that ends in index0 captures",
            )
        modes: tuple[Mode, ...] = node.modes()
        chosen = usable(modes, wanted)
        if not chosen:
            raise DeviceError(
                f"{path} ({said.card}) has no format that we can use as {wanted.pixels}",
                hint='try pixels = "auto"',
            )
        return Found(tuple(chosen), os.fstat(node.fileno()).st_rdev)


class V4l2Camera(HotPlugDevice[CameraState], Camera):
    """Captures while it is enabled and read; looks now and then whether it is there while it is not."""

    def __init__(
        self,
        options: V4l2CameraOptions,
        *,
        look: Callable[[str, Wanted], Found] = look_at,
        capture: Callable[[str, Chosen], Generator[Picture | EncodedFrame | None, None, None]] | None = None,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """`look` and `capture` touch the hardware, each in a thread; `pause` waits so many seconds."""
        super().__init__(pause=pause)
        self._path = options.device
        self._wanted = Wanted(options.width, options.height, options.fps, options.pixels)
        self._look = look
        self._capture = capture
        self._formats: tuple[PictureFormat, ...] = ()
        self._is_enabled = True
        self._is_closed = False
        self._reader: _Reader | None = None
        self._turned = asyncio.Event()
        self._worker: Worker | None = None
        self._thread: CaptureThread[Picture | EncodedFrame] | None = None

    def formats(self) -> tuple[PictureFormat, ...]:
        """What the node lists, best first."""
        return self._formats

    async def pictures(self) -> AsyncGenerator[Picture | EncodedFrame, None]:
        """What is captured, until `close`; raises DeviceGoneError when the camera goes."""
        if self._reader is not None:
            self._reader.end(None)
        reader = self._reader = _Reader()
        self._turn()
        try:
            while not self._is_closed and (picture := await reader.next()) is not None:
                yield picture
        finally:
            if self._reader is reader:
                self._reader = None
                self._turn()

    async def set_enabled(self, is_enabled: bool) -> None:
        """Start or stop capture. A stopped camera's node is closed: its lamp goes out."""
        self._is_enabled = is_enabled
        self._turn()

    async def request_keyframe(self) -> None:
        """Video4Linux has no such request for cameras: the next one comes when the camera makes it."""

    async def close(self) -> None:
        """Let readers go. `run` has been cancelled before, and with it the capture."""
        self._is_closed = True
        if self._reader is not None:
            self._reader.end(None)
        if self._worker is not None:
            await self._worker.close()
        await self._publish(self._lost("closed"))

    async def _session(self) -> None:
        found = await self._looked()
        self._formats = tuple(dict.fromkeys(mode.format for mode in found.modes))
        chosen = found.modes[0]
        await self._publish(CameraState(Health.READY, "", chosen.format))
        reason = f"{self._path} is gone"
        try:
            while True:
                self._turned.clear()
                if self._is_wanted:
                    await self._serve(chosen)
                else:
                    await self._wait_idle(found)
        except (HalError, OSError) as error:
            reason = str(error)
            raise
        finally:
            self._formats = ()
            if self._reader is not None and not self._is_closed:
                self._reader.end(DeviceGoneError(reason))

    def _turn(self) -> None:
        """Something else may be wanted from now on."""
        self._turned.set()
        if self._thread is not None:
            self._thread.wake()

    @property
    def _is_wanted(self) -> bool:
        return self._is_enabled and self._reader is not None and not self._is_closed

    async def _looked(self) -> Found:
        if self._worker is None:
            self._worker = Worker(f"camera {self._path}")
        try:
            async with asyncio.timeout(LOOK_DEADLINE_S):
                return await self._worker.call(self._look, self._path, self._wanted)
        except TimeoutError as error:
            self._worker.abandon()
            self._worker = None
            raise DeviceTimeoutError(f"{self._path} does not answer") from error

    async def _serve(self, chosen: Chosen) -> None:
        """Capture until nobody wants it any more. Raises HalError when the camera goes."""
        keeps = KEPT_FRAMES if chosen.format.is_encoded else 1
        deadline_s = FIRST_PICTURE_S
        capture = self._capture or _ffmpeg
        thread: CaptureThread[Picture | EncodedFrame] = CaptureThread(
            f"camera {self._path}", lambda: capture(self._path, chosen), keeps=keeps
        )
        async with thread:
            self._thread = thread
            try:
                while self._is_wanted:
                    picture = await thread.next(deadline_s)
                    if picture is None or self._reader is None or not self._is_wanted:
                        continue
                    deadline_s = NEXT_PICTURE_S
                    if not self._state.is_capturing:
                        await self._publish(CameraState(Health.READY, "", chosen.format, is_capturing=True))
                    self._reader.give(picture)
            finally:
                self._thread = None
        await self._publish(CameraState(Health.READY, "", chosen.format))

    async def _wait_idle(self, found: Found) -> None:
        """Wait until the camera may be wanted. Raises DeviceGoneError if it goes meanwhile."""
        if await either(self._turned.wait(), self._pause(WATCH_S)):
            return
        try:
            number = os.stat(self._path).st_rdev  # noqa: PTH116 - a device node: nothing blocks
        except OSError as error:
            raise DeviceGoneError(f"{self._path}: {error.strerror}") from error
        if number != found.number:
            raise DeviceGoneError(f"{self._path} is another camera now")


class _Reader:
    """Who reads the pictures: the newest one waits for it, or the newest frames from a keyframe on."""

    def __init__(self) -> None:
        self._waiting: deque[Picture | EncodedFrame] = deque()
        self._needs_keyframe = False
        self._end: HalError | None = None
        self._has_ended = False
        self._arrived = asyncio.Event()

    def give(self, picture: Picture | EncodedFrame) -> None:
        """Another picture; what the reader was too slow for is thrown away."""
        if isinstance(picture, Picture):
            self._waiting.clear()
        else:
            if len(self._waiting) >= KEPT_FRAMES:
                self._waiting.clear()
                self._needs_keyframe = True
            if self._needs_keyframe and not picture.is_keyframe:
                return
            self._needs_keyframe = False
        self._waiting.append(picture)
        self._arrived.set()

    def end(self, error: HalError | None) -> None:
        """Nothing more comes: the reader gets the error, or its end."""
        self._waiting.clear()
        self._has_ended, self._end = True, error
        self._arrived.set()

    async def next(self) -> Picture | EncodedFrame | None:
        """The next picture, or None at the end."""
        while not self._waiting:
            if self._has_ended:
                if self._end is not None:
                    raise self._end
                return None
            self._arrived.clear()
            await self._arrived.wait()
        return self._waiting.popleft()


def _ffmpeg(path: str, chosen: Chosen) -> Generator[Picture | EncodedFrame | None, None, None]:
    from conclave_hal.v4l2.capture import capture  # FFmpeg, in the thread that needs it

    return capture(path, chosen)


DRIVER = Driver(V4l2CameraOptions, lambda options, made: V4l2Camera(options))
