"""The switches that people move on the page around the panel."""

import pytest

from conclave_hal.device import Health
from conclave_hal.simulated.mute_switch import SimulatedMuteSwitch
from conclave_hal.simulated.privacy_switch import SimulatedPrivacySwitch
from conclave_hal.switches import SwitchPosition, SwitchState

SWITCHES = [SimulatedPrivacySwitch, SimulatedMuteSwitch]


@pytest.mark.parametrize("kind", SWITCHES)
async def test_a_switch_is_unknown_until_it_has_been_read_and_then_passes(
    kind: type[SimulatedPrivacySwitch | SimulatedMuteSwitch],
) -> None:
    switch = kind()
    assert switch.state().position is SwitchPosition.UNKNOWN
    await switch.open()
    assert switch.state() == SwitchState(Health.READY, "", SwitchPosition.PASSING)


@pytest.mark.parametrize("kind", SWITCHES)
async def test_watch_tells_that_a_switch_was_moved(
    kind: type[SimulatedPrivacySwitch | SimulatedMuteSwitch],
) -> None:
    switch = kind()
    await switch.open()
    seen = switch.watch()
    await anext(seen)
    await switch.move(SwitchPosition.BLOCKING)
    assert await anext(seen) == SwitchState(Health.READY, "", SwitchPosition.BLOCKING)


async def test_an_unplugged_switch_is_unknown_and_a_closed_one_too() -> None:
    switch = SimulatedMuteSwitch()
    await switch.open()
    await switch.move(SwitchPosition.UNKNOWN)
    assert switch.state().position is SwitchPosition.UNKNOWN
    assert switch.state().health is Health.DEGRADED
    await switch.move(SwitchPosition.BLOCKING)
    await switch.close()
    assert switch.state().position is SwitchPosition.UNKNOWN
