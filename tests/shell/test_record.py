"""What an admin changes over SSH is on record with the key that came, and from where."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from conclaved.bus import serve
from conclaved.bus.record import Record
from tests.bus.bus import PrivateBus
from tests.bus.fake_room import FakeRoom
from tests.shell.sshd import USER, Sshd, make_key, run_program


@pytest_asyncio.fixture(loop_scope="function")
async def records(bus: PrivateBus) -> AsyncIterator[list[Record]]:
    """Those of a room of the test's own on the bus."""
    found: list[Record] = []
    async with serve(FakeRoom(), address=bus.address, record=found.append):
        yield found


async def fingerprint_of(key: Path) -> str:
    _, out, _ = await run_program("ssh-keygen", "-lf", f"{key}.pub")
    return out.split()[1]


async def test_a_key_is_on_record(bus: PrivateBus, records: list[Record], tmp_path: Path) -> None:
    async with Sshd(tmp_path, bus.address) as sshd:
        assert (await sshd.ssh("trust remove office"))[0] == 0
        fingerprint = await fingerprint_of(sshd.admin)
    assert [(r.verb, r.origin) for r in records] == [
        ("Trust.RemoveAnchor", f"ssh {USER} from 127.0.0.1 key {fingerprint}")
    ]


async def test_a_certificate_is_on_record(bus: PrivateBus, records: list[Record], tmp_path: Path) -> None:
    async with Sshd(tmp_path, bus.address) as sshd:
        key = await make_key(tmp_path / "ana")
        await sshd.certify(key, identity="ana@example.com")
        assert (await sshd.ssh("trust remove office", key=key))[0] == 0
        authority = await fingerprint_of(sshd.authority)
    (record,) = records
    assert record.origin.startswith(
        f'ssh {USER} from 127.0.0.1 certificate "ana@example.com" serial 7 of CA {authority} key SHA256:'
    )


async def test_every_command_of_a_session_is_on_record(
    bus: PrivateBus, records: list[Record], tmp_path: Path
) -> None:
    async with Sshd(tmp_path, bus.address) as sshd:
        await sshd.ssh(stdin=b"trust remove office\nmeeting leave\n")
    assert [record.verb for record in records] == ["Trust.RemoveAnchor", "Meeting.Leave"]
    assert all(record.origin.startswith(f"ssh {USER} from 127.0.0.1 key ") for record in records)
