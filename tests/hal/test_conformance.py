"""Every driver keeps its promises, each against its counterpart in `rigs`."""

from pathlib import Path

import pytest

from conclave_hal.drivers import _BUILT_IN, Slot
from tests.hal.checks.check import Check
from tests.hal.checks.run import Result, checks_of, examine, warm_up
from tests.hal.rig_hands import RigHands, write_hal_toml
from tests.hal.rigs import all_rigs, slot_of

RIGS = all_rigs()
WITHOUT_RIG: dict[str, str] = {}
"""Drivers that no counterpart here can serve, `<slot>_<driver>`, and why."""
MAY_SKIP: dict[str, frozenset[str]] = {
    "the rig cannot unplug": frozenset(
        {
            *(f"{slot.value}_simulated" for slot in Slot),
            *(f"video_encoder_{name}" for name in ("auto", "software", "v4l2m2m")),
        }
    ),
    "the rig cannot press": frozenset({"panel_simulated"}),
    "the camera keeps no presets": frozenset({"camera_control_v4l2"}),
    "the camera has no standby": frozenset({"camera_control_v4l2"}),
}
"""Which rigs may leave a check out, by the reason: what has no plug, and what V4L2 has not."""
BY_RIG = [
    pytest.param(name, check, id=f"{name}-{check.name}")
    for name in RIGS
    for check in checks_of(slot_of(name), name.removeprefix(slot_of(name).value + "_"))
]
_warm: set[str] = set()


@pytest.mark.drivers
@pytest.mark.parametrize(("name", "check"), BY_RIG)
async def test_a_driver_keeps_its_promises(name: str, check: Check, tmp_path: Path) -> None:
    async with RIGS[name](tmp_path) as rig:
        hands = RigHands(rig)
        file = write_hal_toml(tmp_path, rig)
        if name not in _warm:
            await warm_up(file, rig.slot, rig.driver, hands)
            _warm.add(name)
        outcome = await examine(check, file, rig.slot, hands)
    if outcome.result is Result.SKIPPED:
        assert name in MAY_SKIP.get(outcome.reason, frozenset()), f"left out: {outcome.reason}"
        pytest.skip(outcome.reason)
    assert outcome.result is Result.OK, f"{outcome.reason} ({check.mend})"


def test_every_driver_has_a_counterpart_or_a_reason() -> None:
    drivers = {f"{slot.value}_{name}" for slot in Slot for name in (*_BUILT_IN[slot], "none")}
    # A driver may have several: `camera_control_visca_network`.
    served = {driver for driver in drivers for rig in RIGS if f"{rig}_".startswith(f"{driver}_")}
    assert drivers - served <= set(WITHOUT_RIG) <= drivers
