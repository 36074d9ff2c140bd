"""The simulated lamps show what they were told last, and nothing is known of them while they are closed."""

import pytest

from conclave_hal.errors import UsageError
from conclave_hal.indicator import Light, Shown
from conclave_hal.simulated.indicator import SimulatedIndicator


async def test_the_lamps_show_what_they_were_told_last() -> None:
    lamps = SimulatedIndicator()
    assert lamps.state().shown is None
    await lamps.open()
    assert lamps.state().shown == Shown(Light.OFF)
    for shown in (Shown(Light.ENCRYPTED, is_camera_live=True), Shown(Light.ALARM, is_microphone_muted=True)):
        await lamps.show(shown)
        assert lamps.state().shown == shown
    await lamps.close()
    assert lamps.state().shown is None


async def test_lamps_that_are_not_open_are_an_error_of_the_caller() -> None:
    with pytest.raises(UsageError):
        await SimulatedIndicator().show(Shown())
