"""A real sshd with the drop-in of the images, on a free port, with host key, admins and authority of its own.

It runs as the user of the tests and logs that user in, so that no account is made: the drop-in's group,
account and paths are exchanged for the tests' own, and nothing else of it. Started by root, sshd wants its
folder /run/sshd; started by somebody else, it cannot run the commands that read the daemon's files, and the
tests of those need root.
"""

import asyncio
import getpass
import os
import shutil
import socket
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

ROOT = Path(__file__).parents[2]
DROP_IN = ROOT / "systemd/ssh/10-conclave.conf"
DEADLINE_S = 30.0
USER = getpass.getuser()

# What Debian's own file says, and what an admin might have added to it without thinking of us.
MAIN = """
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host
PidFile none
UsePAM no
LogLevel VERBOSE
AcceptEnv *
X11Forwarding yes
AllowAgentForwarding yes
Subsystem sftp internal-sftp
Include {folder}/10-conclave.conf
"""

# The program of the images, from the checkout: isolated as there. It leaves word of what reached it.
WRAPPER = """#!{python} -I
import json, os, pathlib, sys
pathlib.Path({seen!r}).write_text(json.dumps(dict(os.environ)))
sys.path.insert(0, {provisioning!r})
from conclave_provisioning.shell.program import main
main()
"""


async def run_program(
    *words: str, stdin: bytes | None = None, env: dict[str, str] | None = None
) -> tuple[int, str, str]:
    """Run a program to its end: exit code, stdout, stderr."""
    process = await asyncio.create_subprocess_exec(
        *words,
        stdin=asyncio.subprocess.DEVNULL if stdin is None else asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=env,
    )
    try:
        async with asyncio.timeout(DEADLINE_S):
            out, err = await process.communicate(stdin)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


async def make_key(path: Path, kind: str = "ed25519", comment: str = "") -> Path:
    """Make a key pair without a passphrase; the public half is beside it, `.pub`."""
    code, _, err = await run_program(
        "ssh-keygen", "-q", "-t", kind, "-N", "", "-C", comment or path.name, "-f", str(path)
    )
    assert code == 0, err
    return path


def _make_privilege_separation_folder() -> None:
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True, mode=0o755)


class Sshd:
    """An sshd that lives as long as its `async with`. `admin` may log in; made if lacking."""

    def __init__(self, folder: Path, bus: str, *, options: str = "", access: Path | None = None) -> None:
        """`access` is a folder that a daemon writes; without it the tests' own admin may log in."""
        self.folder = folder
        self.port = 0
        self.bus = bus
        self.admin = folder / "admin"
        self.authority = folder / "authority"
        self.access = access or folder / "access"
        self._is_access_own = access is None
        self._options = options
        self._process: asyncio.subprocess.Process | None = None
        self._log: asyncio.Task[None] | None = None
        self.log: list[str] = []

    @property
    def shell(self) -> Path:
        """The restricted shell, as the images install it."""
        return self.folder / "conclave-shell"

    @property
    def seen(self) -> Path:
        """The environment that the last shell was started with, as JSON."""
        return self.folder / "seen.json"

    async def __aenter__(self) -> Self:
        for path in (self.folder / "host", self.admin, self.authority):
            if not path.exists():
                await make_key(path)
        if self._is_access_own:
            self.access.mkdir()
            (self.access / "authorized_keys").write_text(self.admin.with_suffix(".pub").read_text())
            (self.access / "authorities").write_text(self.authority.with_suffix(".pub").read_text())
            (self.access / "principals").write_text("room-admin\n")
        self.shell.write_text(
            WRAPPER.format(
                python=sys.executable, seen=str(self.seen), provisioning=str(ROOT / "provisioning")
            )
        )
        self.shell.chmod(0o755)
        # Everybody may bind a port and let it go; who comes second sees so in sshd's log.
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        (self.folder / "10-conclave.conf").write_text(self._drop_in())
        config = self.folder / "sshd_config"
        config.write_text(MAIN.format(port=self.port, folder=self.folder))
        _make_privilege_separation_folder()
        # sshd wants to be called by its whole path: it starts itself again for each client.
        program = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin")
        assert program, "sshd is missing: apt-get install openssh-server"
        self._process = await asyncio.create_subprocess_exec(
            program,
            "-D",
            "-e",
            "-f",
            str(config),
            stdin=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        listening = asyncio.Event()
        self._log = asyncio.create_task(self._read_log(self._process, listening))
        async with asyncio.timeout(DEADLINE_S):
            await listening.wait()
        assert self._process.returncode is None, "".join(self.log)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._process is not None and self._log is not None
        if self._process.returncode is None:
            self._process.terminate()
        await self._process.wait()
        # Sessions that hang on hold the log open.
        self._log.cancel()
        await asyncio.wait({self._log})
        # Closed here, and not when Python comes to collect it: asyncio gives a process no other way.
        vars(self._process)["_transport"].close()
        # Shown with a test that fails.
        sys.stderr.write("".join(self.log))

    def arguments(self, key: Path | None = None) -> list[str]:
        """Options of OpenSSH's client, scp and sftp that make it believe this server and use one key."""
        return [
            "-F", "none",
            "-o", "UserKnownHostsFile=/dev/null",
            "-o", "StrictHostKeyChecking=no",
            "-o", "IdentitiesOnly=yes",
            "-o", "BatchMode=yes",
            "-o", "LogLevel=ERROR",
            "-i", str(key or self.admin),
        ]  # fmt: skip

    async def ssh(
        self, *words: str, options: tuple[str, ...] = (), stdin: bytes | None = None, key: Path | None = None
    ) -> tuple[int, str, str]:
        """Run OpenSSH's client: `ssh USER@room WORDS`."""
        return await run_program(
            "ssh", *self.arguments(key), "-p", str(self.port), *options, f"{USER}@127.0.0.1", *words,
            stdin=stdin,
        )  # fmt: skip

    async def certify(self, key: Path, *, principals: str = "room-admin", identity: str = "ana") -> None:
        """Sign a certificate for `key`, beside it: KEY-cert.pub."""
        code, _, err = await run_program(
            "ssh-keygen", "-q", "-s", str(self.authority), "-I", identity, "-n", principals,
            "-z", "7", "-V", "-5m:+1h", f"{key}.pub",
        )  # fmt: skip
        assert code == 0, err

    def _drop_in(self) -> str:
        text = DROP_IN.read_text()
        for ours, theirs in (
            ("Match Group conclave-admin", f"Match User {USER}"),
            ("User conclave", f"User {USER}"),
            ("/var/lib/conclave/access", str(self.access)),
            (
                "ForceCommand /usr/bin/conclave-shell",
                f"ForceCommand {self.shell} --bus {self.bus} {self._options}",
            ),
        ):
            assert ours in text, f"{DROP_IN.name} no longer says {ours}"
            text = text.replace(ours, theirs)
        return text

    async def _read_log(self, process: asyncio.subprocess.Process, listening: asyncio.Event) -> None:
        assert process.stderr is not None
        async for line in process.stderr:
            self.log.append(line.decode("utf-8", "replace"))
            if b"Server listening" in line:
                listening.set()
        # It ended: who waits sees why in the log.
        listening.set()
