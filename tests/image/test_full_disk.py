"""A disk that takes nothing: the device says so and goes on, and all is well once there is space."""

import pytest

from tests.image.admin import Admin, AdminError
from tests.image.eventually import eventually
from tests.image.machine import Machine
from tests.image.told import RESTARTS, problems

FULL = "the device's disk is full"
FILL = "cat /dev/zero >/var/filler 2>&1 || true"
"""As root, who may take what is kept back for root as well."""
EMPTY = "rm -f /var/filler"


async def is_well(admin: Admin) -> bool:
    return FULL not in await problems(admin)


async def test_a_full_disk_is_told_and_refuses_changes_until_there_is_space(
    device: Machine,
) -> None:
    admin = device.admin
    await admin.ctl(
        "config", "set", "acme.directory_url", "https://192.0.2.10/dir", "acme.agree_terms", "true"
    )
    await device.root.run(FILL, timeout_s=180)
    assert FULL in await problems(admin)
    with pytest.raises(AdminError, match="No space left on device"):
        await admin.ctl("config", "set", "panel.language", "ja")
    with pytest.raises(AdminError, match="nothing was asked of the CA"):
        await admin.ctl("identity", "enroll", "room.example.com")
    assert (await admin.ctl("identity", "show"))["identity"]["state"] == "none"
    await device.root.run(EMPTY)
    await eventually(lambda: is_well(admin), "the disk to have space")
    await admin.ctl("config", "set", "panel.language", "ja")
    assert await device.root.run(RESTARTS) == "0\n"


async def test_a_daemon_that_starts_on_a_full_disk_answers(device: Machine) -> None:
    await device.root.run(FILL, timeout_s=180)
    await device.root.run("systemctl restart conclaved", timeout_s=180)
    assert FULL in await problems(device.admin)
