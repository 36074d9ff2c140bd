"""Whether a slot that has started is kept: read as a whole, marked good, or given up if new and not well."""

import asyncio
import contextlib
import re

from tests.image.conftest import Figures
from tests.image.console import RootError
from tests.image.machine import READY, Machine
from tests.image.test_verified_boot import alter

NEXT_START_S = 300.0
ASKED_FOR_S = 20.0
GOOD_VERSIONS = "/var/lib/conclave-device/good-versions"
VERSION = "sed -n 's/^IMAGE_VERSION=\"\\(.*\\)\"$/\\1/p' /usr/lib/os-release"
TRIAL = "systemctl show -P Result -P ActiveState conclave-mark-good.service"
TOOK = "systemctl show -P ExecMainStartTimestampMonotonic -P ExecMainExitTimestampMonotonic {}"


async def boot_loader_says(device: Machine) -> dict[str, str]:
    """The boot loader's three variables, as the device itself reads them."""
    said = await device.root.run("fw_printenv BOOT_ORDER BOOT_A_LEFT BOOT_B_LEFT")
    return dict(line.split("=", 1) for line in said.splitlines())


async def boot_id(device: Machine) -> str:
    """The kernel's name of this start."""
    return await device.root.run("cat /proc/sys/kernel/random/boot_id")


async def slot(device: Machine) -> str:
    """The slot that has started."""
    found = re.search(r"rauc\.slot=(\w)", await device.root.run("cat /proc/cmdline"))
    return found[1] if found else ""


async def started_again(device: Machine, before: str, timeout_s: float = NEXT_START_S) -> None:
    """Wait until another start than `before` has come to a room that is ready.

    There may be several on the way: what one of them was asked when it ended, it never answers.
    """
    async with asyncio.timeout(timeout_s):
        while True:
            with contextlib.suppress(RootError):
                await device.root.until_it_answers(timeout_s)
                is_ready = (await device.root.try_run(READY, timeout_s=ASKED_FOR_S)).code == 0
                if is_ready and await boot_id(device) != before:
                    return
            await asyncio.sleep(0.5)


async def test_a_slot_that_is_well_is_marked_good_and_noted(device: Machine, figures: Figures) -> None:
    assert sorted((await device.root.run(TRIAL)).split()) == ["active", "success"]
    # The start took one of three tries, and the mark gave it back.
    assert (await boot_loader_says(device))["BOOT_A_LEFT"] == "3"
    assert await device.root.run(f"cat {GOOD_VERSIONS}") == await device.root.run(VERSION)
    begun, ended = (await device.root.run(TOOK.format("conclave-mark-good.service"))).split()
    figures["a slot's trial"] = f"{(int(ended) - int(begun)) / 1e6:.0f} s"


async def test_rauc_knows_which_slot_has_started_and_that_both_can(device: Machine) -> None:
    said = await device.root.run("rauc status --output-format=shell")
    told = dict(re.findall(r"^(\w+)='?(.*?)'?$", said, re.M))
    assert (told["RAUC_SYSTEM_COMPATIBLE"], told["RAUC_SYSTEM_BOOTED_BOOTNAME"]) == (
        "conclave-qemu-aarch64",
        "A",
    )
    assert re.findall(r"RAUC_SLOT_BOOT_STATUS_\d+='?(\w+)", said) == ["good", "good"]


async def test_a_byte_that_no_start_has_read_ends_the_slot(device: Machine) -> None:
    boot = await boot_id(device)
    # It would be tried as often as it has tries left.
    await device.root.run("fw_setenv BOOT_A_LEFT 0")
    alter(device.disk, "root-a", 100_000_000)
    # The device restarts in the midst of it.
    await device.root.run("systemctl --no-block restart conclave-mark-good.service")
    await started_again(device, boot)
    assert await slot(device) == "B"
    await device.root.run("systemctl start conclave-mark-good.service", timeout_s=NEXT_START_S)
    assert (await boot_loader_says(device))["BOOT_B_LEFT"] == "3"


async def test_a_new_version_that_is_not_well_is_given_up_at_once(device: Machine) -> None:
    boot = await boot_id(device)
    await device.root.run(f"echo another >{GOOD_VERSIONS}")
    await device.root.run("systemctl start conclave-fallback.service")
    await started_again(device, boot)
    assert await slot(device) == "B"
    assert (await boot_loader_says(device))["BOOT_A_LEFT"] == "0"


async def test_a_version_that_was_good_before_is_left_alone_however_it_is_today(device: Machine) -> None:
    boot = await boot_id(device)
    await device.root.run("systemctl stop conclaved.service; systemctl start conclave-fallback.service")
    said = await device.journal("conclave-fallback.service")
    assert "is not on trial: nothing is done" in said
    assert await boot_id(device) == boot
    assert (await boot_loader_says(device))["BOOT_A_LEFT"] == "3"
