"""Our units: systemd takes them without a word, and each is shut in as tightly as its work lets it be."""

import configparser
import json
import subprocess
from pathlib import Path

import pytest

from tests.systemd.device_root import SOURCE, run

OURS = sorted((SOURCE / "system").iterdir())
SERVICES = [path for path in OURS if path.suffix == ".service"]

EXPOSURE = {
    "conclaved.service": 1.5,  # the network, the bus and the hardware are its work
    "conclave-http01.service": 1.4,  # a port below 1024 on the network
    "conclave-tls-alpn01.service": 1.4,  # the same
    "conclave-reboot.service": 0.5,
    "conclave-firstboot.service": 1.3,  # root: makes sshd's keys and seals with the TPM
    "conclave-wrapping-key.service": 1.1,  # root: opens with systemd's secret and the TPM
    "conclave-factory-reset.service": 1.2,  # root: removes what belongs to many accounts
    "conclave-update.service": 1.4,  # root: RAUC obeys only root; takes the bundle away from the daemon
    "conclave-mark-good.service": 1.1,  # root: reads the slot's blocks
    "conclave-fallback.service": 0.9,  # root: RAUC obeys only root
}
"""At most: `systemd-analyze security`, from 0 (shut) to 10 (open)."""

RUN_AS_ROOT = {
    "conclave-firstboot.service",
    "conclave-wrapping-key.service",
    "conclave-factory-reset.service",
    "conclave-update.service",
    "conclave-mark-good.service",
    "conclave-fallback.service",
}
"""Each unit says in a comment why."""


class Unit(configparser.RawConfigParser):
    """A unit whose repeated keys are of no interest."""

    def __init__(self, path: Path) -> None:
        super().__init__(strict=False, interpolation=None, delimiters=("=",), comment_prefixes=("#",))
        self.optionxform = str  # type: ignore[assignment,method-assign]
        self.read(path)


def name(path: Path) -> str:
    return path.name


@pytest.mark.parametrize("unit", OURS, ids=name)
def test_systemd_takes_it_without_a_word(unit: Path, device: Path) -> None:
    words = (f"--root={device}", "--recursive-errors=one", "--man=no")
    said = run("systemd-analyze", "verify", *words, unit.name)
    assert said == ""


def exposure(unit: Path) -> float:
    """How open it is, 0 to 10."""
    said = run("systemd-analyze", "security", "--offline=true", "--no-pager", unit)
    return float(said.rsplit(": ", 1)[1].split()[0])


@pytest.mark.parametrize("unit", SERVICES, ids=name)
def test_it_is_shut_in(unit: Path) -> None:
    assert exposure(unit) <= EXPOSURE[unit.name]


def test_no_other_unit_runs_as_root() -> None:
    as_root = {
        path.name
        for path in SERVICES
        if not {"User", "DynamicUser"} & set(Unit(path)["Service"])
        or Unit(path)["Service"].get("User", "") in ("root", "0")
    }
    assert as_root == RUN_AS_ROOT


@pytest.mark.parametrize("unit", sorted(RUN_AS_ROOT))
def test_who_runs_as_root_says_why(unit: str) -> None:
    assert "# As root, because" in (SOURCE / "system" / unit).read_text()


def test_raucs_own_unit_gets_walls() -> None:
    """It may mount, and nothing else that root may; no network, no other capability."""
    service = Unit(SOURCE / "conf/rauc.conf")["Service"]
    assert service["CapabilityBoundingSet"] == "CAP_SYS_ADMIN"
    assert (service["PrivateNetwork"], service["NoNewPrivileges"]) == ("yes", "yes")
    assert (service["RestrictAddressFamilies"], service["ProtectSystem"]) == ("AF_UNIX", "strict")


def test_the_daemon_has_no_capability() -> None:
    service = Unit(SOURCE / "system/conclaved.service")["Service"]
    assert (service["CapabilityBoundingSet"], service["AmbientCapabilities"]) == ("", "")


@pytest.mark.parametrize("unit", SERVICES, ids=name)
def test_python_is_isolated_and_no_core_is_left(unit: Path) -> None:
    service = Unit(unit)["Service"]
    assert "python3" not in service["ExecStart"] or service["ExecStart"].startswith("/usr/bin/python3 -I -m ")
    assert service["LimitCORE"] == "0"


@pytest.mark.parametrize(
    "setting",
    [
        "Type=notify",
        "WatchdogSec=30",
        "Restart=always",
        "StartLimitIntervalSec=0",
        "RuntimeDirectoryMode=0711",
        "RuntimeDirectoryPreserve=yes",
        "LoadCredentialEncrypted=wrapping-key",
        "DevicePolicy=closed",
    ],
)
def test_the_daemon_keeps_what_others_rely_on(setting: str) -> None:
    assert setting in (SOURCE / "system/conclaved.service").read_text().splitlines()


def test_each_group_of_the_daemon_is_made(device: Path) -> None:
    groups = Unit(SOURCE / "system/conclaved.service")["Service"]["SupplementaryGroups"].split()
    made = (device / "usr/lib/sysusers.d/conclave.conf").read_text().splitlines()
    assert set(groups) <= {line.split()[1] for line in made if line.startswith("g ")}


def test_presets_start_the_room_and_nothing_unknown(device: Path, tmp_path: Path) -> None:
    """A package that comes along brings a unit; it is not started."""
    root = tmp_path / "root"
    subprocess.run(["cp", "-a", device, root], check=True)
    stranger = root / "usr/lib/systemd/system/stranger.service"
    stranger.write_text("[Service]\nExecStart=/usr/bin/sleep 9\n[Install]\nWantedBy=multi-user.target\n")
    run("systemctl", f"--root={root}", "preset-all")
    listed = json.loads(run("systemctl", f"--root={root}", "list-unit-files", "--output=json"))
    state = {each["unit_file"]: each["state"] for each in listed}
    assert state["stranger.service"] == "disabled"
    assert {unit for unit in state if unit.startswith("conclave") and state[unit] == "enabled"} == {
        "conclave.target",
        "conclaved.service",
        "conclave-firstboot.service",
        "conclave-wrapping-key.service",
        "conclave-mark-good.service",
        "conclave-fallback.timer",
        "conclave-http01.path",
        "conclave-tls-alpn01.path",
    }
