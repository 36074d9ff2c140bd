"""docs/hal.md tells the truth: its tables, and its walk-through, which is followed to the letter here."""

import asyncio
import inspect
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import pytest

from conclave_hal.config import load
from conclave_hal.device import Device
from conclave_hal.drivers import Slot
from conclave_hal.simulated.pty_wire import PtyWire
from tests.hal.conformance import ASKED, ENTER
from tests.hal.reference import with_reference

SOURCES = Path(__file__).parent.parent.parent
GUIDE = (SOURCES / "docs/hal.md").read_text(encoding="utf-8")
BLOCKS = dict(re.findall(r"^```\w+ (\S+)\n(.*?)^```$", GUIDE, re.M | re.S))
FILES = ("desk_switch.py", "pyproject.toml", "hal.toml")
PORT = "/dev/serial/by-path/pci-0000:00:14.0-usb-0:3:1.0-port0"
DEADLINE_S = 240.0
"""For a whole run, on a machine that has other things to do."""


def test_the_drivers_are_listed_with_their_options_as_they_are() -> None:
    assert with_reference(GUIDE) == GUIDE, "write it anew: make hal-doc"


@pytest.mark.parametrize("slot", Slot, ids=lambda slot: slot.value)
def test_each_slot_is_in_the_table_with_its_interface_and_every_method(slot: Slot) -> None:
    (row,) = re.findall(rf"^\| `{slot.value}` \| `(\w+)\.(\w+)` \|[^|]*\|([^|]*)\|", GUIDE, re.M)
    module, name, methods = row
    interface = getattr(import_module(f"conclave_hal.{module}"), name)
    abstract = {
        method
        for method in interface.__abstractmethods__
        if not method.startswith("_") and not hasattr(Device, method)
    }
    assert set(re.findall(r"`(\w+)`", methods)) == abstract
    assert inspect.getdoc(interface)


def test_a_wrong_file_is_answered_as_the_guide_says(tmp_path: Path) -> None:
    for table, line in (
        ('driver = "simulated"\nfps = 0', "fps: must be a whole number from 1 to 60, not 0"),
        ('driver = "v4l3"', "driver: unknown driver 'v4l3'; drivers: none, simulated, v4l2"),
    ):
        (tmp_path / "hal.toml").write_text(f"[camera]\n{table}\n")
        said = run(tmp_path, [sys.executable, "-m", "tests.hal.conformance", "hal.toml"], 2)
        assert said.stderr.endswith(f"hal.toml: [camera] {line}\n")
        assert f"conclaved: /etc/conclave/hal.toml: [camera] {line}\n" in GUIDE


def test_the_room_in_the_readme_is_one_that_loads(tmp_path: Path) -> None:
    (text,) = re.findall(
        r"^```toml\n(.*?)^```$", (SOURCES / "README.md").read_text(encoding="utf-8"), re.M | re.S
    )
    (tmp_path / "hal.toml").write_text(text)
    drivers = {device.driver for device in load(tmp_path / "hal.toml").devices}
    assert {"v4l2", "visca", "gpio", "pixels"} <= drivers


def environment() -> dict[str, str]:
    """Of a maker's shell, with the sources of this very tree."""
    path = ":".join(str(SOURCES / folder) for folder in ("hal", "daemon", "provisioning", "."))
    return {**os.environ, "CONCLAVE": str(SOURCES), "PYTHONPATH": path}


def run(folder: Path, words: list[str], code: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        words, cwd=folder, env=environment(), capture_output=True, text=True, timeout=DEADLINE_S
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done


@dataclass
class DeskUnit:
    """The hardware of the example, and the hands at it."""

    wire: PtyWire
    is_muted: bool = False

    async def answer(self) -> None:
        """What the microcontroller does."""
        while True:
            for byte in await self.wire.read():
                if byte == ord("?"):
                    self.say()

    def say(self) -> None:
        self.wire.write(b"M" if self.is_muted else b"L")

    def obey(self, asked: str) -> None:
        """Do what a person is asked to."""
        if asked.startswith(ASKED["unplug"]):
            self.wire.unplug()
        elif asked.startswith(ASKED["plug_in"]):
            self.wire.plug_in()
        elif asked.startswith((ASKED["block"], ASKED["pass"])):
            self.is_muted = asked.startswith(ASKED["block"])
            self.say()
        else:
            raise AssertionError(asked)


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the example, after the step `install`."""
    folder = tmp_path_factory.mktemp("desk-unit")
    for name in FILES:
        (folder / name).write_text(BLOCKS[name])
    run(folder, ["bash", "-ec", BLOCKS["install"]])
    return folder


async def test_the_walk_through_leads_to_a_driver_that_keeps_every_promise(package: Path) -> None:
    port = package / "port"
    text = BLOCKS["hal.toml"]
    assert PORT in text
    (package / "hal.toml").write_text(text.replace(PORT, str(port)))
    unit = DeskUnit(PtyWire(port))
    unit.wire.plug_in()
    answering = asyncio.create_task(unit.answer())
    program = await asyncio.create_subprocess_exec(
        *("bash", "-ec", BLOCKS["conformance"]),
        cwd=package,
        env=environment(),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    assert program.stdin is not None
    assert program.stdout is not None
    said: list[str] = []
    async with asyncio.timeout(DEADLINE_S):
        async for line in program.stdout:
            said.append(line.decode().rstrip())
            _, prompt, asked = said[-1].partition(">>> ")
            if prompt:
                unit.obey(asked)
            if "press Enter" in asked:
                program.stdin.write(b"\n")
        code = await program.wait()
    answering.cancel()
    await asyncio.gather(answering, return_exceptions=True)
    unit.wire.unplug()
    assert code == 0, "\n".join(said)
    assert said[0] == "mute_switch: driver desk"
    assert said[-1] == "14 ok, 0 FAILED, 0 skipped"
    assert f"`{said[-1]}`" in GUIDE
    assert set(ASKED) >= ENTER


def conformance(package: Path, folder: Path, hal: str) -> subprocess.CompletedProcess[str]:
    """The conformance run with another hal.toml."""
    (folder / "hal.toml").write_text(hal)
    words = [sys.executable, "-m", "tests.hal.conformance", str(folder / "hal.toml")]
    path = f"{package / 'site'}:{environment()['PYTHONPATH']}"
    return subprocess.run(
        words, env={**environment(), "PYTHONPATH": path}, capture_output=True, text=True, timeout=DEADLINE_S
    )


@pytest.mark.parametrize(
    ("more", "line"),
    [
        ("baud = 1200\n", "[mute_switch] baud: must be one of 9600, 115200, not 1200"),
        ("speed = 9600\n", "[mute_switch] speed: unknown option; options of driver 'desk': baud, port"),
        ("", "[mute_switch] port: is required and must be the absolute path of a device"),
    ],
)
def test_a_wrong_option_of_the_package_is_one_line_with_file_key_and_what_is_allowed(
    package: Path, tmp_path: Path, more: str, line: str
) -> None:
    port = 'port = "/dev/ttyS0"\n' if more else ""
    done = conformance(package, tmp_path, f'[mute_switch]\ndriver = "desk"\n{port}{more}')
    assert done.returncode == 2
    (said,) = done.stderr.splitlines()
    assert said.startswith(f"conformance: {tmp_path / 'hal.toml'}: {line}")


def test_the_packages_driver_is_listed_beside_those_that_are_built_in(package: Path, tmp_path: Path) -> None:
    done = conformance(package, tmp_path, '[mute_switch]\ndriver = "disk"\n')
    assert "unknown driver 'disk'; drivers: desk, gpio, " in done.stderr
