"""A device whose case was opened says so until an admin has looked, whatever happens in between."""

from pathlib import Path

import pytest

from conclave_hal.device import Health
from conclave_hal.indicator import Light
from conclave_hal.none import NoTamper
from conclave_hal.simulated.tamper import SimulatedTamper
from conclave_hal.switches import SwitchPosition, TamperState, TamperStatus
from conclaved.bus.room import RoomError, RoomErrorKind
from conclaved.service.tampering import Tampering
from tests.service.rooms import HAL, TestRoom, running_room
from tests.service.test_hosting import until

AT = 1_800_000_000
OPENED, CLOSED = SwitchPosition.BLOCKING, SwitchPosition.PASSING


async def contact() -> SimulatedTamper:
    made = SimulatedTamper(lambda: AT)
    await made.open()
    return made


def tampering(case: SimulatedTamper | NoTamper, folder: Path) -> Tampering:
    return Tampering(case, folder / "tampered.json", lambda: None)


async def test_an_intact_case_is_no_problem(tmp_path: Path) -> None:
    watch = tampering(await contact(), tmp_path)
    watch.look()
    assert (watch.status, watch.problems()) == ("intact", [])
    assert not (await watch.clear()).changed


async def test_what_was_opened_is_tripped_with_its_time_and_the_command_that_mends_it(tmp_path: Path) -> None:
    case = await contact()
    watch = tampering(case, tmp_path)
    await case.move(OPENED)
    watch.look()
    assert (watch.status, watch.tripped_at) == ("tripped", AT)
    (problem,) = watch.problems()
    assert problem.endswith(": conclavectl hardware clear-tamper")


async def test_neither_closing_the_case_nor_a_restart_clears_it(tmp_path: Path) -> None:
    case = await contact()
    await case.move(OPENED)
    tampering(case, tmp_path).look()
    again = tampering(await contact(), tmp_path)
    again.look()
    assert (again.status, again.tripped_at) == ("tripped", AT)


async def test_neither_does_another_driver_nor_a_damaged_file(tmp_path: Path) -> None:
    (tmp_path / "tampered.json").write_text("{")
    watch = tampering(NoTamper(), tmp_path)
    assert (watch.status, watch.tripped_at) == ("tripped", 0)


async def test_an_admin_clears_it_for_good(tmp_path: Path) -> None:
    case = await contact()
    await case.move(OPENED)
    watch = tampering(case, tmp_path)
    watch.look()
    await case.move(CLOSED)
    assert (await watch.clear(dry_run=True)).changed
    assert watch.status == "tripped"
    report = await watch.clear()
    assert [(change.key, change.before) for change in report.changes] == [("hardware.tamper", "tripped")]
    assert (watch.status, watch.tripped_at, watch.problems()) == ("intact", 0, [])
    assert tampering(await contact(), tmp_path).status == "intact"


async def test_an_open_case_is_not_cleared(tmp_path: Path) -> None:
    case = await contact()
    await case.move(OPENED)
    watch = tampering(case, tmp_path)
    watch.look()
    with pytest.raises(RoomError, match="still open") as refused:
        await watch.clear()
    assert refused.value.kind is RoomErrorKind.REFUSED
    assert watch.status == "tripped"


async def test_a_case_that_is_opened_again_while_it_is_cleared_is_tripped_again(tmp_path: Path) -> None:
    case = await contact()
    await case.move(OPENED)
    watch = tampering(case, tmp_path)
    watch.look()
    await case.move(CLOSED)

    async def clear() -> None:
        await case._publish(TamperState(Health.READY, "", TamperStatus.TRIPPED, AT + 1))

    case.clear = clear  # type: ignore[method-assign]
    await watch.clear()
    assert (watch.status, watch.tripped_at) == ("tripped", AT + 1)


async def test_what_cannot_be_stored_is_said(tmp_path: Path) -> None:
    case = await contact()
    await case.move(OPENED)
    watch = tampering(case, tmp_path / "missing")
    watch.look()
    assert watch.status == "tripped"
    assert "will be forgotten at a restart" in watch.problems()[0]


async def test_a_case_without_a_contact_is_not_called_intact(tmp_path: Path) -> None:
    assert tampering(NoTamper(), tmp_path).status == "not fitted"


async def test_panel_lamps_and_status_say_so_over_a_restart_until_an_admin_clears_it(tmp_path: Path) -> None:
    hal = HAL + "".join(f'\n[{slot}]\ndriver = "simulated"\n' for slot in ("tamper", "indicator"))
    async with running_room(tmp_path, hal=hal) as here:
        case = here.hardware.devices.tamper
        assert isinstance(case, SimulatedTamper)
        await case.move(OPENED)
        await until(here, lambda: here.room.hardware().tampered_at > 0)
        await until(here, lambda: lamp(here) is Light.TAMPERED)
        assert (await here.panel()).tamper == "tripped"
    async with running_room(tmp_path, hal=hal) as again:
        assert again.room.hardware().tamper == "tripped"
        assert any("was opened" in problem for problem in again.room.device().problems)
        assert (await again.room.clear_tamper()).changed
        await until(again, lambda: lamp(again) is Light.OFF)
        assert (await again.panel()).tamper == "intact"
        assert not any("was opened" in problem for problem in again.room.device().problems)


def lamp(here: TestRoom) -> Light | None:
    shown = here.hardware.devices.indicator.state().shown
    return None if shown is None else shown.ring
