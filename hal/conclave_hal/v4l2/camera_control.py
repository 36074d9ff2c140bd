"""Driver `v4l2` of the slot camera_control: a USB camera that can be turned has V4L2 controls for it.

Pan and tilt are in the control's units (arc seconds, positive to the right and up), zoom in the driver's
(kernel documentation, "Camera Control Reference"). A position is set at once and read back until the camera
says that it is there. There are no presets, no power and no tally in Video4Linux.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Annotated

from conclave_hal.camera_control import (
    CameraCapabilities,
    CameraControl,
    CameraControlState,
    ExposureMode,
    FocusAt,
    FocusMode,
    Limits,
    Position,
    Power,
    Speed,
    Tally,
    WhiteBalance,
)
from conclave_hal.device import Health
from conclave_hal.drivers import Driver
from conclave_hal.errors import DeviceError, DeviceGoneError, DeviceTimeoutError, UsageError
from conclave_hal.hot_plug import HotPlugDevice
from conclave_hal.options import Option, device_path
from conclave_hal.v4l2 import abi
from conclave_hal.v4l2.abi import ControlId, ControlInfo
from conclave_hal.v4l2.asking import AskedNode, opened
from conclave_hal.v4l2.node import Node

WATCH_S = 1.0
"""Between two looks where the camera looks and whether it is still there."""
READ_BACK_S = 0.1
MAX_READ_BACKS = 300
"""Half a minute for the slowest turn."""
STILL_READ_BACKS = 10
"""A camera whose position stays for a second has stopped, wherever it is."""
INDOOR_KELVIN, OUTDOOR_KELVIN = 3200, 5600

_AXES = (ControlId.PAN_ABSOLUTE, ControlId.TILT_ABSOLUTE, ControlId.ZOOM_ABSOLUTE)
_DRIVES = (ControlId.PAN_SPEED, ControlId.TILT_SPEED, ControlId.ZOOM_CONTINUOUS)
_Controls = dict[ControlId, ControlInfo]


@dataclass(frozen=True, slots=True)
class ControlOptions:
    """Options of a camera's V4L2 controls."""

    device: Annotated[str, Option(device_path(), "the camera's node, best a name in /dev/v4l/by-path")]


@dataclass(frozen=True, slots=True)
class _Camera:
    """A camera that is there."""

    node: AskedNode
    controls: _Controls

    def limits(self, control: ControlId) -> ControlInfo:
        """A control's limits. Raises DeviceError if the camera does not have it."""
        info = self.controls.get(control)
        if info is None:
            raise DeviceError(f"this camera has no {control.name}")
        return info

    async def set(self, control: ControlId, value: int) -> None:
        """Set a control within its limits."""
        info = self.limits(control)
        if not info.least <= value <= info.most:
            raise UsageError(f"{control.name} is from {info.least} to {info.most}, not {value}")
        await self.node.ask(lambda asked: asked.set(control, value))

    async def position(self) -> tuple[int, int, int]:
        """Pan, tilt and zoom; 0 for what it cannot tell."""
        have = [control in self.controls for control in _AXES]

        def read(asked: Node) -> list[int]:
            return [asked.get(control) if has else 0 for control, has in zip(_AXES, have, strict=True)]

        pan, tilt, zoom = await self.node.ask(read)
        return pan, tilt, zoom


class V4l2CameraControl(HotPlugDevice[CameraControlState], CameraControl):
    """Turns a camera by its V4L2 controls."""

    def __init__(
        self,
        options: ControlOptions,
        *,
        open_node: Callable[[str], Node] = Node,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        super().__init__(pause=pause)
        self._path = options.device
        self._open_node = open_node
        self._camera: _Camera | None = None
        self._move = 0

    async def close(self) -> None:
        """Nothing to release: a session does."""
        await self._publish(self._lost("closed"))

    async def _session(self) -> None:
        async with opened(self._path, self._open_node) as node:
            said = await node.ask(lambda asked: asked.capability())
            controls = await node.ask(_controls)
            camera = _Camera(node, controls)
            capabilities = _capabilities(said.card, controls)
            here = await camera.position()
            # Before anybody hears that it is ready.
            self._camera = camera
            await self._publish(
                CameraControlState(Health.READY, "", capabilities, Power.ON, _position(capabilities, here))
            )
            try:
                while True:
                    await self._pause(WATCH_S)
                    await self._note(await camera.position(), self._state.is_moving)
            finally:
                self._camera = None

    async def set_power(self, power: Power) -> None:
        """Raises DeviceError: Video4Linux has no such control."""
        self._present()
        raise DeviceError("this camera cannot be switched")

    async def move_to(self, position: Position, speed: float = 1.0) -> None:
        """Look there, as fast as the camera likes, and return when it says that it does."""
        self._present()
        _check_speed(speed)
        await self._go((position.pan, position.tilt, position.zoom))

    async def move_by(self, pan: int, tilt: int, zoom: int = 0, speed: float = 1.0) -> None:
        """Look so far from where the camera says that it looks now."""
        camera = self._present()
        _check_speed(speed)
        here = await camera.position()
        there = [at + by for at, by in zip(here, (pan, tilt, zoom), strict=True)]
        for control, value in zip(_AXES, there, strict=True):
            info = camera.controls.get(control)
            if info is not None and not info.least <= value <= info.most:
                raise UsageError(f"{control.name} is from {info.least} to {info.most}, not {value}")
        await self._go((there[0], there[1], there[2]))

    async def drive(self, speed: Speed) -> None:
        """Turn at a speed, where the camera has controls for that."""
        camera = self._present()
        fractions = (speed.pan, speed.tilt, speed.zoom)
        for fraction in fractions:
            if not -1.0 <= fraction <= 1.0:
                raise UsageError(f"a speed is from -1 to 1, not {fraction:g}")
        self._move += 1
        for control, fraction in zip(_DRIVES, fractions, strict=True):
            if fraction == 0 and control not in camera.controls:
                continue
            info = camera.limits(control)
            fastest = info.most if fraction > 0 else -info.least
            await camera.set(control, round(fraction * fastest))
        await self._note(await camera.position(), any(fractions))

    async def home(self) -> None:
        """Reset pan and tilt where the camera has buttons for that, else look at the defaults."""
        camera = self._present()
        if ControlId.PAN_RESET not in camera.controls and ControlId.TILT_RESET not in camera.controls:
            pan, tilt, zoom = (
                camera.controls[control].default if control in camera.controls else 0 for control in _AXES
            )
            await self._go((pan, tilt, zoom))
            return
        self._move += 1
        for control in (ControlId.PAN_RESET, ControlId.TILT_RESET):
            if control in camera.controls:
                await camera.node.ask(lambda asked, control=control: asked.set(control, 1))  # type: ignore[misc]
        if ControlId.ZOOM_ABSOLUTE in camera.controls:
            await camera.set(ControlId.ZOOM_ABSOLUTE, camera.controls[ControlId.ZOOM_ABSOLUTE].default)
        await self._note(await camera.position(), False)

    async def recall_preset(self, number: int) -> None:
        """Raises UsageError: Video4Linux has no presets, so each is out of range."""
        self._present()
        raise UsageError("this camera has no presets")

    async def store_preset(self, number: int) -> None:
        """Raises UsageError: Video4Linux has no presets, so each is out of range."""
        self._present()
        raise UsageError("this camera has no presets")

    async def adjust(self, setting: FocusMode | FocusAt | ExposureMode | WhiteBalance | Tally) -> None:
        """Focus, exposure or white balance; a tally lamp is not known to Video4Linux."""
        camera = self._present()
        match setting:
            case FocusMode():
                await camera.set(ControlId.FOCUS_AUTO, int(setting is FocusMode.AUTO))
            case FocusAt(position):
                await camera.set(ControlId.FOCUS_ABSOLUTE, position)
            case ExposureMode.MANUAL:
                await camera.set(ControlId.EXPOSURE_AUTO, abi.EXPOSURE_MANUAL)
            case ExposureMode.AUTO:
                await _expose_by_itself(camera)
            case WhiteBalance.AUTO:
                await camera.set(ControlId.AUTO_WHITE_BALANCE, 1)
            case WhiteBalance():
                kelvin = INDOOR_KELVIN if setting is WhiteBalance.INDOOR else OUTDOOR_KELVIN
                info = camera.limits(ControlId.WHITE_BALANCE_TEMPERATURE)
                await camera.set(ControlId.AUTO_WHITE_BALANCE, 0)
                nearest = min(max(kelvin, info.least), info.most)
                await camera.set(ControlId.WHITE_BALANCE_TEMPERATURE, nearest)
            case Tally():
                raise DeviceError("this camera has no tally lamp")

    def _present(self) -> _Camera:
        if self._camera is None:
            raise DeviceGoneError(self._state.reason or f"{self._path} is not there")
        return self._camera

    async def _go(self, there: tuple[int, int, int]) -> None:
        camera = self._present()
        self._move += 1
        move = self._move
        wanted = {
            control: value for control, value in zip(_AXES, there, strict=True) if control in camera.controls
        }
        if not wanted:
            raise DeviceError("this camera cannot be turned")
        for control, value in wanted.items():
            info = camera.limits(control)
            if not info.least <= value <= info.most:
                raise UsageError(f"{control.name} is from {info.least} to {info.most}, not {value}")
        for control, value in wanted.items():
            await camera.set(control, value)
        await self._arrive(camera, move, tuple(wanted.get(control, 0) for control in _AXES))

    async def _arrive(self, camera: _Camera, move: int, there: tuple[int, ...]) -> None:
        """Wait until the camera is `there`."""
        before: tuple[int, int, int] | None = None
        still = 0
        for _ in range(MAX_READ_BACKS):
            here = await camera.position()
            if move != self._move:
                raise DeviceError("a newer move took its place")
            await self._note(here, here != there)
            if here == there:
                return
            still = still + 1 if here == before else 0
            if still >= STILL_READ_BACKS:
                await self._note(here, False)
                raise DeviceError(f"the camera stopped at {here} on its way to {there}")
            before = here
            await self._pause(READ_BACK_S)
        raise DeviceTimeoutError(f"the camera does not arrive at {there}")

    async def _note(self, here: tuple[int, int, int], is_moving: bool) -> None:
        position = _position(self._state.capabilities, here)
        noted = replace(self._state, position=position, is_moving=is_moving)
        if noted != self._state and noted.health is Health.READY:
            await self._publish(noted)


def _check_speed(speed: float) -> None:
    """A position is gone to as fast as the camera likes, but what is no speed is refused all the same."""
    if not 0 < speed <= 1:
        raise UsageError(f"a speed is above 0 and at most 1, not {speed:g}")


async def _expose_by_itself(camera: _Camera) -> None:
    """USB cameras call it aperture priority, others auto; a camera refuses what is not on its menu."""
    try:
        await camera.set(ControlId.EXPOSURE_AUTO, abi.EXPOSURE_APERTURE_PRIORITY)
    except (DeviceError, UsageError):
        await camera.set(ControlId.EXPOSURE_AUTO, abi.EXPOSURE_AUTO)


def _controls(node: Node) -> _Controls:
    found = (node.control(control) for control in ControlId)
    return {info.id: info for info in found if info is not None}


def _capabilities(card: str, controls: _Controls) -> CameraCapabilities:
    def limits(control: ControlId) -> Limits | None:
        info = controls.get(control)
        return None if info is None else Limits(info.least, info.most)

    pan, tilt, zoom = (limits(control) for control in _AXES)
    return CameraCapabilities(
        card,
        pan,
        tilt,
        zoom,
        has_focus=ControlId.FOCUS_AUTO in controls or ControlId.FOCUS_ABSOLUTE in controls,
        has_exposure=ControlId.EXPOSURE_AUTO in controls,
        has_white_balance=ControlId.AUTO_WHITE_BALANCE in controls,
    )


def _position(known: CameraCapabilities, here: tuple[int, int, int]) -> Position | None:
    """Where it looks; None for a camera that can be turned in no way."""
    if known.pan is None and known.tilt is None and known.zoom is None:
        return None
    return Position(*here)


DRIVER = Driver(ControlOptions, lambda options, made: V4l2CameraControl(options))
