"""A provisioning file handed over by SSH: a real room judges it, and the admin reads why it is refused."""

import json
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from conclaved.bus import serve
from conclaved.service.provisioning_config import ProvisioningConfig
from tests.bus.bus import PrivateBus
from tests.service.provisioning.files import DAY_S, SIGNER, altered, file
from tests.service.rooms import TestRoom, running_room
from tests.shell.sshd import Sshd


@pytest_asyncio.fixture(loop_scope="function")
async def device(bus: PrivateBus, tmp_path: Path) -> AsyncIterator[TestRoom]:
    config = ProvisioningConfig(signers=(SIGNER.fingerprint,))
    async with running_room(tmp_path, provisioning=config) as here, serve(here.room, address=bus.address):
        yield here


@pytest_asyncio.fixture(loop_scope="function")
async def sshd(bus: PrivateBus, device: TestRoom, tmp_path: Path) -> AsyncIterator[Sshd]:
    (tmp_path / "sshd").mkdir()
    async with Sshd(tmp_path / "sshd", bus.address) as server:
        yield server


def file_for(device: TestRoom) -> str:
    now = int(time.time())
    serial = device.room.device().serial
    return file(serial=now, devices=(serial,), not_before=now - DAY_S, not_after=now + DAY_S)


async def test_a_file_is_applied_once_and_then_refused(sshd: Sshd, device: TestRoom) -> None:
    token = file_for(device).encode()
    code, out, err = await sshd.ssh("provision apply - --json", stdin=token)
    assert (code, err) == (0, "")
    assert json.loads(out)["changed"] is True
    assert device.room.policy().minimum_level == "locked"
    code, _, err = await sshd.ssh("provision apply -", stdin=token)
    assert code == 5
    assert "was applied before; sign a new one" in err


async def test_a_changed_file_is_refused(sshd: Sshd, device: TestRoom) -> None:
    code, _, err = await sshd.ssh("provision apply -", stdin=altered(file_for(device), 1).encode())
    assert code == 5
    assert "or it was changed" in err
    assert device.room.policy().minimum_level == "standard"
