"""Hardware that is not there: the driver `none` of every slot.

Each answers as an empty socket would: no frames, nothing decoded, a switch that nobody can
read (and that therefore counts as unsafe), and a panel on which nothing was ever drawn.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from typing import TypeVar

from conclave_hal.buttons import Button, Buttons
from conclave_hal.camera import Camera, CameraState, Picture, PictureFormat, VideoEncoder, VideoEncoderState
from conclave_hal.camera_control import (
    CameraControl,
    CameraControlState,
    ExposureMode,
    FocusAt,
    FocusMode,
    Position,
    Power,
    Speed,
    Tally,
    WhiteBalance,
)
from conclave_hal.codec_control import CodecControl, CodecControlState, ControlAnswer, ControlRequest
from conclave_hal.device import Device, DeviceState, Health
from conclave_hal.display import Display, DisplayState
from conclave_hal.drivers import Driver
from conclave_hal.errors import DeviceGoneError
from conclave_hal.indicator import Indicator, IndicatorState, Shown
from conclave_hal.media import AudioSink, AudioSource, EncodedFrame, StreamReport, VideoSink
from conclave_hal.options import NoOptions
from conclave_hal.panel import Panel, PanelAction, PanelView
from conclave_hal.switches import MuteSwitch, PrivacySwitch, SwitchState, Tamper, TamperState

NOT_FITTED = "not fitted"

S = TypeVar("S", bound=DeviceState)
T = TypeVar("T")


class _Absent(Device[S]):
    """What every absent device does; the interface behind it in the line of classes gives the state."""

    def __init__(self) -> None:
        super().__init__()
        self._closed = asyncio.Event()

    async def open(self) -> None:
        """Nothing to acquire."""
        await self._publish(replace(self._state, health=Health.READY, reason=NOT_FITTED))

    async def close(self) -> None:
        """Nothing to release; whoever waits for frames or presses is let go."""
        self._closed.set()

    async def _nothing(self, of: type[T]) -> AsyncIterator[T]:
        """Waits for `close` and yields nothing."""
        await self._closed.wait()
        nothing: tuple[T, ...] = ()
        for each in nothing:
            yield each


def _refused(what: str) -> DeviceGoneError:
    return DeviceGoneError(f"this room has no {what}", hint="hal.toml says what it has")


class _NoSink(_Absent[DeviceState]):
    async def play(self, stream: str, frame: EncodedFrame) -> bool:
        """Drop the frame. True, because a keyframe would not help."""
        return True

    async def stop(self, stream: str) -> None:
        """Nothing to forget."""

    def reports(self) -> dict[str, StreamReport]:
        """Empty: nothing is decoded."""
        return {}


class NoCamera(_Absent[CameraState], Camera):
    """A room without a camera."""

    def formats(self) -> tuple[PictureFormat, ...]:
        """None."""
        return ()

    def pictures(self) -> AsyncIterator[Picture | EncodedFrame]:
        """Waits for `close` and yields nothing."""
        return self._nothing(Picture)

    async def set_enabled(self, is_enabled: bool) -> None:
        """Nothing to start or stop."""

    async def request_keyframe(self) -> None:
        """Nobody to ask."""


class NoMicrophone(_Absent[DeviceState], AudioSource):
    """A room without a microphone."""

    def frames(self) -> AsyncIterator[EncodedFrame]:
        """Waits for `close` and yields nothing."""
        return self._nothing(EncodedFrame)

    async def set_enabled(self, is_enabled: bool) -> None:
        """Nothing to start or stop."""

    async def request_keyframe(self) -> None:
        """Nobody to ask."""


class NoScreen(_NoSink, VideoSink):
    """A room without a screen."""


class NoSpeaker(_NoSink, AudioSink):
    """A room without a speaker."""

    async def announce(self, samples: bytes) -> None:
        """Raises DeviceGoneError: who needs to be heard has to know that nobody was."""
        raise _refused("speaker")


class NoPanel(_Absent[DeviceState], Panel):
    """A room without a panel: nobody can compare the code here."""

    async def show(self, view: PanelView) -> None:
        """Drop the view."""

    def drawn(self) -> PanelView | None:
        """None: there is no glass."""
        return None

    def actions(self) -> AsyncIterator[PanelAction]:
        """Waits for `close` and yields nothing."""
        return self._nothing(PanelAction)


class NoPrivacySwitch(_Absent[SwitchState], PrivacySwitch):
    """A camera without a shutter."""


class NoMuteSwitch(_Absent[SwitchState], MuteSwitch):
    """A microphone without a switch."""


class NoTamper(_Absent[TamperState], Tamper):
    """A case without a contact: nobody can tell whether it was opened."""

    async def clear(self) -> None:
        """Nothing to forget."""


class NoVideoEncoder(_Absent[VideoEncoderState], VideoEncoder):
    """No encoder: for a camera that delivers H.264."""

    async def configure(self, picture: PictureFormat, bit_rate: int) -> None:
        """Raises DeviceGoneError."""
        raise _refused("video encoder")

    async def encode(self, picture: Picture, *, is_keyframe: bool = False) -> EncodedFrame | None:
        """Raises DeviceGoneError."""
        raise _refused("video encoder")

    async def set_bit_rate(self, bit_rate: int) -> None:
        """Nothing to set."""

    async def end_stream(self) -> None:
        """Nothing to forget."""


class NoCameraControl(_Absent[CameraControlState], CameraControl):
    """A camera that nobody can turn. Every command raises DeviceGoneError."""

    async def set_power(self, power: Power) -> None:
        """Raises DeviceGoneError."""
        raise _refused("camera control")

    async def move_to(self, position: Position, speed: float = 1.0) -> None:
        """Raises DeviceGoneError."""
        raise _refused("camera control")

    async def move_by(self, pan: int, tilt: int, zoom: int = 0, speed: float = 1.0) -> None:
        """Raises DeviceGoneError."""
        raise _refused("camera control")

    async def drive(self, speed: Speed) -> None:
        """Raises DeviceGoneError."""
        raise _refused("camera control")

    async def home(self) -> None:
        """Raises DeviceGoneError."""
        raise _refused("camera control")

    async def recall_preset(self, number: int) -> None:
        """Raises DeviceGoneError."""
        raise _refused("camera control")

    async def store_preset(self, number: int) -> None:
        """Raises DeviceGoneError."""
        raise _refused("camera control")

    async def adjust(self, setting: FocusMode | FocusAt | ExposureMode | WhiteBalance | Tally) -> None:
        """Raises DeviceGoneError."""
        raise _refused("camera control")


class NoIndicator(_Absent[IndicatorState], Indicator):
    """A room without lamps."""

    async def show(self, shown: Shown) -> None:
        """Nobody sees it."""


class NoButtons(_Absent[DeviceState], Buttons):
    """A room without buttons."""

    def fitted(self) -> frozenset[Button]:
        """None."""
        return frozenset()

    def presses(self) -> AsyncIterator[Button]:
        """Waits for `close` and yields nothing."""
        return self._nothing(Button)


class NoDisplay(_Absent[DisplayState], Display):
    """A screen that nobody can switch. Every command raises DeviceGoneError."""

    async def set_power(self, power: Power) -> None:
        """Raises DeviceGoneError."""
        raise _refused("display control")

    async def show_us(self) -> None:
        """Raises DeviceGoneError."""
        raise _refused("display control")

    async def refresh(self) -> None:
        """Nothing to ask."""

    def inputs(self) -> tuple[str, ...]:
        """None."""
        return ()

    async def set_input(self, name: str) -> None:
        """Raises DeviceGoneError."""
        raise _refused("display control")


class NoCodecControl(_Absent[CodecControlState], CodecControl):
    """No room controller."""

    def requests(self) -> AsyncIterator[ControlRequest]:
        """Waits for `close` and yields nothing."""
        return self._nothing(ControlRequest)

    async def answer(self, answer: ControlAnswer) -> None:
        """Nobody has asked."""

    async def tell(self, status: Mapping[str, str]) -> None:
        """Nobody listens."""


PRIVACY_SWITCH = Driver(NoOptions, lambda options, made: NoPrivacySwitch())
MUTE_SWITCH = Driver(NoOptions, lambda options, made: NoMuteSwitch())
TAMPER = Driver(NoOptions, lambda options, made: NoTamper())
VIDEO_ENCODER = Driver(NoOptions, lambda options, made: NoVideoEncoder())
CAMERA = Driver(NoOptions, lambda options, made: NoCamera())
CAMERA_CONTROL = Driver(NoOptions, lambda options, made: NoCameraControl())
MICROPHONE = Driver(NoOptions, lambda options, made: NoMicrophone())
SCREEN = Driver(NoOptions, lambda options, made: NoScreen())
SPEAKER = Driver(NoOptions, lambda options, made: NoSpeaker())
INDICATOR = Driver(NoOptions, lambda options, made: NoIndicator())
BUTTONS = Driver(NoOptions, lambda options, made: NoButtons())
DISPLAY = Driver(NoOptions, lambda options, made: NoDisplay())
CODEC_CONTROL = Driver(NoOptions, lambda options, made: NoCodecControl())
PANEL = Driver(NoOptions, lambda options, made: NoPanel())
