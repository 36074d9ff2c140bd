"""Driver `v4l2` of the slot camera: a USB, CSI or HDMI camera that the kernel shows as `/dev/video*`."""

import asyncio
import os
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from conclave_hal.camera import Camera, CameraState, Picture, PictureFormat
from conclave_hal.device import Health
from conclave_hal.drivers import Driver
from conclave_hal.errors import DeviceError
from conclave_hal.media import EncodedFrame
from conclave_hal.options import Option, choice, device_path, integer
from conclave_hal.threaded_source import ThreadedSource
from conclave_hal.v4l2.modes import Chosen, Wanted, usable
from conclave_hal.v4l2.node import Mode, Node

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


class V4l2Camera(ThreadedSource[CameraState, Found, Picture | EncodedFrame], Camera):
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
        super().__init__(f"camera {options.device}", pause=pause)
        self._path = options.device
        self._wanted = Wanted(options.width, options.height, options.fps, options.pixels)
        self._look_at = look
        self._capture_from = capture or _ffmpeg
        self._formats: tuple[PictureFormat, ...] = ()
        self._needs_keyframe = False

    def formats(self) -> tuple[PictureFormat, ...]:
        """What the node lists, best first."""
        return self._formats if self._state.format is not None else ()

    def pictures(self) -> AsyncGenerator[Picture | EncodedFrame, None]:
        """What is captured, until `close`; raises DeviceGoneError when the camera goes."""
        return self._delivered()

    async def request_keyframe(self) -> None:
        """Video4Linux has no such request for cameras: the next one comes when the camera makes it."""

    def _look(self) -> Found:
        found = self._look_at(self._path, self._wanted)
        self._formats = tuple(dict.fromkeys(mode.format for mode in found.modes))
        return found

    def _is_still(self, found: Found) -> bool:
        try:
            return Path(self._path).stat().st_rdev == found.number
        except OSError:
            return False

    def _capture(self, found: Found) -> Generator[Picture | EncodedFrame | None, None, None]:
        return self._capture_from(self._path, found.modes[0])

    def _ready(self, found: Found, is_capturing: bool) -> CameraState:
        return CameraState(Health.READY, "", found.modes[0].format, is_capturing)

    def _keeps(self, found: Found) -> int:
        return KEPT_FRAMES if found.modes[0].format.is_encoded else 1

    def _keep(self, waiting: deque[Picture | EncodedFrame], item: Picture | EncodedFrame) -> None:
        """Of pictures the newest one; of the camera's own frames all, or none up to a keyframe."""
        if isinstance(item, Picture):
            waiting.clear()
        else:
            if len(waiting) >= KEPT_FRAMES:
                waiting.clear()
                self._needs_keyframe = True
            if self._needs_keyframe and not item.is_keyframe:
                return
            self._needs_keyframe = False
        waiting.append(item)


def _ffmpeg(path: str, chosen: Chosen) -> Generator[Picture | EncodedFrame | None, None, None]:
    from conclave_hal.v4l2.capture import capture  # FFmpeg, in the thread that needs it

    return capture(path, chosen)


DRIVER = Driver(V4l2CameraOptions, lambda options, made: V4l2Camera(options))
