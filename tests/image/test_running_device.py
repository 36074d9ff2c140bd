"""A device that was switched on for the first time: what runs on it, as whom, and what it cannot do."""

import json
import re

import pytest

from tests.image.conftest import Figures
from tests.image.machine import Machine
from tests.image.told import NOBODY_THERE, not_ready

pytestmark = pytest.mark.asyncio(loop_scope="module")

AS_ROOT = {
    "conclave-factory-reset.service": "removes what belongs to other accounts: logs, networks, host keys",
    "conclave-firstboot.service": "makes sshd's host keys and the wrapping key, which only root may read",
    "conclave-wrapping-key.service": "opens a credential with the host's or the TPM's key",
    "conclave-update.service": "RAUC writes the other slot's partitions",
    "conclave-mark-good.service": "reads the slot's blocks, and RAUC obeys only root",
    "conclave-fallback.service": "RAUC and systemd obey only root",
}
"""Units of ours without an account of their own, and why; none of them runs for longer than its task."""
OF_THE_TESTS = {"conclave-test-console.service", "conclave-test-shell.service"}
"""What only the image of the tests has."""
NO_CAPABILITY = "0000000000000000"

SERVICES = """
for unit in $(systemctl list-unit-files --no-legend 'conclave*.service' | cut -d' ' -f1); do
    for name in User DynamicUser Type MainPID; do
        printf '%s=%s ' $name "$(systemctl show -P $name "$unit")"
    done
    echo "Id=$unit"
done
"""
PROCESSES = """
wanted='^(Uid|CapInh|CapPrm|CapEff|CapBnd|CapAmb|NoNewPrivs|Seccomp):'
for unit in $(systemctl list-units --no-legend --plain 'conclave*.service' | cut -d' ' -f1); do
    group=$(systemctl show -P ControlGroup "$unit")
    [ -n "$group" ] || continue
    while read -r pid; do
        told=$(grep -E "$wanted" /proc/$pid/status | tr -d '\\t ' | tr '\\n' ' ')
        core=$(sed -n 's/^Max core file size *//p' /proc/$pid/limits | tr -s ' ' ,)
        echo "$unit $pid $told core=$core"
    done </sys/fs/cgroup$group/cgroup.procs
done
"""


async def services(device: Machine) -> dict[str, dict[str, str]]:
    """Each service of ours, by its name, with what systemd says of it."""
    found = {}
    for line in (await device.root.run(SERVICES)).splitlines():
        told = dict(word.split("=", 1) for word in line.split())
        found[told["Id"]] = told
    return found


async def processes(device: Machine) -> list[tuple[str, dict[str, str]]]:
    """Unit, and what the kernel says, of each process of ours."""
    found = []
    for line in (await device.root.run(PROCESSES)).splitlines():
        unit, _, *words = line.split()
        if unit not in OF_THE_TESTS:
            found.append((unit, dict(re.split("[:=]", word, maxsplit=1) for word in words)))
    return found


async def test_the_room_is_ready(shared_device: Machine) -> None:
    told = await shared_device.root.run(
        "systemctl show -p Type -p ActiveState -p SubState -p NRestarts conclaved"
    )
    # A unit of type notify is active only after its READY=1.
    assert dict(line.split("=", 1) for line in told.split()) == {
        "Type": "notify",
        "ActiveState": "active",
        "SubState": "running",
        "NRestarts": "0",
    }


async def test_an_admin_is_answered_and_told_that_no_camera_is_at_the_serial_port(
    shared_device: Machine,
) -> None:
    status = await shared_device.admin.ctl("status")
    assert status["device"]["health"] == "degraded"
    assert not_ready(status) == NOBODY_THERE


async def test_the_wrapping_key_is_open_to_the_daemon(shared_device: Machine) -> None:
    assert "cannot open" not in await shared_device.journal("conclave-wrapping-key")
    offered = await shared_device.root.run("ls /run/credentials/conclaved.service")
    assert offered.split() == ["wrapping-key"]


async def test_no_unit_has_failed(shared_device: Machine) -> None:
    failed = await shared_device.root.run(
        "systemctl list-units --failed --no-legend --plain; systemctl is-system-running"
    )
    assert failed.split("\n") == ["running", ""]


async def test_boot_time_and_memory_are_told(shared_device: Machine, figures: Figures) -> None:
    root = shared_device.root
    figures["boot"] = (await root.run("systemd-analyze time")).splitlines()[0]
    memory = dict(line.split(":", 1) for line in (await root.run("cat /proc/meminfo")).splitlines())
    total, available = (int(memory[name].split()[0]) // 1024 for name in ("MemTotal", "MemAvailable"))
    figures["memory of the whole device"] = f"{total - available} of {total} MB used"
    used = await root.run("cat /proc/$(systemctl show -P MainPID conclaved)/status")
    resident = re.search(r"^VmRSS:\s+(\d+) kB", used, re.MULTILINE)
    assert resident is not None
    figures["memory of conclaved"] = f"{int(resident[1]) // 1024} MB resident, without a meeting"
    figures["slowest units"] = "; ".join(
        " ".join(line.split())
        for line in (await root.run("systemd-analyze blame --no-pager")).splitlines()[:6]
    )


async def test_only_the_units_in_the_table_run_as_root(shared_device: Machine) -> None:
    found = await services(shared_device)
    as_root = {
        name
        for name, told in found.items()
        if told["User"] in ("", "root", "0") and told["DynamicUser"] == "no"
    }
    assert as_root == AS_ROOT.keys() | OF_THE_TESTS


async def test_a_unit_that_runs_as_root_ends_when_its_task_is_done(shared_device: Machine) -> None:
    found = await services(shared_device)
    assert {name: (found[name]["Type"], found[name]["MainPID"]) for name in AS_ROOT} == dict.fromkeys(
        AS_ROOT, ("oneshot", "0")
    )


async def test_no_process_of_ours_is_roots(shared_device: Machine) -> None:
    found = await processes(shared_device)
    assert [unit for unit, _ in found if unit == "conclaved.service"]
    # Real, effective, saved and file system's account, one after the other.
    assert [unit for unit, told in found if told["Uid"].startswith("0")] == []


async def test_no_process_of_ours_has_a_capability_or_can_get_one(shared_device: Machine) -> None:
    for unit, told in await processes(shared_device):
        sets = [told[f"Cap{name}"] for name in ("Inh", "Prm", "Eff", "Bnd", "Amb")]
        assert (unit, sets, told["NoNewPrivs"]) == (unit, [NO_CAPABILITY] * 5, "1")


async def test_the_kernel_filters_the_system_calls_of_each_process_of_ours(shared_device: Machine) -> None:
    assert [unit for unit, told in await processes(shared_device) if told["Seccomp"] != "2"] == []


async def test_no_process_of_ours_may_leave_a_core(shared_device: Machine) -> None:
    assert [unit for unit, told in await processes(shared_device) if not told["core"].startswith("0,0")] == []


async def test_a_crash_leaves_no_core(shared_device: Machine) -> None:
    done = await shared_device.root.try_run(
        "cd /tmp; ulimit -c unlimited; sh -c 'kill -SEGV $$'; echo $?; find /tmp /var -name 'core*' -type f"
    )
    # 139: 128 and the signal's number; nothing is listed after it.
    assert done.out.split() == ["139"]


async def test_nothing_is_swapped_out(shared_device: Machine) -> None:
    assert len((await shared_device.root.run("cat /proc/swaps")).splitlines()) == 1


@pytest.mark.parametrize("path", ["/", "/etc", "/usr", "/usr/lib/systemd/system", "/etc/conclave", "/boot"])
async def test_nothing_of_the_verified_root_can_be_written(shared_device: Machine, path: str) -> None:
    done = await shared_device.root.try_run(f"touch {path}/new")
    assert done.code != 0
    assert "Read-only file system" in done.err


async def test_root_cannot_make_the_root_writable(shared_device: Machine) -> None:
    done = await shared_device.root.try_run("mount -o remount,rw /")
    assert done.code != 0


async def test_all_of_etc_is_the_verified_roots_but_the_machines_id(shared_device: Machine) -> None:
    mounted = json.loads(await shared_device.root.run("findmnt --json --list -o TARGET,OPTIONS"))[
        "filesystems"
    ]
    below = {
        one["target"]: one["options"].split(",")[0] for one in mounted if one["target"].startswith("/etc")
    }
    assert below == {"/etc/machine-id": "ro"}


@pytest.mark.parametrize("path", ["/var", "/tmp", "/run", "/dev/shm"])
async def test_what_can_be_written_holds_no_devices_and_lends_no_rights(
    shared_device: Machine, path: str
) -> None:
    options = (await shared_device.root.run(f"findmnt -n -o OPTIONS --target {path}")).strip().split(",")
    assert {"nosuid", "nodev"} <= set(options)


async def test_nothing_on_the_data_partition_can_be_run(shared_device: Machine) -> None:
    done = await shared_device.root.try_run(
        "cp /usr/bin/true /var/tmp/program && /var/tmp/program; echo $?; rm /var/tmp/program"
    )
    assert done.out.split() == ["126"]


async def test_no_account_has_a_password(shared_device: Machine) -> None:
    found = await shared_device.root.run("cut -d: -f1,2 /etc/shadow")
    assert [line for line in found.splitlines() if not re.fullmatch(r"[^:]+:(\*|!\*?|!!)", line)] == []


async def test_only_the_admins_account_has_a_shell_that_is_one(shared_device: Machine) -> None:
    found = [line.split(":") for line in (await shared_device.root.run("cat /etc/passwd")).splitlines()]
    shells = {line[0]: line[6] for line in found if not line[6].endswith(("nologin", "/false", "/sync"))}
    assert shells.pop("root", "/bin/bash") in ("/bin/bash", "/bin/sh")
    assert shells == {"admin": "/usr/bin/conclave-shell"}
