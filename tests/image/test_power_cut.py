"""The power goes away, whenever: the device starts again, with old state or new, and takes up its work.

QEMU is killed, on a disk that is written through: what the device was told is on the disk is there, and what
it was about to write may be half there. How often: CONCLAVE_POWER_CUTS, shared among three kinds of moment;
CONCLAVE_SEED draws the moments.
"""

import asyncio
import os
import random
import re
import secrets
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest_asyncio
from cryptography import x509
from cryptography.x509.verification import PolicyBuilder, Store

from tests.image.conftest import Figures, Make
from tests.image.machine import Machine, Snapshot
from tests.image.namespace import HUB
from tests.image.told import NOBODY_THERE, not_ready
from tests.pebble import Pebble

CUTS = int(os.environ.get("CONCLAVE_POWER_CUTS", "5"))
SEED = int(os.environ.get("CONCLAVE_SEED") or secrets.randbelow(2**31))
AT_FIRST_BOOT = max(1, CUTS // 5)
AT_WRITES = max(1, (CUTS - AT_FIRST_BOOT) // 2)
AT_ENROLLMENT = max(1, CUTS - AT_FIRST_BOOT - AT_WRITES)
DOMAIN, LOOPBACK = "room.example.com", "127.0.0.9"
"""The device's name, and where the CA finds it."""
ENROLLS_S = 15.0
"""As long as an enrollment takes where little else runs, from the command to the certificate on the disk."""
ENROLLED_WITHIN_S = 300.0
UP_WITHIN_S = 300.0
FIRST_BOOT_S = (6.0, 30.0)
"""From the first program, which makes the data partition, to the daemon's first start."""
WRITES_S = 4.0
KEY = "join_countdown_s"
LOWEST, HIGHEST = 5, 300
"""What the setting may be."""
# Changes a setting as fast as the daemon takes it, and says on the serial line what it was answered.
WRITER = f"""
n={LOWEST}
while :; do
    busctl --timeout=60 call org.conclave.Room1 /org/conclave/Room1 org.conclave.Room1.Config \\
        Set 'a{{ss}}a{{sv}}' 1 {KEY} $n 0 >/dev/null && echo "<kept $n>" >/dev/ttyAMA0
    n=$((n < {HIGHEST} ? n + 1 : {LOWEST}))
done
"""


@pytest_asyncio.fixture(loop_scope="function")
async def ca(tmp_path: Path) -> AsyncIterator[Pebble]:
    async with Pebble(tmp_path / "ca", address=HUB) as server:
        await server.add_a(DOMAIN, LOOPBACK)
        yield server


async def test_a_first_boot_that_was_cut_off_is_done_again(make_machine: Make, figures: Figures) -> None:
    drawn = _drawn(figures, "first boot")
    for _ in range(AT_FIRST_BOOT):
        machine = make_machine()
        await machine.start()
        await asyncio.sleep(drawn.uniform(*FIRST_BOOT_S))
        await _cut_and_start(machine)
        await _is_whole(machine)
        await machine.stop()


async def test_settings_are_the_old_or_the_new(
    make_machine: Make, snapshot: Snapshot, figures: Figures
) -> None:
    drawn = _drawn(figures, "writes")
    machine = make_machine(snapshot=snapshot)
    await machine.start()
    for _ in range(AT_WRITES):
        said = len(machine.console_text())
        writing = asyncio.create_task(machine.root.try_run(WRITER, timeout_s=600))
        await _until_first_kept(machine, said)
        await asyncio.sleep(drawn.uniform(0, WRITES_S))
        await machine.kill()
        await asyncio.wait({writing})
        _ = writing.exception()
        kept = int(re.findall(r"<kept (\d+)>", machine.console_text()[said:])[-1])
        await _start(machine)
        await _is_whole(machine)
        found = (await machine.admin.ctl("config", "get", KEY))["settings"]
        next_one = kept + 1 if kept < HIGHEST else LOWEST
        assert [float(one["value"]) for one in found] in ([kept], [next_one])


async def test_an_enrollment_that_was_cut_off_is_taken_up_by_itself(
    make_machine: Make, snapshot: Snapshot, ca: Pebble, figures: Figures
) -> None:
    drawn = _drawn(figures, "enrollment")
    machine = make_machine(snapshot=snapshot)
    await machine.start()
    await _reach(machine, ca)
    await machine.admin.ctl(
        "config", "set", "acme.directory_url", ca.directory_url, "acme.agree_terms", "true"
    )
    await machine.admin.ctl("config", "set", "acme.ca_pem", "-", stdin=ca.ca_file.read_text())
    for _ in range(AT_ENROLLMENT):
        # For a new key: all that an enrollment writes is written again.
        await machine.admin.ctl("identity", "enroll", DOMAIN, "--new-key", "--no-wait")
        await asyncio.sleep(drawn.uniform(0, ENROLLS_S))
        await _cut_and_start(machine)
        await _reach(machine, ca)
        await _is_whole(machine)
        identity = await _enrolled(machine)
        _vouched_for(identity, ca)


async def _cut_and_start(machine: Machine) -> None:
    await machine.kill()
    await _start(machine)


async def _start(machine: Machine) -> None:
    await machine.start()
    await machine.until_ready(UP_WITHIN_S)


async def _is_whole(machine: Machine) -> None:
    """The daemon answers, no unit has failed, and what a device makes for itself is there."""
    status = await machine.admin.until_answers(UP_WITHIN_S)
    assert not_ready(status) == NOBODY_THERE, status["hardware"]
    failed = await machine.root.run("systemctl list-units --failed --no-legend --plain")
    assert failed == ""
    made = (
        "wc -c </etc/machine-id; cat /var/lib/conclave-device/ssh/*.pub | wc -l; ls /run/credstore.encrypted"
    )
    assert (await machine.root.run(made)).split() == ["33", "2", "wrapping-key"]


async def _until_first_kept(machine: Machine, said: int) -> None:
    async with asyncio.timeout(120):
        while True:
            if "<kept" in machine.console_text()[said:]:
                return
            await asyncio.sleep(0.05)


async def _reach(machine: Machine, ca: Pebble) -> None:
    """Let the CA's look at port 80 arrive at the device: this is the network's part, not the device's."""
    await machine.monitor(f"hostfwd_add net0 tcp:{LOOPBACK}:{ca.http_port}-:80")


async def _enrolled(machine: Machine) -> Any:
    async with asyncio.timeout(ENROLLED_WITHIN_S):
        while True:
            identity = (await machine.admin.ctl("identity", "show"))["identity"]
            if identity["state"] == "enrolled":
                return identity
            await asyncio.sleep(1)


def _vouched_for(identity: Any, ca: Pebble) -> None:
    """The chain leads from the device's name to the CA's root."""
    leaf, *others = x509.load_pem_x509_certificates("".join(identity["certificates"]).encode())
    roots = x509.load_pem_x509_certificates(ca.root_pem.encode())
    PolicyBuilder().store(Store(roots)).build_server_verifier(x509.DNSName(DOMAIN)).verify(leaf, others)


def _drawn(figures: Figures, what: str) -> random.Random:
    figures["power cuts"] = f"{CUTS}, at moments drawn with --seed {SEED}"
    print(f"moments drawn with --seed {SEED}")
    return random.Random(f"{SEED} {what}")
