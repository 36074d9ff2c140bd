"""What the meeting reads: the camera with its encoder behind the shutter, the microphone behind its switch.

The gate stands where a frame is read. At each picture, before it is encoded, and again before what was
encoded is handed out, the switch is looked at in the very step that hands on: while it is BLOCKING nothing
that the device delivers leaves, whatever else the event loop does or fails to do. Nothing is stored either:
the encoder forgets its stream, and what was heard before the switch opened is not in the first packet after.

UNKNOWN is not BLOCKING: a switch that cannot be read mutes nobody, and whoever shows it must say so.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import replace
from fractions import Fraction
from typing import TypeVar

from conclave_hal.camera import Camera, Picture, PictureFormat, VideoEncoder
from conclave_hal.device import AnyDevice, DeviceState, Health
from conclave_hal.errors import HalError
from conclave_hal.media import AudioSource, EncodedFrame, MediaSource, VideoSource
from conclave_hal.switches import HardwareSwitch, MuteSwitch, PrivacySwitch, SwitchPosition

BITS_A_PIXEL = Fraction(400_000, 640 * 360 * 15)
FPS_UNSAID = 30
SETTLING_PACKETS = 3
"""Sound packets thrown away after the switch has opened: what they hold may have been heard before, in the
buffers of the device and in the 6.5 ms that libopus looks back."""

_WORST_FIRST = (Health.FAILED, Health.STARTING, Health.DEGRADED, Health.READY)
T = TypeVar("T")


class _GatedSource(MediaSource):
    """What both sources have in common: a switch, and the state of the devices that they borrow."""

    def __init__(self, switch: HardwareSwitch, *devices: AnyDevice) -> None:
        """`devices` in the order in which their reasons are shown; others open and close them."""
        super().__init__()
        self._switch = switch
        self._devices = devices

    @property
    def is_blocked(self) -> bool:
        """Whether the switch blocks, at this moment."""
        return self._switch.state().position is SwitchPosition.BLOCKING

    async def open(self) -> None:
        """Take over the devices' state; they have been opened before."""
        await self._publish(self._joined())

    async def run(self) -> None:
        """Follow the devices' states until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for device in self._devices:
                tasks.create_task(self._follow(device))

    async def close(self) -> None:
        """Nothing of its own to release."""

    async def _follow(self, device: AnyDevice) -> None:
        async for _ in device.watch():
            await self._publish(self._joined())

    def _joined(self) -> DeviceState:
        states = [device.state() for device in self._devices]
        worst = min((state.health for state in states), key=_WORST_FIRST.index)
        reasons = (state.reason for state in states if state.health is worst and state.reason)
        return DeviceState(worst, next(reasons, ""))


class GatedVideoSource(_GatedSource, VideoSource):
    """A camera with the room's encoder, behind the room's shutter."""

    def __init__(self, camera: Camera, encoder: VideoEncoder, shutter: PrivacySwitch) -> None:
        super().__init__(shutter, camera, encoder)
        self._camera = camera
        self._encoder = encoder
        self._is_enabled = True
        self._reader = 0
        # The encoder's stream, None while it has none.
        self._stream: PictureFormat | None = None
        # The next picture must decode alone: an IDR is asked of the encoder, or waited for from the camera.
        self._wants_keyframe = True
        self._waits_for_keyframe = True

    async def frames(self) -> AsyncGenerator[EncodedFrame, None]:
        """Frames until `close` of the camera; none of what it delivers while the shutter is closed.

        The newest reader gets them. Raises DeviceGoneError when camera or encoder go, DeviceError if no
        encoder takes such pictures.
        """
        self._reader += 1
        reader = self._reader
        await self._begin_anew()
        try:
            async with _closing(self._camera.pictures()) as pictures:
                async for picture in pictures:
                    if self._may_leave(reader):
                        frame = await self._encoded(picture)
                        # Looked at again, and handed on before anything else can happen.
                        if frame is not None and self._may_leave(reader):
                            yield frame
                            continue
                    if reader != self._reader:
                        return
                    if not self._may_leave(reader):
                        await self._begin_anew()
        finally:
            if reader == self._reader:
                await self._begin_anew()

    async def set_enabled(self, is_enabled: bool) -> None:
        """Start or stop capture. Stopped, nothing leaves from this very call on, captured before or not."""
        self._is_enabled = is_enabled
        await self._camera.set_enabled(is_enabled)
        if not is_enabled:
            await self._begin_anew()

    async def request_keyframe(self) -> None:
        """The next frame can be decoded alone, or the next that the camera encodes so."""
        self._wants_keyframe = True
        await self._camera.request_keyframe()

    def _may_leave(self, reader: int) -> bool:
        return self._is_enabled and reader == self._reader and not self.is_blocked

    async def _begin_anew(self) -> None:
        """Forget what was encoded: nothing later refers to it."""
        self._wants_keyframe = self._waits_for_keyframe = True
        if self._stream is not None:
            self._stream = None
            await self._encoder.end_stream()

    async def _encoded(self, picture: Picture | EncodedFrame) -> EncodedFrame | None:
        if isinstance(picture, EncodedFrame):
            return await self._whole(picture)
        said = self._camera.state().format or PictureFormat(0, 0, FPS_UNSAID)
        wanted = replace(said, width=picture.width, height=picture.height, is_encoded=False)
        if self._stream != wanted:
            await self._encoder.configure(wanted, bit_rate_of(wanted))
            self._stream = wanted
            self._wants_keyframe = True
        is_keyframe, self._wants_keyframe = self._wants_keyframe, False
        try:
            frame = await self._encoder.encode(picture, is_keyframe=is_keyframe)
        except HalError:
            await self._begin_anew()
            raise
        return frame

    async def _whole(self, frame: EncodedFrame) -> EncodedFrame | None:
        """A frame that the camera encoded, unless it refers to one that never left."""
        if self._waits_for_keyframe and not frame.is_keyframe:
            if self._wants_keyframe:
                self._wants_keyframe = False
                await self._camera.request_keyframe()
            return None
        self._wants_keyframe = self._waits_for_keyframe = False
        return frame

    def _joined(self) -> DeviceState:
        # Without a camera there is nothing to encode, and how the encoder is tells nobody anything.
        camera = self._camera.state()
        if camera.health is not Health.READY or camera.format is None:
            return DeviceState(camera.health, camera.reason)
        return super()._joined()


class GatedAudioSource(_GatedSource, AudioSource):
    """A microphone behind the room's mute switch."""

    def __init__(self, microphone: AudioSource, switch: MuteSwitch) -> None:
        super().__init__(switch, microphone)
        self._microphone = microphone
        self._is_enabled = True

    async def frames(self) -> AsyncGenerator[EncodedFrame, None]:
        """Packets until `close` of the microphone; none of what it delivers while the switch blocks."""
        settling = 0
        async with _closing(self._microphone.frames()) as frames:
            async for frame in frames:
                if self.is_blocked or not self._is_enabled:
                    settling = SETTLING_PACKETS
                elif settling > 0:
                    settling -= 1
                else:
                    yield frame

    async def set_enabled(self, is_enabled: bool) -> None:
        """Start or stop capture. Stopped, nothing leaves from this very call on."""
        self._is_enabled = is_enabled
        await self._microphone.set_enabled(is_enabled)

    async def request_keyframe(self) -> None:
        """Every packet decodes alone."""


def bit_rate_of(picture: PictureFormat) -> int:
    """Bits a second that such pictures need in a meeting."""
    return int(BITS_A_PIXEL * picture.width * picture.height * picture.fps)


@contextlib.asynccontextmanager
async def _closing(iterator: AsyncIterator[T]) -> AsyncIterator[AsyncIterator[T]]:
    """End a generator where it is left, not when the garbage is collected."""
    try:
        yield iterator
    finally:
        if isinstance(iterator, AsyncGenerator):
            await iterator.aclose()
