"""The lamps say what is: never more hopeful than meeting and hardware, and what is wrong comes first."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import replace
from itertools import product

import pytest

from conclave_hal.errors import DeviceGoneError
from conclave_hal.indicator import Light, Shown
from conclave_hal.simulated.indicator import SimulatedIndicator
from conclaved.bus.room import HardwareStatus, MeetingStatus
from conclaved.service.lamps import Lamps, shown

HARDWARE = HardwareStatus(
    camera_muted=False,
    microphone_muted=False,
    shutter="passing",
    mute_switch="passing",
    panel_serial=1,
    panel_epoch=1,
    devices=(),
)
LOCKED = MeetingStatus("in_meeting", "locked")
STATES = ("idle", "joining", "lobby", "in_meeting", "left")
LOCKS = ("none", "locked", "opening", "broken")
TAMPERS = ("intact", "tripped", "unknown")


@pytest.mark.parametrize(("state", "lock", "tamper"), [*product(STATES, LOCKS, TAMPERS)])
def test_the_ring_is_green_only_while_the_meeting_is_locked(state: str, lock: str, tamper: str) -> None:
    for problem in ("", "dark"):
        hardware = replace(HARDWARE, tamper=tamper, panel_problem=problem)
        ring = shown(MeetingStatus(state, lock), hardware).ring
        may_be_green = (state, lock, problem) == ("in_meeting", "locked", "") and tamper != "tripped"
        assert (ring is Light.ENCRYPTED) is may_be_green


@pytest.mark.parametrize(
    ("meeting", "hardware", "ring"),
    [
        (MeetingStatus("idle"), HARDWARE, Light.OFF),
        (MeetingStatus("left"), HARDWARE, Light.OFF),
        (MeetingStatus("joining", "opening"), HARDWARE, Light.JOINING),
        (MeetingStatus("joining", "opening", joining_in_s=5), HARDWARE, Light.CALLING),
        (MeetingStatus("lobby", "opening"), HARDWARE, Light.JOINING),
        (LOCKED, HARDWARE, Light.ENCRYPTED),
        (MeetingStatus("in_meeting", "opening"), HARDWARE, Light.JOINING),
        (MeetingStatus("in_meeting", "broken"), HARDWARE, Light.ALARM),
        (LOCKED, replace(HARDWARE, panel_problem="dark"), Light.ALARM),
        (MeetingStatus("idle"), replace(HARDWARE, panel_problem="dark"), Light.OFF),
        (MeetingStatus("idle"), replace(HARDWARE, tamper="tripped"), Light.TAMPERED),
        (MeetingStatus("in_meeting", "broken"), replace(HARDWARE, tamper="tripped"), Light.TAMPERED),
    ],
)
def test_the_ring_says_first_what_nobody_may_overlook(
    meeting: MeetingStatus, hardware: HardwareStatus, ring: Light
) -> None:
    assert shown(meeting, hardware).ring is ring


def test_the_mute_lamp_is_lit_by_either_mute_and_the_camera_s_by_what_leaves() -> None:
    assert not shown(LOCKED, replace(HARDWARE, microphone_muted=False)).is_microphone_muted
    assert shown(LOCKED, replace(HARDWARE, microphone_off=True)).is_microphone_muted
    assert not shown(LOCKED, HARDWARE).is_camera_live
    assert shown(LOCKED, replace(HARDWARE, camera_live=True)).is_camera_live


async def test_lamps_that_failed_are_told_again_with_the_next_change_and_complained_of_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    indicator = SimulatedIndicator()
    await indicator.open()
    lamps, show = Lamps(indicator), indicator.show

    async def gone(shown: Shown) -> None:
        raise DeviceGoneError("unplugged")

    indicator.show = gone  # type: ignore[method-assign]
    for _ in range(3):
        await lamps.show(Shown(Light.ALARM))
    assert [record.getMessage() for record in caplog.records] == ["the lamps do not obey: unplugged"]
    assert indicator.state().shown == Shown()
    indicator.show = show  # type: ignore[method-assign]
    await lamps.show(Shown(Light.ALARM))
    assert indicator.state().shown == Shown(Light.ALARM)


async def test_lamps_that_failed_are_told_again_though_nothing_changes() -> None:
    indicator = SimulatedIndicator()
    await indicator.open()
    show, refusals = indicator.show, 2

    async def refuses(shown: Shown) -> None:
        nonlocal refusals
        if refusals:
            refusals -= 1
            raise DeviceGoneError("unplugged")
        await show(shown)

    indicator.show = refuses  # type: ignore[method-assign]

    async def no_changes() -> AsyncGenerator[object, None]:
        await asyncio.Event().wait()
        yield None

    following = asyncio.create_task(
        Lamps(indicator).follow(lambda: Shown(Light.ALARM), no_changes(), again_s=0)
    )
    async with asyncio.timeout(20):
        async for state in indicator.watch():
            if state.shown == Shown(Light.ALARM):
                break
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)
