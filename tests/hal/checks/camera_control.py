"""Checks of a camera that can be turned. It moves, and stands where it stood in the end."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial

from conclave_hal.camera_control import (
    STILL,
    CameraControl,
    CameraControlState,
    FocusMode,
    Limits,
    Position,
    Power,
    Speed,
    Tally,
    WhiteBalance,
)
from conclave_hal.drivers import Slot
from conclave_hal.errors import DeviceError, UsageError
from tests.hal.checks.bench import Bench
from tests.hal.checks.check import BrokenError, Checks, SkippedError, require

CHECKS = Checks()
CAMERA_CONTROL = frozenset({Slot.CAMERA_CONTROL})
TOLERANCE = 1 / 200
"""Of an axis' whole way: mechanics do not stop at the very step."""


@CHECKS.claim(
    "says what the camera can do, and where it looks",
    mend="ask the camera for model, power and position before READY is published",
    slots=CAMERA_CONTROL,
)
async def says_what_it_can(bench: Bench) -> None:
    async with bench.running(CameraControl) as device:
        state = device.state()
        axes = _axes(state)
        for name, limits in axes.items():
            require(limits.least < limits.most, f"{name} goes from {limits.least} to {limits.most}")
        require(not axes or state.position is not None, "it is ready, and does not say where it looks")
        for name, at in _values(state.position, axes).items():
            limits = axes[name]
            require(limits.least <= at <= limits.most, f"{name} {at} is outside of its own limits")


@CHECKS.claim(
    "ends a move where it was asked to look",
    mend="return when the camera says that it has arrived, and publish where",
    slots=CAMERA_CONTROL,
)
async def moves_to_where_it_is_asked(bench: Bench) -> None:
    async with _camera(bench) as device:
        for share in (0.4, 0.6):
            wanted = _at(device.state(), share)
            await bench.done(device.move_to(wanted))
            await _require_at(bench, device, wanted)


@CHECKS.claim(
    "looks so many steps further by a relative move",
    mend="send it once, and add nothing of your own to what the camera counts",
    slots=CAMERA_CONTROL,
)
async def moves_by_steps(bench: Bench) -> None:
    async with _camera(bench) as device:
        start = _at(device.state(), 0.5)
        await bench.done(device.move_to(start))
        axes = _axes(device.state())
        steps = {name: (axes[name].most - axes[name].least) // 20 for name in ("pan", "tilt") if name in axes}
        if not steps:
            raise SkippedError("the camera has neither pan nor tilt")
        await bench.done(device.move_by(steps.get("pan", 0), -steps.get("tilt", 0)))
        wanted = replace(start, pan=start.pan + steps.get("pan", 0), tilt=start.tilt - steps.get("tilt", 0))
        await _require_at(bench, device, wanted)


@CHECKS.claim(
    "takes what is outside of its limits for our mistake",
    mend="compare with the capabilities before anything is sent, and raise UsageError",
    slots=CAMERA_CONTROL,
)
async def refuses_what_is_out_of_range(bench: Bench) -> None:
    async with bench.running(CameraControl) as device:
        state = device.state()
        axes = _axes(state)
        if state.position is not None:
            for name, limits in axes.items():
                for value in (limits.least - 1, limits.most + 1):
                    outside = replace(state.position, **{name: value})
                    await _require_usage(bench, device.move_to(outside), f"moving {name} to {value}")
            for speed in (0.0, 1.5):
                await _require_usage(
                    bench, device.move_to(state.position, speed), f"moving at {speed} of the speed"
                )
        await _require_usage(bench, device.drive(Speed(pan=1.5)), "driving at 1.5 of the speed")
        presets = state.capabilities.presets
        for number in (-1, presets):
            await _require_usage(bench, device.recall_preset(number), f"preset {number} of {presets}")


@CHECKS.claim(
    "lets a newer move take the place of one that is under way",
    mend="cancel the older at the camera, and let its call raise DeviceError",
    slots=CAMERA_CONTROL,
)
async def obeys_the_newer_move(bench: Bench) -> None:
    async with _camera(bench) as device:
        await bench.done(device.move_to(_at(device.state(), 0.1)))
        older = asyncio.create_task(device.move_to(_at(device.state(), 0.9)))
        try:
            await bench.until(device, lambda state: state.is_moving or older.done(), "does not begin to move")
            wanted = _at(device.state(), 0.3)
            await bench.done(device.move_to(wanted))
            await bench.done(asyncio.wait({older}))
        finally:
            older.cancel()
            await asyncio.gather(older, return_exceptions=True)
        error = None if older.cancelled() else older.exception()
        # A camera that is quick enough has done the older before the newer came.
        if error is not None and not isinstance(error, DeviceError):
            raise BrokenError(f"the older raises {type(error).__name__}: {error}")
        await _require_at(bench, device, wanted)


@CHECKS.claim(
    "turns until it is told to stop",
    mend="send the stop whatever else is under way, and publish where the camera stands",
    slots=CAMERA_CONTROL,
)
async def drives_and_stops(bench: Bench) -> None:
    async with _camera(bench) as device:
        axis = next((name for name in ("pan", "tilt", "zoom") if name in _axes(device.state())), "")
        if not axis:
            raise SkippedError("the camera has no axis")
        start = _at(device.state(), 0.5)
        await bench.done(device.move_to(start))
        await bench.done(device.drive(replace(STILL, **{axis: 0.5})))
        try:
            await bench.until(
                device, lambda state: state.is_moving or state.position != start, "does not begin to turn"
            )
        finally:
            await bench.done(device.drive(STILL))
        await bench.until(device, lambda state: not state.is_moving, "does not stop")


@CHECKS.claim(
    "finds home",
    mend="wait for the camera's completion: home is the longest way",
    slots=CAMERA_CONTROL,
)
async def finds_home(bench: Bench) -> None:
    async with _camera(bench) as device:
        await bench.done(device.home())
        first = device.state().position
        await bench.done(device.move_to(_at(device.state(), 0.6)))
        await bench.done(device.home())
        if first is not None:
            await _require_at(bench, device, first)


@CHECKS.claim(
    "comes back to what was stored as a preset",
    mend="number presets from 0, and publish the position after a recall",
    slots=CAMERA_CONTROL,
)
async def recalls_a_preset(bench: Bench) -> None:
    async with _camera(bench) as device:
        last = device.state().capabilities.presets - 1
        if last < 0:
            raise SkippedError("the camera keeps no presets")
        wanted = _at(device.state(), 0.35)
        await bench.done(device.move_to(wanted))
        await bench.done(device.store_preset(last))
        await bench.done(device.move_to(_at(device.state(), 0.65)))
        await bench.done(device.recall_preset(last))
        await _require_at(bench, device, wanted)


@CHECKS.claim(
    "goes to standby and comes back",
    mend="wait until the camera says that it is on: its mechanics find their zero first",
    slots=CAMERA_CONTROL,
)
async def switches_its_power(bench: Bench) -> None:
    async with bench.running(CameraControl) as device:
        if not device.state().capabilities.has_power:
            raise SkippedError("the camera has no standby")
        for power in (Power.STANDBY, Power.ON):
            await bench.done(device.set_power(power))
            otherwise = f"was switched to {power.value} and does not say so"
            await bench.until(device, partial(_is_at_power, power), otherwise)


@CHECKS.claim(
    "adjusts what it can, and refuses what it cannot",
    mend="raise DeviceError for what the capabilities say that it lacks",
    slots=CAMERA_CONTROL,
)
async def adjusts(bench: Bench) -> None:
    async with bench.running(CameraControl) as device:
        can = device.state().capabilities
        for setting, has in (
            (FocusMode.AUTO, can.has_focus),
            (WhiteBalance.AUTO, can.has_white_balance),
            (Tally.ON, can.has_tally),
        ):
            try:
                await bench.done(device.adjust(setting))
            except DeviceError as error:
                require(not has, f"it says that it can, and refuses {setting}: {error}")
            else:
                require(has, f"it says that it cannot, and takes {setting}")
        if can.has_tally:
            await bench.until(
                device, lambda state: state.tally is Tally.ON, "does not say that its tally is on"
            )
            await bench.done(device.adjust(Tally.OFF))


@asynccontextmanager
async def _camera(bench: Bench) -> AsyncIterator[CameraControl]:
    """A camera that has a position; it looks where it looked when the block ends."""
    async with bench.running(CameraControl) as device:
        start = device.state().position
        if start is None:
            raise SkippedError("the camera does not say where it looks")
        try:
            yield device
        finally:
            if device.state().position not in (None, start):
                await bench.done(device.move_to(start))


def _is_at_power(power: Power, state: CameraControlState) -> bool:
    return state.power is power


def _axes(state: CameraControlState) -> dict[str, Limits]:
    can = state.capabilities
    named = (("pan", can.pan), ("tilt", can.tilt), ("zoom", can.zoom))
    return {name: limits for name, limits in named if limits is not None}


def _values(position: Position | None, axes: dict[str, Limits]) -> dict[str, int]:
    return {} if position is None else {name: getattr(position, name) for name in axes}


def _at(state: CameraControlState, share: float) -> Position:
    """So far along each axis that there is."""
    found = {
        name: limits.least + round(share * (limits.most - limits.least))
        for name, limits in _axes(state).items()
    }
    return Position(found.get("pan", 0), found.get("tilt", 0), found.get("zoom", 0))


async def _require_at(bench: Bench, device: CameraControl, wanted: Position) -> None:
    axes = _axes(device.state())
    found = _values(device.state().position, axes)
    for name, limits in axes.items():
        near = max(1, (limits.most - limits.least) * TOLERANCE)
        at = found.get(name)
        require(
            at is not None and abs(at - getattr(wanted, name)) <= near,
            f"asked for {name} {getattr(wanted, name)}, it says {at}",
        )


async def _require_usage(bench: Bench, call: Awaitable[None], what: str) -> None:
    try:
        await bench.done(call)
    except UsageError:
        return
    except DeviceError as error:
        raise BrokenError(f"{what} raises {type(error).__name__}, not UsageError") from error
    raise BrokenError(f"{what} is done")
