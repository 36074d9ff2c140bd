"""Asking systemd for a unit, over a real bus."""

import pytest

from conclaved.service import system_units
from conclaved.service.system_units import (
    NoSystemdError,
    SystemUnit,
    UnitFailedError,
    UnitRefusedError,
    is_active,
    start,
)
from tests.bus.bus import PrivateBus
from tests.service.systemd_manager import systemd_on

ALL = tuple(unit.value for unit in SystemUnit)


async def at_once(seconds: float) -> None:
    """A pause that takes none."""


@pytest.mark.parametrize("unit", SystemUnit)
async def test_each_unit_is_asked_for_as_systemd_wants_it(unit: SystemUnit) -> None:
    async with PrivateBus() as bus, systemd_on(bus.address, *ALL) as systemd:
        await start(unit, address=bus.address, pause=at_once)
        assert systemd.started == [(unit.value, "replace")]


async def test_a_bus_without_systemd_is_told_from_a_refusal() -> None:
    async with PrivateBus() as bus:
        with pytest.raises(NoSystemdError):
            await start(SystemUnit.REBOOT, address=bus.address)


async def test_no_bus_is_no_systemd() -> None:
    with pytest.raises(NoSystemdError):
        await start(SystemUnit.REBOOT, address="unix:path=/nonexistent/bus")


async def test_what_polkit_refuses_names_the_rule() -> None:
    async with PrivateBus() as bus, systemd_on(bus.address, *ALL) as systemd:
        systemd.allowed = frozenset()
        with pytest.raises(UnitRefusedError) as caught:
            await start(SystemUnit.REBOOT, address=bus.address)
        assert "50-conclave.rules" in caught.value.hint
        assert systemd.started == []


async def test_a_unit_that_is_not_installed_has_failed() -> None:
    async with PrivateBus() as bus, systemd_on(bus.address):
        with pytest.raises(UnitFailedError, match=r"conclave-update\.service"):
            await start(SystemUnit.UPDATE, address=bus.address)


async def test_a_unit_that_fails_at_once_is_told() -> None:
    async with PrivateBus() as bus, systemd_on(bus.address, *ALL) as systemd:
        systemd.failing = frozenset(ALL)
        with pytest.raises(UnitFailedError, match="failed"):
            await start(SystemUnit.FACTORY_RESET, address=bus.address, pause=at_once)


async def test_a_unit_that_works_for_long_is_not_waited_for() -> None:
    async with PrivateBus() as bus, systemd_on(bus.address, *ALL) as systemd:
        systemd.looks = 1000
        systemd.failing = frozenset(ALL)
        await start(SystemUnit.UPDATE, address=bus.address, pause=at_once)
        assert systemd.looks == 1000 - round(system_units.WITHIN_S / system_units.LOOK_EVERY_S)


async def test_a_unit_that_works_is_told_from_one_that_does_not() -> None:
    async with PrivateBus() as bus, systemd_on(bus.address, *ALL) as systemd:
        assert not await is_active(SystemUnit.UPDATE, address=bus.address)
        systemd.running = frozenset({SystemUnit.UPDATE.value})
        assert await is_active(SystemUnit.UPDATE, address=bus.address)


async def test_where_there_is_no_systemd_nothing_is_said_of_its_units() -> None:
    async with PrivateBus() as bus:
        with pytest.raises(NoSystemdError):
            await is_active(SystemUnit.UPDATE, address=bus.address)


async def test_who_asks_for_a_reboot_is_answered_before_it_begins() -> None:
    """conclave-reboot.service waits a second for that."""
    waited = []

    async def pause(seconds: float) -> None:
        waited.append(seconds)

    async with PrivateBus() as bus, systemd_on(bus.address, *ALL) as systemd:
        systemd.looks = 1000
        await start(SystemUnit.REBOOT, address=bus.address, pause=pause)
    assert sum(waited) < 1
