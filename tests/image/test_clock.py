"""A clock that is wrong: the device says so, verifies nobody, and recovers without a restart."""

import time
from collections.abc import AsyncIterator

import pytest

from conclaved.service.build import BUILT_AT
from tests.image.admin import Admin, AdminError
from tests.image.carried_in import certify, trust
from tests.image.conftest import Make
from tests.image.eventually import eventually
from tests.image.machine import Machine
from tests.image.ntp import NtpServer
from tests.image.told import RESTARTS, problems
from tests.pki import TestAuthority

DOMAIN = "room.example.com"
IN_2020 = "2020-01-01T00:00:00"


@pytest.fixture
async def silent(time_server: NtpServer) -> AsyncIterator[NtpServer]:
    time_server.is_silent = True
    yield time_server
    time_server.is_silent, time_server.offset_s = False, 0.0


async def is_believed(admin: Admin) -> bool:
    clock = (await admin.ctl("time"))["clock"]
    return bool(clock["is_believed"])


async def test_a_device_that_wakes_in_2020_verifies_nobody_until_it_is_told_the_time(
    make_machine: Make, silent: NtpServer
) -> None:
    machine = make_machine(options=("-rtc", f"base={IN_2020}"))
    await machine.start()
    await machine.until_ready()
    admin, authority = machine.admin, TestAuthority("Tests")
    assert not await is_believed(admin)
    assert "nobody is shown as verified" in await problems(admin)
    await trust(admin, authority)
    await certify(admin, DOMAIN, authority)
    with pytest.raises(AdminError, match="synchronised"):
        await admin.ctl("meeting", "create", "--title", "Weekly", "--conference", "wss://192.0.2.10")
    assert silent.asked > 0
    silent.is_silent = False
    await eventually(lambda: is_believed(admin), "the clock to be believed")
    assert "verified" not in await problems(admin)
    clock = (await admin.ctl("time"))["clock"]
    assert abs(clock["time"] - time.time()) < 60
    assert await machine.root.run(RESTARTS) == "0\n"


async def test_a_clock_far_in_the_future_is_not_believed_and_leaves_nothing_behind(
    device: Machine, silent: NtpServer
) -> None:
    admin = device.admin
    assert await is_believed(admin)
    floor = (await admin.ctl("time"))["clock"]["floor"]
    ahead = int(time.time()) + 20 * 366 * 86_400
    await device.root.run(f"date -u -s @{ahead}")
    assert not await is_believed(admin)
    assert "ten years after this firmware" in await problems(admin)
    silent.is_silent = False
    await device.root.run("systemctl restart systemd-timesyncd")
    await eventually(lambda: is_believed(admin), "the clock to be believed")
    clock = (await admin.ctl("time"))["clock"]
    assert BUILT_AT <= floor <= clock["floor"] <= time.time() + 60
    assert await device.root.run(RESTARTS) == "0\n"
