"""A disk that takes nothing: the device says so and goes on, and all is well once there is space."""

import pytest

from tests.image.admin import Admin, AdminError
from tests.image.eventually import eventually
from tests.image.machine import Machine
from tests.image.told import RESTARTS, problems

FULL = "the device's disk is full"
FILL = {
    "root": "cat /dev/zero >/var/filler 2>&1 || true",
    # What is kept back for root does not help the daemon, and a daemon that fills the disk is not root.
    "the daemon's user": (
        "for time in 1 2 3; do setpriv --reuid conclave --regid conclave --clear-groups "
        "sh -c 'cat /dev/zero >>/var/lib/conclave/filler-0' 2>&1 || sync; done; n=0; "
        # What is left are blocks too few for a large write.
        "while n=$((n + 1)) && echo x >/var/lib/conclave/filler-$n && [ $n -lt 256 ]; do :; done 2>&1"
    ),
}
EMPTY = "rm -f /var/filler /var/lib/conclave/filler-*"


async def is_well(admin: Admin) -> bool:
    return FULL not in await problems(admin)


@pytest.mark.parametrize("who", FILL)
async def test_a_full_disk_is_told_and_refuses_changes_until_there_is_space(
    device: Machine, who: str
) -> None:
    admin = device.admin
    await admin.ctl(
        "config", "set", "acme.directory_url", "https://192.0.2.10/dir", "acme.agree_terms", "true"
    )
    await device.root.run(FILL[who], timeout_s=180)
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
    await device.root.run(FILL["root"], timeout_s=180)
    await device.root.run("systemctl restart conclaved", timeout_s=180)
    assert FULL in await problems(device.admin)
