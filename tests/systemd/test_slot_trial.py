"""Which slot is kept, and which is given up: the script itself, with programs that say what it asks for."""

import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.systemd.device_root import SOURCE

SCRIPT = SOURCE / "libexec/slot-trial"
VERSION = "1.2.0+abc"
PROGRAMS = ("systemctl", "busctl", "rauc", "dd", "sleep")
STUB = """#!/bin/sh
echo "$(basename "$0") $*" >>"$SAID/calls"
name=$(basename "$0")
case "$name $*" in
    "systemctl is-active conclaved.service") cat "$SAID/conclaved" ;;
    "systemctl is-active ssh.service") cat "$SAID/ssh" ;;
    "systemctl is-active sshd.service") cat "$SAID/sshd" ;;
    "systemctl show -P MainPID conclaved.service")
        # Each line of the file is said once, the last one from then on.
        head -n 1 "$SAID/pids"
        [ "$(wc -l <"$SAID/pids")" = 1 ] || sed -i 1d "$SAID/pids" ;;
    "busctl "*) cat "$SAID/health" ;;
esac
[ ! -e "$SAID/$name-fails" ]
"""


@dataclass
class Device:
    """A device in a folder, and what its programs say."""

    root: Path
    said: Path = field(init=False)

    def __post_init__(self) -> None:
        self.said = self.root / "said"
        self.said.mkdir()
        for name in ("usr/lib", "var/lib/conclave-device", "run/conclave-trial", "tools"):
            (self.root / name).mkdir(parents=True)
        (self.root / "usr/lib/os-release").write_text(f'ID=debian\nIMAGE_VERSION="{VERSION}"\n')
        for name in PROGRAMS:
            (self.root / "tools" / name).write_text(STUB)
            (self.root / "tools" / name).chmod(0o755)
        self.says(conclaved="active", ssh="active", sshd="inactive", pids="7", health='s "ready"')

    @property
    def good(self) -> Path:
        """The versions that were good here."""
        return self.root / "var/lib/conclave-device/good-versions"

    def says(self, **answers: str) -> None:
        for name, answer in answers.items():
            (self.said / name).write_text(f"{answer}\n")

    def run(self, verb: str) -> subprocess.CompletedProcess[str]:
        environment = {"PATH": f"{self.root}/tools:{os.environ['PATH']}", "SAID": str(self.said)}
        words: list[str | Path] = [SCRIPT, verb, self.root]
        return subprocess.run(words, env=environment, capture_output=True, text=True, timeout=120)

    def calls(self, program: str) -> list[str]:
        """What a program was asked, in order."""
        place = self.said / "calls"
        lines = place.read_text().splitlines() if place.exists() else []
        return [line for line in lines if line.split()[0] == program]


@pytest.fixture
def device(tmp_path: Path) -> Device:
    return Device(tmp_path)


def test_a_room_that_is_well_has_its_slot_read_and_then_marked_good(device: Device) -> None:
    assert device.run("keep").returncode == 0
    assert device.calls("rauc") == ["rauc status mark-good booted"]
    [read] = device.calls("dd")
    assert f"if={device.root}/dev/mapper/root" in read
    assert "iflag=direct" in read
    everything = (device.said / "calls").read_text()
    assert everything.index("dd if") < everything.index("mark-good")
    assert device.good.read_text() == f"{VERSION}\n"


@pytest.mark.parametrize(
    ("answers", "why"),
    [
        ({"conclaved": "activating"}, "conclaved.service is not ready"),
        ({"ssh": "failed"}, "sshd does not run"),
        ({"health": 's "starting"'}, 'its health is "starting"'),
        ({"pids": "\n".join(str(number) for number in range(1000, 1200))}, "starts again and again"),
    ],
)
def test_a_room_that_is_not_well_is_not_marked_and_the_journal_says_why(
    device: Device, answers: dict[str, str], why: str
) -> None:
    device.says(**answers)
    done = device.run("keep")
    assert done.returncode == 1
    assert why in done.stderr
    assert (device.calls("rauc"), device.calls("dd"), device.good.exists()) == ([], [], False)


def test_a_camera_that_is_missing_is_no_reason_to_give_a_version_up(device: Device) -> None:
    device.says(health='s "degraded"')
    assert device.run("keep").returncode == 0
    assert device.good.exists()


def test_other_systems_name_of_sshd_counts(device: Device) -> None:
    device.says(ssh="inactive", sshd="active")
    assert device.run("keep").returncode == 0


def test_a_daemon_that_does_not_answer_is_not_well(device: Device) -> None:
    (device.said / "busctl-fails").touch()
    done = device.run("keep")
    assert (done.returncode, "the room does not answer" in done.stderr) == (1, True)


@pytest.mark.parametrize("program", ["dd", "rauc"])
def test_a_slot_that_cannot_be_read_or_marked_is_not_noted(device: Device, program: str) -> None:
    (device.said / f"{program}-fails").touch()
    assert device.run("keep").returncode != 0
    assert not device.good.exists()


def test_the_versions_of_both_slots_stay_known_and_no_long_list_grows(device: Device) -> None:
    device.good.write_text("1\n2\n3\n4\n")
    device.run("keep")
    assert device.good.read_text().splitlines() == ["2", "3", "4", VERSION]
    device.run("keep")
    assert device.good.read_text().splitlines() == ["2", "3", "4", VERSION]


@pytest.mark.parametrize(
    ("installed", "told"),
    [(None, "good\n"), (VERSION, "good\n"), ("1.3.0+def", "good after 1.3.0+def\n")],
)
def test_the_daemon_is_told_which_update_was_given_up(
    device: Device, installed: str | None, told: str
) -> None:
    note = device.good.with_name("installed-version")
    if installed:
        note.write_text(f"{installed}\n")
    assert device.run("keep").returncode == 0
    state = device.root / "run/conclave-trial/state"
    assert (state.read_text(), state.stat().st_mode & 0o777) == (told, 0o644)
    assert not note.exists()


def test_a_new_version_that_is_not_well_is_given_up(device: Device) -> None:
    device.good.write_text("1.1.0\n")
    assert device.run("end").returncode == 0
    assert device.calls("rauc") == ["rauc status mark-bad booted"]
    [restart] = device.calls("systemctl")
    assert restart.endswith("start reboot.target")


def test_it_is_given_up_although_rauc_does_not_answer(device: Device) -> None:
    device.good.write_text("1.1.0\n")
    (device.said / "rauc-fails").touch()
    assert device.run("end").returncode == 0
    assert device.calls("systemctl") != []


@pytest.mark.parametrize("good", [None, "", f"{VERSION}\n", f"{VERSION}\n1.3.0\n"])
def test_neither_a_new_device_nor_a_version_that_was_good_before_is_restarted(
    device: Device, good: str | None
) -> None:
    if good is not None:
        device.good.write_text(good)
    done = device.run("end")
    assert (done.returncode, "not on trial" in done.stdout) == (0, True)
    assert (device.calls("rauc"), device.calls("systemctl")) == ([], [])
