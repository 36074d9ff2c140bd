"""The simulated contact latches, and only a closed case can be cleared."""

import pytest

from conclave_hal.device import Health
from conclave_hal.errors import DeviceError
from conclave_hal.simulated.tamper import SimulatedTamper
from conclave_hal.switches import SwitchPosition, TamperStatus

OPENED, CLOSED, UNPLUGGED = SwitchPosition.BLOCKING, SwitchPosition.PASSING, SwitchPosition.UNKNOWN


async def test_a_case_that_was_opened_stays_tripped_when_it_is_closed_again() -> None:
    tamper = SimulatedTamper(lambda: 1_800_000_000.5)
    assert tamper.state().tamper is TamperStatus.UNKNOWN
    await tamper.open()
    assert (tamper.state().tamper, tamper.state().tripped_at) == (TamperStatus.INTACT, 0)
    await tamper.move(OPENED)
    await tamper.move(CLOSED)
    assert (tamper.state().tamper, tamper.state().tripped_at) == (TamperStatus.TRIPPED, 1_800_000_000)


async def test_an_open_case_cannot_be_cleared() -> None:
    tamper = SimulatedTamper()
    await tamper.open()
    await tamper.move(OPENED)
    with pytest.raises(DeviceError, match="still open"):
        await tamper.clear()
    assert tamper.state().tamper is TamperStatus.TRIPPED
    await tamper.move(CLOSED)
    await tamper.clear()
    assert (tamper.state().tamper, tamper.state().tripped_at) == (TamperStatus.INTACT, 0)


async def test_without_its_cable_nobody_knows_and_what_tripped_stays_tripped() -> None:
    tamper = SimulatedTamper()
    await tamper.open()
    await tamper.move(UNPLUGGED)
    assert (tamper.state().health, tamper.state().tamper) == (Health.DEGRADED, TamperStatus.UNKNOWN)
    with pytest.raises(DeviceError, match="nobody can say"):
        await tamper.clear()
    await tamper.move(OPENED)
    await tamper.move(UNPLUGGED)
    assert tamper.state().tamper is TamperStatus.TRIPPED
    await tamper.close()
    assert (tamper.state().health, tamper.state().tamper) == (Health.FAILED, TamperStatus.TRIPPED)
