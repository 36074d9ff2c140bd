"""A device under QEMU: U-Boot, verified kernel and root, its TPM, and the host's hands on it.

    machine.admin    an admin over SSH             machine.qmp      QEMU's monitor
    machine.root     root inside (tests only)      machine.visca    the camera's serial line, a socket

It starts cold from its disk, or from a snapshot of a device that is up. Killed, it leaves disk and TPM as a
power cut does, and starts from them again.
"""

import asyncio
import contextlib
import os
import shlex
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tests.image.admin import Admin
from tests.image.console import RootConsole, RootError
from tests.image.qmp import Qmp, QmpError
from tests.image.tpm import MachineTpm

PROGRAM = "qemu-system-aarch64"
START_S = 30.0
STOP_S = 10.0
BOOT_S = 180.0
"""From power-on to the room's readiness; some 35 s where nothing else runs."""
SNAPSHOT_S = 120.0
EMPTY_SLOT = "empty"
"""The bus where a card can be plugged in while the machine runs (QMP's device_add)."""
READY = "systemctl is-active conclaved.service"
EVIDENCE_S = 90.0
EVIDENCE = {
    "journal.txt": "journalctl -b --no-pager -o short-monotonic -n 3000",
    "state.txt": "systemctl --no-pager --failed; systemctl --no-pager status conclaved; ps axuw; free -m; df",
}
"""What is kept of a device that failed a test, by the names of the files."""


class MachineError(Exception):
    """QEMU did not start, or the device did not become what it should."""


class Bootable(Protocol):
    """What of an image a machine needs; `tests.image.build.Image` has it."""

    @property
    def uboot(self) -> Path:
        """The boot loader."""
        ...

    @property
    def device_tree(self) -> Path:
        """What the boot loader is told of the machine, with the key that verifies a kernel."""
        ...

    @property
    def admin_key(self) -> Path:
        """The private half of the key that the tests' image lets in."""
        ...


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A device that is up, stopped in one moment: memory, disk and TPM of that moment."""

    memory: Path
    disk: Path
    tpm: Path


class Machine:
    """One device. `folder` gets its sockets and logs (keep its path short: a socket's has 107 bytes).

    `options` are more words for QEMU, for example another network card or `-rtc base=...`.
    """

    def __init__(
        self,
        folder: Path,
        image: Bootable,
        disk: Path,
        *,
        ssh_port: int,
        snapshot: Snapshot | None = None,
        options: tuple[str, ...] = (),
    ) -> None:
        """`disk` is written to. With a `snapshot` it becomes the snapshot's, and the first start resumes."""
        self.folder = folder
        self.image = image
        self.disk = disk
        self.ssh_port = ssh_port
        self.visca = folder / "visca"
        self.console_log = folder / "console.log"
        self.tpm = MachineTpm(folder / "tpm")
        self.admin = Admin(ssh_port, image.admin_key)
        self.started_at = 0.0
        """When QEMU was started last (time.monotonic)."""
        self._options = options
        self._snapshot = snapshot
        self._process: asyncio.subprocess.Process | None = None
        self._qmp: Qmp | None = None
        self._root: RootConsole | None = None

    @property
    def qmp(self) -> Qmp:
        """QEMU's monitor."""
        if self._qmp is None:
            raise MachineError("the machine is off")
        return self._qmp

    @property
    def root(self) -> RootConsole:
        """Root's console inside."""
        if self._root is None:
            raise MachineError("the machine is off")
        return self._root

    @property
    def is_running(self) -> bool:
        """Whether QEMU runs."""
        return self._process is not None and self._process.returncode is None

    async def start(self) -> None:
        """Power on, or resume. A cold start returns at once: `until_ready` waits. Raises MachineError."""
        await self.stop()
        snapshot, self._snapshot = self._snapshot, None
        if snapshot is not None:
            await _run("cp", "--sparse=always", str(snapshot.disk), str(self.disk))
            self.tpm.restore(snapshot.tpm)
        self.tpm.start()
        incoming = () if snapshot is None else ("-incoming", f"exec:cat {shlex.quote(str(snapshot.memory))}")
        words = (*self._words(), *self._options, *incoming)
        with (self.folder / "qemu.log").open("ab") as log:
            # Whoever kills the tests' process ends the machine too.
            self._process = await asyncio.create_subprocess_exec(
                "setpriv", "--pdeathsig", "KILL", *words,
                stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        self.started_at = time.monotonic()
        try:
            async with asyncio.timeout(START_S):
                await self._connect()
            if snapshot is not None:
                await self._resume()
        except (TimeoutError, QmpError) as error:
            await self.stop()
            raise MachineError(f"{PROGRAM} did not start: {self._last_words()}") from error

    async def stop(self) -> None:
        """Power off at once, as `kill`, but QEMU writes out what it holds."""
        if self.is_running and self._qmp is not None:
            with contextlib.suppress(QmpError, TimeoutError):
                async with asyncio.timeout(STOP_S):
                    await self._qmp.execute("quit")
                    assert self._process is not None
                    await self._process.wait()
        await self.kill()

    async def kill(self) -> None:
        """Cut the power: what QEMU had not yet written is lost."""
        if self._process is not None:
            if self._process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    self._process.send_signal(signal.SIGKILL)
            await self._process.wait()
            self._process = None
        await self.admin.close()
        if self._qmp is not None:
            await self._qmp.close()
            self._qmp = None
        if self._root is not None:
            await self._root.close()
            self._root = None
        self.tpm.stop()

    async def until_ready(self, timeout_s: float = BOOT_S) -> None:
        """Wait until systemd says that conclaved is. Raises MachineError."""
        try:
            async with asyncio.timeout(timeout_s):
                await self.root.until_it_answers(timeout_s)
                while True:
                    if (await self.root.try_run(READY)).code == 0:
                        return
                    await asyncio.sleep(0.3)
        except (TimeoutError, RootError) as error:
            raise MachineError(f"not ready after {timeout_s:g} s; see {self.console_log}") from error

    async def set_clock(self) -> None:
        """Give the device the host's time: one that was resumed has slept since its snapshot."""
        await self.root.run(f"date -u -s @{time.time():.3f}")

    async def snapshot(self, folder: Path) -> Snapshot:
        """Stop the device in this moment, and keep all of it in `folder`, which is there.

        It goes on by `qmp.execute("cont")`. Raises MachineError.
        """
        made = Snapshot(folder / "memory", folder / "disk", folder / "tpm")
        await self.qmp.execute("stop")
        await self.qmp.execute("migrate-set-parameters", **{"max-bandwidth": 2**33})
        await self.qmp.execute("migrate", uri=f"exec:cat > {shlex.quote(str(made.memory))}")
        try:
            async with asyncio.timeout(SNAPSHOT_S):
                while (found := await self.qmp.execute("query-migrate"))["status"] != "completed":
                    if found["status"] == "failed":
                        raise MachineError(f"no snapshot: {found.get('error-desc', self._last_words())}")
                    await asyncio.sleep(0.05)
        except TimeoutError as error:
            raise MachineError(f"no snapshot after {SNAPSHOT_S:g} s") from error
        await _run("cp", "--sparse=always", str(self.disk), str(made.disk))
        self.tpm.save(made.tpm)
        return made

    async def monitor(self, line: str) -> str:
        """One line of QEMU's human monitor, such as `hostfwd_add net0 tcp:127.0.0.1:5002-:80`."""
        said: str = await self.qmp.execute("human-monitor-command", **{"command-line": line})
        return said

    async def screendump(self, picture: Path, *, device: str = "panel") -> Path:
        """A PNG of what the display `device` shows (`panel` or `screen`). Returns `picture`."""
        await self.qmp.execute("screendump", filename=str(picture), device=device, format="png")
        return picture

    async def journal(self, *units: str, lines: int = 400) -> str:
        """The end of the device's journal, or of these units'."""
        chosen = " ".join(f"-u {shlex.quote(unit)}" for unit in units)
        return await self.root.run(f"journalctl -b --no-pager -o short-monotonic -n {lines} {chosen}")

    def console_text(self) -> str:
        """What boot loader and kernel have said on the serial line, in all starts."""
        return self.console_log.read_text(errors="replace") if self.console_log.exists() else ""

    async def evidence(self, folder: Path) -> list[Path]:
        """Keep in `folder`, which is there, what tells why a test failed: serial line, journal, displays."""
        kept = [log for log in (self.console_log, self.folder / "qemu.log") if log.exists()]
        kept = [Path(shutil.copy(log, folder)) for log in kept]
        if self.is_running:
            with contextlib.suppress(RootError, QmpError, TimeoutError):
                async with asyncio.timeout(EVIDENCE_S):
                    for device in ("panel", "screen"):
                        kept.append(await self.screendump(folder / f"{device}.png", device=device))
                    for name, script in EVIDENCE.items():
                        found = await self.root.try_run(script)
                        (folder / name).write_text(found.out + found.err)
                        kept.append(folder / name)
        return kept

    async def _connect(self) -> None:
        while self._qmp is None or self._root is None:
            assert self._process is not None
            if self._process.returncode is not None:
                raise MachineError(f"{PROGRAM} ended: {self._last_words()}")
            try:
                self._qmp = self._qmp or await Qmp.connect(self.folder / "qmp")
                self._root = self._root or await RootConsole.connect(self.folder / "root")
            except OSError:
                await asyncio.sleep(0.02)

    async def _resume(self) -> None:
        async with asyncio.timeout(SNAPSHOT_S):
            while True:
                if (await self.qmp.execute("query-status"))["status"] != "inmigrate":
                    break
                await asyncio.sleep(0.02)
            await self.qmp.execute("cont")
        await self.set_clock()

    def _words(self) -> tuple[str, ...]:
        folder = self.folder
        return (
            PROGRAM,
            *("-M", "virt", "-cpu", "cortex-a72", "-smp", "2", "-m", "1024"),
            *(
                "-accel",
                "tcg,thread=multi,tb-size=1024",
                "-display",
                "none",
                "-nodefaults",
                "-no-user-config",
            ),
            *self._boot_words(),
            # A power cut loses nothing that the device was told is on its disk.
            *("-drive", f"file={_escaped(self.disk)},id=disk,if=none,format=raw,cache=writethrough"),
            *("-device", "virtio-blk-pci,drive=disk,addr=0x2"),
            *("-netdev", f"user,id=net0,hostfwd=tcp:127.0.0.1:{self.ssh_port}-:22"),
            *("-device", "virtio-net-pci,id=nic0,netdev=net0,romfile=,addr=0x1"),
            *("-device", "virtio-rng-pci,addr=0x3", "-device", "i6300esb,addr=0x4"),
            *(
                "-device",
                "virtio-gpu-pci,id=panel,addr=0x10",
                "-device",
                "virtio-gpu-pci,id=screen,addr=0x11",
            ),
            *("-device", "virtio-keyboard-pci,id=buttons,addr=0x12"),
            *("-device", "virtio-tablet-pci,id=touch,addr=0x13"),
            *("-chardev", f"socket,id=visca,path={_escaped(self.visca)},server=on,wait=off"),
            *("-device", "pci-serial,chardev=visca,addr=0x14"),
            *("-device", f"pcie-root-port,id={EMPTY_SLOT},chassis=1,addr=0x7"),
            *("-device", "virtio-serial-pci,addr=0x5"),
            *("-chardev", f"socket,id=root,path={_escaped(folder / 'root')},server=on,wait=off"),
            *("-device", "virtserialport,chardev=root,name=conclave.root"),
            *self.tpm.arguments,
            *(
                "-chardev",
                f"file,id=serial,path={_escaped(self.console_log)},append=on",
                "-serial",
                "chardev:serial",
            ),
            *("-qmp", f"unix:{_escaped(folder / 'qmp')},server=on,wait=off"),
        )

    def _boot_words(self) -> tuple[str, ...]:
        return ("-bios", str(self.image.uboot), "-dtb", str(self.image.device_tree))

    def _last_words(self) -> str:
        log = self.folder / "qemu.log"
        return " / ".join(log.read_text(errors="replace").strip().splitlines()[-3:]) if log.exists() else ""


async def _run(*words: str) -> None:
    process = await asyncio.create_subprocess_exec(*words, stderr=subprocess.PIPE)
    _, said = await process.communicate()
    if process.returncode != 0:
        raise MachineError(f"{words[0]} failed: {said.decode(errors='replace')}")


def _escaped(path: Path) -> str:
    """A path as a value of QEMU's comma-separated options."""
    return os.fspath(path).replace(",", ",,")
