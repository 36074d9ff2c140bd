"""The interactive prompt, by a terminal over SSH."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from conclave_provisioning.shell.prompt import is_harmless
from conclaved.bus.room import Topic
from tests.bus.bus import PrivateBus
from tests.bus.fake_room import ENROLLED, LINK, FakeRoom
from tests.shell.sshd import Sshd
from tests.shell.terminal import NEXT_PROMPT, Terminal

UP = "\x1b[A"


@pytest_asyncio.fixture(loop_scope="function")
async def terminal(sshd: Sshd) -> AsyncIterator[Terminal]:
    async with Terminal(sshd) as session:
        yield session


async def test_several_commands_run_in_one_session(terminal: Terminal, room: FakeRoom) -> None:
    assert "office" in await terminal.say("trust list")
    assert "no longer trusted" in await terminal.say("conclavectl trust remove office")
    assert room.done == [("remove_anchor", "office")]


async def test_it_says_how_to_get_on(terminal: Terminal) -> None:
    assert "Tab completes, help explains, Ctrl-D leaves" in terminal.greeting


async def test_help_explains_a_command(terminal: Terminal) -> None:
    assert "Usage: conclavectl trust add" in await terminal.say("help trust add")


async def test_tab_completes_a_command(terminal: Terminal) -> None:
    terminal.type("tru\t")
    assert "trust " in await terminal.read("trust ")


async def test_tab_shows_what_may_follow_and_what_it_is_for(terminal: Terminal) -> None:
    terminal.type("trust \t\t")
    shown = await terminal.read(r"remove[^>]*> trust $")
    assert re.search(r"add +Trust a CA certificate", shown)


async def test_tab_completes_no_file(terminal: Terminal) -> None:
    terminal.type("meeting join /etc/pass\t\r")
    assert "/etc/passwd" not in await terminal.read(r"names a file[^>]*> $")


async def test_an_arrow_brings_the_last_command_back(terminal: Terminal) -> None:
    await terminal.say("policy show")
    assert "standard" in await terminal.say(UP)


async def test_no_arrow_brings_a_link_back(terminal: Terminal) -> None:
    await terminal.say("policy show")
    await terminal.say(f"meeting join {LINK}")
    terminal.type(UP)
    assert "#" not in await terminal.read("policy show")


async def test_ctrl_c_ends_the_command_and_not_the_session(terminal: Terminal) -> None:
    terminal.type(f"meeting join {LINK} --wait\r")
    await terminal.read("joining")
    terminal.type("\x03")
    await terminal.read(NEXT_PROMPT)
    assert "office" in await terminal.say("trust list")


async def test_the_first_ctrl_c_ends_a_question_and_nothing_was_done(
    terminal: Terminal, room: FakeRoom
) -> None:
    room.set(Topic.IDENTITY, ENROLLED)
    terminal.type("identity revoke\r")
    await terminal.read(r"\[y/N\]: $")
    terminal.type("\x03")
    await terminal.read(NEXT_PROMPT)
    assert room.done == []


async def test_a_no_is_told_to_have_done_nothing(terminal: Terminal, room: FakeRoom) -> None:
    room.set(Topic.IDENTITY, ENROLLED)
    terminal.type("identity revoke\r")
    await terminal.read(r"\[y/N\]: $")
    assert "nothing was revoked" in await terminal.say("n")
    assert room.done == []


async def test_ctrl_c_drops_the_line(terminal: Terminal, room: FakeRoom) -> None:
    terminal.type("trust remove office")
    await terminal.read("office$")
    terminal.type("\x03")
    await terminal.read(NEXT_PROMPT)
    await terminal.say("policy show")
    assert room.done == []


async def test_ctrl_d_leaves(terminal: Terminal) -> None:
    terminal.type("\x04")
    code, _ = await terminal.ended()
    assert code == 0


async def test_exit_leaves_with_the_last_commands_code(terminal: Terminal) -> None:
    await terminal.say("nonsense")
    terminal.type("exit\r")
    code, _ = await terminal.ended()
    assert code == 2


async def test_no_key_of_the_line_editor_leaves_the_shell(terminal: Terminal) -> None:
    for keys in ("\x1a", "\x1c", "\x18\x05", "\x18\x12", "\x1b!", "\x1b&", "\x1bv"):
        terminal.type(keys)
    terminal.type("\x15")
    assert "office" in await terminal.say("trust list")


async def test_no_line_starts_a_program(terminal: Terminal) -> None:
    for line in ("!id", "bash", "$(id)", "/bin/sh", "help id", "trust list; id"):
        assert "uid=" not in await terminal.say(line)


async def test_a_long_silence_ends_the_session(bus: PrivateBus, room: FakeRoom, tmp_path: Path) -> None:
    async with Sshd(tmp_path, bus.address, options="--idle 1") as sshd, Terminal(sshd) as terminal:
        code, last = await terminal.ended()
    assert code == 0
    assert "nothing was typed for 1 s" in last


async def test_openssh_reaches_the_prompt_too(sshd: Sshd, room: FakeRoom) -> None:
    code, out, _ = await sshd.ssh(options=("-tt",), stdin=b"trust remove office\rexit\r")
    assert code == 0
    assert "no longer trusted: office" in out
    assert room.done == [("remove_anchor", "office")]


async def test_commands_may_come_on_stdin(sshd: Sshd, room: FakeRoom) -> None:
    code, out, err = await sshd.ssh(stdin=b"trust remove office\npolicy show\n")
    assert (code, err) == (0, "")
    assert "standard" in out
    assert room.done == [("remove_anchor", "office")]


@pytest.mark.parametrize("line", ["meeting join https://hub.example.com/m/x", "x #secret"])
def test_a_line_with_a_link_is_not_kept(line: str) -> None:
    assert not is_harmless(line)
