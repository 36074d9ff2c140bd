"""Hardware that is not there: the driver `none` of every slot.

Each answers as an empty socket would: no frames, nothing decoded, a switch that nobody can
read (and that therefore counts as unsafe), and a panel on which nothing was ever drawn.
"""

import asyncio
from collections.abc import AsyncIterator

from conclave_hal.device import Device, DeviceState, Health
from conclave_hal.drivers import Driver
from conclave_hal.media import AudioSink, AudioSource, EncodedFrame, StreamReport, VideoSink, VideoSource
from conclave_hal.options import NoOptions
from conclave_hal.panel import Panel, PanelAction, PanelView
from conclave_hal.switches import MuteSwitch, PrivacySwitch, SwitchState


class _Absent(Device):
    def __init__(self) -> None:
        super().__init__()
        self._closed = asyncio.Event()

    async def open(self) -> None:
        """Nothing to acquire."""
        await self._publish(DeviceState(Health.READY, "not fitted"))

    async def close(self) -> None:
        """Nothing to release; whoever waits for frames or presses is let go."""
        self._closed.set()


class _NoSource(_Absent):
    async def frames(self) -> AsyncIterator[EncodedFrame]:
        """Waits for `close` and yields nothing."""
        await self._closed.wait()
        nothing: tuple[EncodedFrame, ...] = ()
        for frame in nothing:
            yield frame

    async def set_enabled(self, is_enabled: bool) -> None:
        """Nothing to start or stop."""

    async def request_keyframe(self) -> None:
        """Nobody to ask."""


class _NoSink(_Absent):
    async def play(self, stream: str, frame: EncodedFrame) -> bool:
        """Drop the frame. True, because a keyframe would not help."""
        return True

    async def stop(self, stream: str) -> None:
        """Nothing to forget."""

    def reports(self) -> dict[str, StreamReport]:
        """Empty: nothing is decoded."""
        return {}


class NoCamera(_NoSource, VideoSource):
    """A room without a camera."""


class NoMicrophone(_NoSource, AudioSource):
    """A room without a microphone."""


class NoScreen(_NoSink, VideoSink):
    """A room without a screen."""


class NoSpeaker(_NoSink, AudioSink):
    """A room without a speaker."""


class NoPanel(_Absent, Panel):
    """A room without a panel: nobody can compare the code here."""

    async def show(self, view: PanelView) -> None:
        """Drop the view."""

    def drawn(self) -> PanelView | None:
        """None: there is no glass."""
        return None

    async def actions(self) -> AsyncIterator[PanelAction]:
        """Waits for `close` and yields nothing."""
        await self._closed.wait()
        nothing: tuple[PanelAction, ...] = ()
        for action in nothing:
            yield action


class _NoSwitch(_Absent):
    async def open(self) -> None:
        """Nothing to read: the position stays UNKNOWN."""
        await self._publish(SwitchState(Health.READY, "not fitted"))

    def state(self) -> SwitchState:
        """READY and UNKNOWN."""
        # Not through super(): the next class in line is the abstract one of the interface.
        state = self._state
        return state if isinstance(state, SwitchState) else SwitchState(state.health, state.reason)


class NoPrivacySwitch(_NoSwitch, PrivacySwitch):
    """A camera without a shutter."""


class NoMuteSwitch(_NoSwitch, MuteSwitch):
    """A microphone without a switch."""


CAMERA = Driver(NoOptions, lambda options, made: NoCamera())
MICROPHONE = Driver(NoOptions, lambda options, made: NoMicrophone())
SCREEN = Driver(NoOptions, lambda options, made: NoScreen())
SPEAKER = Driver(NoOptions, lambda options, made: NoSpeaker())
PANEL = Driver(NoOptions, lambda options, made: NoPanel())
PRIVACY_SWITCH = Driver(NoOptions, lambda options, made: NoPrivacySwitch())
MUTE_SWITCH = Driver(NoOptions, lambda options, made: NoMuteSwitch())
