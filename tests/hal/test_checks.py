"""The conformance checks themselves: each flaw is found, by the check that is there for it."""

import asyncio
from collections.abc import Iterator
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path

import pytest

from conclave_hal.device import AnyDevice
from conclave_hal.drivers import Slot
from conclave_hal.visca.camera_control import ViscaCamera
from tests.hal import conformance, flawed
from tests.hal.checks import CHECKS
from tests.hal.checks.bench import Bench, Hands, NoHands
from tests.hal.checks.run import Outcome, Result, checks_of, examine
from tests.hal.flawed import FLAWS, Contact
from tests.hal.rigs import camera_control_visca

FILE = '[mute_switch]\ndriver = "flawed"\nflaw = "{}"\n'


class Fingers(Hands):
    """Move the flawed driver's contact. Short of patience: nothing here takes long."""

    deadline_s = 2.0

    async def do(self, what: str, device: AnyDevice | None = None) -> None:
        match what:
            case "unplug" | "plug_in":
                flawed.contact.set(is_there=what == "plug_in")
            case "block" | "pass":
                flawed.contact.set(is_blocking=what == "block")


@pytest.fixture(autouse=True)
def flawed_driver(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    points = EntryPoints([EntryPoint("mute_switch.flawed", "tests.hal.flawed:DRIVER", "conclave.hal")])
    monkeypatch.setattr("conclave_hal.drivers.outside", lambda: points)
    monkeypatch.setattr(flawed, "contact", Contact())
    yield


async def run(folder: Path, flaw: str, check: str) -> Outcome:
    file = folder / "hal.toml"
    file.write_text(FILE.format(flaw))
    (wanted,) = (each for each in checks_of(Slot.MUTE_SWITCH, "flawed") if each.name == check)
    return await examine(wanted, file, Slot.MUTE_SWITCH, Fingers())


@pytest.mark.parametrize(("flaw", "check"), [each for each in FLAWS.items() if each[1]])
async def test_a_flaw_is_found(tmp_path: Path, flaw: str, check: str) -> None:
    outcome = await run(tmp_path, flaw, check)
    assert outcome.result is Result.FAILED
    assert outcome.reason.isprintable()


@pytest.mark.parametrize("check", [each.name for each in checks_of(Slot.MUTE_SWITCH, "flawed")])
async def test_a_driver_without_a_flaw_keeps_every_promise(tmp_path: Path, check: str) -> None:
    outcome = await run(tmp_path, "none", check)
    assert (outcome.result, outcome.reason) == (Result.OK, "")


async def test_who_waits_in_the_loop_is_told_in_which_line(tmp_path: Path) -> None:
    outcome = await run(tmp_path, "waits in the loop", "becomes_ready")
    assert "flawed.py" in outcome.reason
    assert " open" in outcome.reason


def test_each_check_has_a_name_of_its_own_and_says_how_to_mend() -> None:
    assert len({check.name for check in CHECKS}) == len(CHECKS)
    assert all(check.claim and check.mend for check in CHECKS)


def test_every_interface_has_checks_of_its_own() -> None:
    special = {slot for check in CHECKS if check.slots != frozenset(Slot) for slot in check.slots}
    assert special == set(Slot)


async def test_a_check_that_nobody_helps_leaves_no_call_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ViscaCamera, "home", lambda _: asyncio.Event().wait())
    file = tmp_path / "hal.toml"
    (check,) = (each for each in CHECKS if each.name == "ends_commands_under_way")
    async with camera_control_visca.rig(tmp_path) as rig:
        file.write_text(f'[camera_control]\ndriver = "visca"\nport = "{rig.options["port"]}"\n')
        before = asyncio.all_tasks()
        outcome = await examine(check, file, Slot.CAMERA_CONTROL, NoHands())
        assert asyncio.all_tasks() == before
    assert outcome.result is Result.SKIPPED


async def test_what_a_check_leaves_open_is_closed_after_it(tmp_path: Path) -> None:
    file = tmp_path / "hal.toml"
    file.write_text(FILE.format("none"))
    bench = Bench(file, Slot.MUTE_SWITCH, Fingers())
    device = bench.make()
    await device.open()
    await bench.clear()
    assert getattr(device, "_times_closed", 0) == 1


def test_a_maker_is_told_what_is_kept_and_what_nobody_could_tell(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "hal.toml").write_text(FILE.format("none"))
    assert conformance.main([str(tmp_path / "hal.toml")]) == 0
    out = capsys.readouterr().out
    assert "mute_switch: driver flawed" in out
    assert "  ok       can be closed twice\n" in out
    assert "nobody is there to unplug; --interactive asks you to" in out
    assert out.splitlines()[-1] == "10 ok, 0 FAILED, 4 skipped"


def test_a_maker_is_told_what_was_seen_where_to_look_and_how_to_see_it_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "hal.toml").write_text(FILE.format("closes once"))
    assert conformance.main([str(tmp_path / "hal.toml"), "--check", "closes_twice"]) == 1
    out = capsys.readouterr().out
    assert "  FAILED   can be closed twice\n" in out
    assert "seen: ValueError, which is no HalError: closed already" in out
    assert "mend: let `close` do nothing" in out
    assert "again: --check closes_twice" in out


def test_hardware_that_is_not_there_is_found_by_one_check_and_not_waited_for_by_all(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "hal.toml").write_text(FILE.format("is never ready"))
    monkeypatch.setattr("tests.hal.checks.bench.NoHands.deadline_s", 0.5)
    assert conformance.main([str(tmp_path / "hal.toml")]) == 1
    assert capsys.readouterr().out.splitlines()[-1] == "0 ok, 1 FAILED, 13 skipped"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[mute_switch]\ndriver = "flawed"\nflaw = "x"\n', "[mute_switch] flaw: must be one of "),
        ("", "names no driver"),
        ('[mute_switch]\ndriver = "none"\n', "names no driver"),
    ],
)
def test_a_wrong_file_is_exit_code_2_with_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, said: str
) -> None:
    (tmp_path / "hal.toml").write_text(text)
    assert conformance.main([str(tmp_path / "hal.toml")]) == 2
    err = capsys.readouterr().err
    assert said in err
    assert err.startswith("conformance: ")
    assert len(err.splitlines()) == 1


def test_a_person_is_asked_for_what_no_program_can_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "hal.toml").write_text(FILE.format("none"))

    async def obey(self: conformance.Person, what: str, device: AnyDevice | None = None) -> None:
        print(conformance.ASKED[what])
        await Fingers().do(what, device)

    monkeypatch.setattr(conformance.Person, "do", obey)
    assert conformance.main([str(tmp_path / "hal.toml"), "--interactive"]) == 0
    out = capsys.readouterr().out
    assert "unplug it now" in out
    assert out.splitlines()[-1] == "14 ok, 0 FAILED, 0 skipped"


def test_the_checks_can_be_listed_by_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "hal.toml").write_text(FILE.format("none"))
    assert conformance.main([str(tmp_path / "hal.toml"), "--list"]) == 0
    names = [line.split()[1] for line in capsys.readouterr().out.splitlines()]
    assert names == [check.name for check in checks_of(Slot.MUTE_SWITCH, "flawed")]
