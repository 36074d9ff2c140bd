"""Checks of what people move with their hands: shutter, mute switch, tamper contact."""

import asyncio
from functools import partial

from conclave_hal.drivers import Slot
from conclave_hal.errors import DeviceError
from conclave_hal.switches import HardwareSwitch, SwitchPosition, SwitchState, Tamper, TamperStatus
from tests.hal.checks.bench import Bench
from tests.hal.checks.check import BrokenError, Checks, require

CHECKS = Checks()
SWITCHES = frozenset({Slot.PRIVACY_SWITCH, Slot.MUTE_SWITCH})
TAMPER = frozenset({Slot.TAMPER})
POLL_S = 0.02


@CHECKS.claim(
    "reads where the switch stands before it says that it is ready",
    mend="read the position when the session begins: edges alone miss a switch that was moved before",
    slots=SWITCHES,
)
async def reads_the_first_position(bench: Bench) -> None:
    async with bench.running(HardwareSwitch) as device:
        position = device.state().position
        require(position is not SwitchPosition.UNKNOWN, "it is ready, and the position unknown")


@CHECKS.claim(
    "tells both positions, and each at once",
    mend="look whether the line is active low: blocking must be the position in which nothing gets through",
    slots=SWITCHES,
)
async def tells_both_positions(bench: Bench) -> None:
    async with bench.running(HardwareSwitch) as device:
        for hand, wanted in (
            ("block", SwitchPosition.BLOCKING),
            ("pass", SwitchPosition.PASSING),
            ("block", SwitchPosition.BLOCKING),
            ("pass", SwitchPosition.PASSING),
        ):
            await bench.hands.do(hand, device)
            otherwise = f"does not say {wanted.value}"
            await bench.until(device, partial(_is_at, wanted), otherwise)


@CHECKS.claim(
    "reads the contact before it says that it is ready",
    mend="read it when the session begins",
    slots=TAMPER,
)
async def reads_the_contact(bench: Bench) -> None:
    async with bench.running(Tamper) as device:
        require(device.state().tamper is not TamperStatus.UNKNOWN, "it is ready, and tamper unknown")


@CHECKS.claim(
    "stays tripped when the case is closed again, until it is cleared",
    mend="latch it; `clear` alone ends that, and raises DeviceError while the case is open",
    slots=TAMPER,
)
async def latches(bench: Bench) -> None:
    async with bench.running(Tamper) as device:
        await bench.hands.do("open_case", device)
        await bench.until(
            device, lambda state: state.tamper is TamperStatus.TRIPPED, "does not notice the open case"
        )
        require(device.state().tripped_at > 0, "it does not say since when")
        try:
            await bench.done(device.clear())
        except DeviceError:
            pass
        else:
            raise BrokenError("it can be cleared while the case is open")
        await bench.hands.do("close_case", device)
        require(device.state().tamper is TamperStatus.TRIPPED, "it forgets when the case is closed")
        await bench.soon(_cleared(device), "it cannot be cleared when the case is closed")
        require(device.state().tamper is TamperStatus.INTACT, "it is cleared, and not intact")


async def _cleared(device: Tamper) -> None:
    """Clear it once the driver has seen the contact closed: one that polls needs a moment."""
    while True:
        try:
            await device.clear()
        except DeviceError:
            await asyncio.sleep(POLL_S)
        else:
            return


def _is_at(wanted: SwitchPosition, state: SwitchState) -> bool:
    return state.position is wanted
