"""A reboot that an admin asks for."""

import pytest

from conclaved.bus.room import RoomError, RoomErrorKind
from conclaved.service.rebooting import NOTICE, Rebooting
from conclaved.service.system_units import SystemUnit, UnitRefusedError


class Device:
    """A room that may be in a meeting, and a systemd that may refuse."""

    def __init__(self) -> None:
        self.is_busy = False
        self.is_joining = False
        self.error: Exception | None = None
        self.happened: list[str] = []
        self.rebooting = Rebooting(
            self._start, lambda: self.is_busy, lambda: self.happened.append("drawn"), pause=self._pause
        )

    async def _start(self, unit: SystemUnit) -> None:
        if self.error:
            raise self.error
        self.happened.append(unit.value)

    async def _pause(self, seconds: float) -> None:
        self.happened.append(f"pause with {self.rebooting.notice!r}")
        self.is_busy = self.is_busy or self.is_joining


@pytest.fixture
def device() -> Device:
    return Device()


async def refusal(device: Device) -> RoomErrorKind:
    with pytest.raises(RoomError) as caught:
        await device.rebooting.reboot()
    assert caught.value.hint
    return caught.value.kind


async def test_people_read_of_it_before_it_happens(device: Device) -> None:
    assert (await device.rebooting.reboot()).changed
    assert device.happened == ["drawn", f"pause with {NOTICE!r}", "conclave-reboot.service"]


async def test_a_dry_run_does_nothing(device: Device) -> None:
    assert (await device.rebooting.reboot(dry_run=True)).changed
    assert device.happened == []


async def test_no_meeting_ends_by_it_unasked(device: Device) -> None:
    device.is_busy = True
    assert await refusal(device) is RoomErrorKind.BUSY
    assert device.happened == []


async def test_a_dry_run_says_that_a_meeting_is_in_the_way(device: Device) -> None:
    device.is_busy = True
    with pytest.raises(RoomError):
        await device.rebooting.reboot(dry_run=True)


async def test_who_forces_it_ends_a_meeting(device: Device) -> None:
    device.is_busy = True
    await device.rebooting.reboot(is_forced=True)
    assert device.happened[-1] == "conclave-reboot.service"


async def test_a_meeting_that_begins_meanwhile_goes_on(device: Device) -> None:
    device.is_joining = True
    assert await refusal(device) is RoomErrorKind.BUSY
    assert "conclave-reboot.service" not in device.happened
    assert device.rebooting.notice == ""


async def test_a_systemd_that_refuses_takes_the_words_from_the_panel(device: Device) -> None:
    device.error = UnitRefusedError("no", hint="do")
    assert await refusal(device) is RoomErrorKind.FAILED
    assert device.rebooting.notice == ""
