"""Checks of hardware that comes and goes: that it is unplugged is an event, and it comes back by itself."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from conclave_hal.camera import PictureFormat, VideoEncoder
from conclave_hal.camera_control import CameraControl, CameraControlState, Position, Power, Speed
from conclave_hal.codec_control import CodecControlState
from conclave_hal.device import AnyDevice, DeviceState, Health
from conclave_hal.display import Display, DisplayState
from conclave_hal.drivers import Slot
from conclave_hal.errors import DeviceError, DeviceGoneError, DeviceTimeoutError
from conclave_hal.indicator import Indicator, Light, Shown
from conclave_hal.media import AudioSink
from conclave_hal.switches import TamperState, TamperStatus
from tests.hal.checks.bench import Bench
from tests.hal.checks.check import BrokenError, Checks, require

CHECKS = Checks()

BACK_WITHIN_S = 2.0
"""Of pauses that the driver makes: how busy the machine is does not count."""


@CHECKS.claim(
    "has failed when it is unplugged, with a reason, and believes nothing that only the device can say",
    mend="raise DeviceGoneError from `_session`; `_lost` makes the state, and is rarely to be overridden",
)
async def notices_that_it_is_unplugged(bench: Bench) -> None:
    async with bench.ready() as device:
        state = await bench.unplugged(device)
        await bench.hands.do("plug_in", device)
        require(state.reason, "it gives no reason")
        require(state.reason.isprintable(), f"its reason is no line for people: {state.reason!r}")
        require(state == _without_device(state), f"it still believes {state!r}")


@CHECKS.claim(
    "refuses what it is asked while it is unplugged with DeviceGoneError, at once",
    mend="look whether there is a session before each command, and end commands under way with it",
    slots=frozenset({Slot.CAMERA_CONTROL, Slot.DISPLAY, Slot.VIDEO_ENCODER, Slot.SPEAKER}),
)
async def refuses_while_unplugged(bench: Bench) -> None:
    async with bench.ready() as device:
        calls = _calls(device)
        await bench.unplugged(device)
        said = {name: await _answer(bench, call) for name, call in calls.items()}
        await bench.hands.do("plug_in", device)
        for name, answer in said.items():
            require(answer == "", f"{name} {answer}")


@CHECKS.claim(
    "is ready again within two seconds after it is plugged in",
    mend="be a HotPlugDevice: it tries again after 0.1 s, and never pauses for longer than a second",
)
async def comes_back(bench: Bench) -> None:
    async with bench.ready() as device:
        for _ in range(2):
            await bench.unplugged(device)
            paused_s = await bench.plugged_in(device)
            require(paused_s <= BACK_WITHIN_S, f"it paused for {paused_s:g} s before it was")


@CHECKS.claim(
    "starts without its hardware, and finds it when it comes",
    mend="do not look for the hardware in `open`: that is `run`'s, and a room starts without it",
)
async def starts_unplugged(bench: Bench) -> None:
    made = bench.make()
    await bench.hands.do("unplug")
    is_plugged_in = False
    try:
        async with bench.started(made) as device:
            state = await bench.until(
                device, lambda state: state.health is Health.FAILED, "does not say that nothing is there"
            )
            require(state.reason, "it gives no reason")
            is_plugged_in = True
            await bench.plugged_in(device)
    finally:
        if not is_plugged_in:
            await bench.hands.do("plug_in")


@CHECKS.claim(
    "ends a command that is under way when it is unplugged",
    mend="end commands that wait when the session ends: DeviceGoneError, and never silence",
    slots=frozenset({Slot.CAMERA_CONTROL}),
)
async def ends_commands_under_way(bench: Bench) -> None:
    async with bench.running(CameraControl) as device:
        moving = asyncio.create_task(device.home())
        try:
            await asyncio.sleep(0)
            await bench.hands.do("unplug", device)
            await bench.done(asyncio.wait({moving}))
            await bench.hands.do("plug_in", device)
            error = moving.exception()
        finally:
            # Where nobody is there to unplug, it is still under way.
            moving.cancel()
            await asyncio.gather(moving, return_exceptions=True)
        # It may be gone, late, or cut short, as far as the driver can tell: each says that it is not done.
        if error is not None and not isinstance(error, DeviceGoneError | DeviceTimeoutError | DeviceError):
            raise BrokenError(f"it raises {type(error).__name__}: {error}")


@CHECKS.claim(
    "shows again what it showed, when it is back",
    mend="keep what was shown last, and write it at the beginning of each session",
    slots=frozenset({Slot.INDICATOR}),
)
async def shows_again(bench: Bench) -> None:
    async with bench.running(Indicator) as device:
        shown = Shown(Light.ENCRYPTED, is_microphone_muted=True)
        await bench.done(device.show(shown))
        await bench.unplugged(device)
        await bench.plugged_in(device)
        await bench.until(device, lambda state: state.shown == shown, "shows something else than before")


def _without_device(state: DeviceState) -> DeviceState:
    """What may be known of hardware that is away."""
    kept: dict[str, Any] = {"health": state.health, "reason": state.reason}
    match state:
        case CameraControlState():
            kept["capabilities"] = state.capabilities
        case DisplayState():
            kept["model"] = state.model
        case CodecControlState():
            kept["refused_logins"] = state.refused_logins
        case TamperState(tamper=TamperStatus.TRIPPED):
            return state
    return replace(type(state)(), **kept)


def _calls(device: AnyDevice) -> dict[str, Callable[[], Awaitable[object]]]:
    match device:
        case CameraControl():
            return {
                "move_to": lambda: device.move_to(Position(0, 0, 0)),
                "move_by": lambda: device.move_by(1, 0),
                "drive": lambda: device.drive(Speed()),
                "home": device.home,
                "set_power": lambda: device.set_power(Power.ON),
            }
        case Display():
            return {"set_power": lambda: device.set_power(Power.ON), "show_us": device.show_us}
        case VideoEncoder():
            return {"configure": lambda: device.configure(PictureFormat(320, 180, 15), 200_000)}
        case AudioSink():
            return {"announce": lambda: device.announce(bytes(960 * 2))}
    return {}


async def _answer(bench: Bench, call: Callable[[], Awaitable[object]]) -> str:
    try:
        await bench.done(call())
    except DeviceGoneError:
        return ""
    except Exception as error:  # noqa: BLE001  # whatever a driver raises: the report says so
        return f"raises {type(error).__name__}: {error}"
    return "does as if it had been done"
