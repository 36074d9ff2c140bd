"""No command of `conclavectl` names a file of the device: held against every command there is."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from conclave_provisioning.cli.command import root
from conclave_provisioning.cli.named_file import MayNameFile
from conclave_provisioning.shell.confinement import check
from conclave_provisioning.shell.lockdown import hook
from conclave_provisioning.shell.request import RequestError

PROVISIONING = Path(__file__).parents[2] / "provisioning"


def parameters(
    command: click.Command = root, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], click.Parameter]]:
    """Every parameter of every command."""
    for parameter in command.params:
        yield path, parameter
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None
            yield from parameters(found, (*path, name))


def is_file(parameter: click.Parameter) -> bool:
    return isinstance(parameter.type, click.File | click.Path | MayNameFile)


def words_for(path: tuple[str, ...], parameter: click.Parameter, text: str) -> list[str]:
    """The command with this parameter alone, and arguments before it that name no file."""
    if isinstance(parameter, click.Option):
        return [*path, max(parameter.opts, key=len), text]
    command: click.Command = root
    for name in path:
        assert isinstance(command, click.Group)
        found = command.get_command(click.Context(command), name)
        assert found is not None
        command = found
    arguments = [p for p in command.params if isinstance(p, click.Argument)]
    return [*path, *(text if p is parameter else "-" for p in arguments)]


FILES = [(path, parameter) for path, parameter in parameters() if is_file(parameter)]


def named(case: tuple[tuple[str, ...], click.Parameter]) -> str:
    return f"{' '.join(case[0])} {case[1].name}"


@pytest.mark.parametrize("case", FILES, ids=named)
def test_a_file_is_refused_wherever_one_can_be_named(case: tuple[tuple[str, ...], click.Parameter]) -> None:
    with pytest.raises(RequestError, match="names a file of the device"):
        check(root, words_for(*case, "/etc/passwd"))


@pytest.mark.parametrize("case", FILES, ids=named)
def test_stdin_and_stdout_are_not_refused(case: tuple[tuple[str, ...], click.Parameter]) -> None:
    check(root, words_for(*case, "-"))


def test_every_parameter_that_speaks_of_a_file_is_declared_as_one() -> None:
    undeclared = [
        named((path, parameter))
        for path, parameter in parameters()
        if not is_file(parameter)
        and any(
            word in f"{parameter.metavar or ''} {parameter.make_metavar(click.Context(root))}"
            for word in ("FILE", "PATH", ".pem", "FOLDER", "DIRECTORY")
        )
    ]
    assert undeclared == []


def test_a_link_is_no_file() -> None:
    check(root, ["meeting", "join", "https://hub.example.com/m/x#y", "--wait"])


@pytest.mark.parametrize(
    "words",
    [
        ["--bus", "unix:path=/x", "status"],
        ["status", "--bus=unix:path=/x"],
        ["trust", "--bus", "unix:path=/x", "list"],
        ["--json", "trust", "list", "--bus", "unix:path=/x"],
    ],
    ids=" ".join,
)
def test_another_bus_is_refused_wherever_it_stands(words: list[str]) -> None:
    with pytest.raises(RequestError, match="--bus"):
        check(root, words)


def test_what_is_no_command_is_left_for_the_command_line_to_refuse() -> None:
    check(root, ["bash", "-c", "id"])
    check(root, ["trust", "add", "--no-such-option", "/etc/passwd"])


def in_lockdown(code: str) -> str:
    """Run Python code in a process that has been shut; what it prints."""
    start = f"import sys; sys.path.insert(0, {str(PROVISIONING)!r})\n"
    start += "from conclave_provisioning.shell import lockdown\nlockdown.shut()\n"
    done = subprocess.run(
        [sys.executable, "-I", "-c", start + code], capture_output=True, text=True, timeout=30, check=False
    )
    return done.stdout + done.stderr.strip().rpartition("\n")[2]


@pytest.mark.parametrize(
    "code",
    [
        "open({file!r}).read()",
        "open({file!r}, 'w')",
        "import os; os.open({file!r}, os.O_RDONLY)",
        "import pathlib; pathlib.Path({file!r}).read_text()",
        "import pathlib; pathlib.Path({new!r}).touch()",
        "import pathlib; pathlib.Path({new!r}).mkdir()",
        "import os; os.remove({file!r})",
        "import os; os.symlink({file!r}, {new!r})",
        "import os; os.listdir({folder!r})",
        "import os; os.listdir()",
        "import os; os.chdir({folder!r}); open('secret')",
        "open('/proc/self/root' + {file!r})",
        "import os; os.system('id')",
        "import subprocess; subprocess.run(['id'])",
        "import os; os.fork()",
        "import os; os.execv('/bin/sh', ['sh'])",
        "import os; os.posix_spawn('/bin/sh', ['sh'], {{}})",
        "import pty; pty.spawn('/bin/sh')",
    ],
)
def test_a_shut_process_touches_no_file_and_starts_no_program(tmp_path: Path, code: str) -> None:
    file = tmp_path / "secret"
    file.write_text("treasure")
    new = tmp_path / "new"
    said = in_lockdown(code.format(file=str(file), new=str(new), folder=str(tmp_path)))
    assert "PermissionError" in said
    assert file.read_text() == "treasure"
    assert not new.exists()


def test_a_shut_process_still_finds_its_libraries() -> None:
    assert in_lockdown("import zoneinfo, rich.table, dbus_next, cryptography.x509; print('yes')") == "yes\n"


def test_the_hook_names_the_file_it_keeps_shut() -> None:
    look = hook([])
    with pytest.raises(PermissionError) as caught:
        look("open", ("/etc/passwd", "r", 0))
    assert caught.value.filename == "/etc/passwd"
