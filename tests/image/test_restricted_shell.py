"""The admin's shell on the device itself: what its tests try on a fake room, tried on a real one."""

import asyncio
from collections.abc import Iterable
from pathlib import Path

import asyncssh
import pytest

from tests.image.console import Done
from tests.image.machine import Machine
from tests.shell.sshd import run_program
from tests.shell.test_nothing_else import HOSTILE
from tests.shell.test_one_command import FILES, NO_COMMANDS

pytestmark = pytest.mark.asyncio(loop_scope="module")

AT_ONCE = 2
"""Sessions of one connection; sshd's settings let it have four, and it ends one after its client does."""
THERE, NEW = "/etc/conclave/conclave.toml", "/tmp/new"
"""A file of the device that exists, and one that does not."""
ADVICE = "which nobody can over SSH; give - in its place: ssh DEVICE"


async def answers(machine: Machine, commands: Iterable[str]) -> list[tuple[str, Done]]:
    """What each command line is answered."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def run(command: str) -> tuple[str, Done]:
        async with gate:
            return command, await machine.admin.run(command)

    # One first: all go over the one connection that it makes.
    first, *others = commands
    done = [await run(first)]
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(run(command)) for command in others]
    return [*done, *(task.result() for task in tasks)]


async def test_what_is_no_command_is_refused(shared_device: Machine) -> None:
    done = await answers(shared_device, NO_COMMANDS)
    assert [(command, answer) for command, answer in done if answer.code != 2 or answer.out] == []
    assert [answer.err for _, answer in done if not answer.err.startswith("conclavectl: ")] == []
    assert "uid=" not in "".join(answer.err for _, answer in done)


async def test_no_file_of_the_device_is_read_or_written(shared_device: Machine) -> None:
    done = await answers(shared_device, [command.format(file=THERE, new=NEW) for command in FILES])
    assert [(command, answer) for command, answer in done if answer.code != 2 or answer.out] == []
    assert [answer.err for _, answer in done if ADVICE not in answer.err] == []
    assert await shared_device.root.run(f"find {NEW}* 2>/dev/null || true") == ""


async def test_another_bus_cannot_be_chosen(shared_device: Machine) -> None:
    done = await shared_device.admin.run("status --bus unix:path=/tmp/evil")
    assert done.code == 2
    assert "--bus is not for the admin's shell" in done.err


async def test_no_variable_of_the_client_changes_anything(shared_device: Machine) -> None:
    connection = await shared_device.admin.connection()
    done = await connection.run("policy show --json", env=HOSTILE)
    assert (done.exit_status, done.stderr) == (0, "")


async def test_no_connection_is_made_for_the_client(shared_device: Machine) -> None:
    connection = await shared_device.admin.connection()
    with pytest.raises(asyncssh.ChannelOpenError):
        await connection.open_connection("127.0.0.1", 22)


async def test_no_connection_to_the_bus_is_made_for_the_client(shared_device: Machine) -> None:
    connection = await shared_device.admin.connection()
    with pytest.raises(asyncssh.ChannelOpenError):
        await connection.open_unix_connection("/run/dbus/system_bus_socket")


async def test_no_port_is_opened_for_the_client(shared_device: Machine) -> None:
    connection = await shared_device.admin.connection()
    with pytest.raises(asyncssh.ChannelListenError):
        await connection.forward_remote_port("127.0.0.1", 0, "127.0.0.1", 22)


@pytest.mark.parametrize("options", [[], ["-O"]], ids=["sftp", "scp"])
async def test_scp_copies_nothing(shared_device: Machine, tmp_path: Path, options: list[str]) -> None:
    mine = tmp_path / "mine"
    mine.write_text("x")
    machine = shared_device
    code, _, _ = await run_program(
        "scp",
        *machine.admin.arguments(),
        *options,
        "-P",
        str(machine.ssh_port),
        str(mine),
        f"admin@127.0.0.1:{NEW}",
    )
    assert code != 0
    assert (await machine.root.try_run(f"test -e {NEW}")).code != 0


async def test_the_shell_leaves_no_process_behind(shared_device: Machine) -> None:
    await shared_device.admin.run("policy show")
    await shared_device.admin.close()
    left = "for f in /proc/[0-9]*; do [ $(stat -c %U $f 2>/dev/null || true) != admin ] || echo $f; done"
    waited = f'until [ -z "$({left})" ]; do sleep 0.2; done'
    assert (await shared_device.root.try_run(waited, timeout_s=60)).code == 0
