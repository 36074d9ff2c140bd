"""`make image-qemu`: build the device's image and run it, for whoever develops it.

make image-qemu                         boots it, tells how to reach it, and runs it until Ctrl-C
make image-qemu ARGS=--shell            the same with a root shell of the device in this terminal
make image-qemu ARGS=--once             boots until the room is ready, tells how long it took, and ends
make image-qemu ARGS='--disk my.disk'   keeps what the device writes; the next run goes on with it

The first build takes some ten minutes, later ones only what has changed. The processor is emulated: a boot
takes half a minute where nothing else runs. The root shell is a layer of this image only; a room has none.
"""

import argparse
import asyncio
import contextlib
import os
import shutil
import signal
import sys
import tempfile
import termios
import time
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.building.programs import BuildError
from tests.image.build.image import Image, image
from tests.image.machine import PROGRAM, Machine, MachineError
from tests.pebble import free_ports

SHOWN = Path("build/image-qemu")
ESCAPE = b"\x1d"
"""Ctrl-]: lets go of the device's shell, as in telnet."""
SHELL_WORDS = "conclave.shell"


def main(arguments: list[str]) -> int:
    """Returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="make image-qemu ARGS=...",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--shell", action="store_true", help="a root shell of the device in this terminal")
    parser.add_argument("--once", action="store_true", help="end as soon as the room is ready")
    parser.add_argument("--disk", type=Path, help="a disk to keep; is made if it is not there")
    parser.add_argument("--ssh-port", type=int, default=0, help="of 127.0.0.1; default: one that is free")
    parser.add_argument(
        "--forward",
        action="append",
        default=[],
        metavar="HOST:DEVICE",
        help="let this port of 127.0.0.1 lead to that one of the device; may be given again",
    )
    options = parser.parse_args(arguments)
    if options.shell and not (sys.stdin.isatty() and sys.stdout.isatty()):
        parser.error("--shell needs a terminal")
    if shutil.which(PROGRAM) is None:
        print(f"conclave: {PROGRAM} is missing: apt-get install qemu-system-arm", file=sys.stderr)
        return 1
    try:
        return asyncio.run(_run(image(), options))
    except (BuildError, MachineError) as error:
        print(f"conclave: {error}", file=sys.stderr)
        return 1


async def _run(built: Image, options: argparse.Namespace) -> int:
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    # A socket's path has 107 bytes at most, and a checkout may lie deep.
    with tempfile.TemporaryDirectory(prefix="conclave-") as scratch:
        folder = Path(scratch)
        disk = options.disk or folder / "disk"
        if not disk.exists():
            shutil.copyfile(built.disk, disk)
        ssh_port = options.ssh_port or free_ports(1)[0]
        machine = Machine(folder, built, disk, ssh_port=ssh_port, options=_options(folder, options.forward))
        ended = asyncio.create_task(stopped.wait())
        try:
            print(f"image: {built.version} boots; the processor is emulated, which takes a while", flush=True)
            await machine.start()
            booting = asyncio.create_task(machine.until_ready())
            await asyncio.wait([booting, ended], return_when=asyncio.FIRST_COMPLETED)
            if not booting.done():
                booting.cancel()
                return 130
            await booting
            took = time.monotonic() - machine.started_at
            print(f"image: the room was ready after {took:.0f} s", flush=True)
            if options.once:
                return 0
            _say_how_to_reach(machine, folder, options.shell)
            if options.shell:
                await _shell(folder / "shell", ended)
            else:
                await ended
        finally:
            ended.cancel()
            await machine.stop()
            shutil.rmtree(SHOWN, ignore_errors=True)
    return 0


def _options(folder: Path, forwards: list[str]) -> tuple[str, ...]:
    """The shell's line, and further ports, in QEMU's words."""
    words = ["-chardev", f"socket,id=shell,path={folder / 'shell'},server=on,wait=off"]
    words += ["-device", f"virtconsole,chardev=shell,name={SHELL_WORDS}"]
    if forwards:
        pairs = [forward.partition(":") for forward in forwards]
        rules = ",".join(f"hostfwd=tcp:127.0.0.1:{host}-:{device}" for host, _, device in pairs)
        words += ["-netdev", f"user,id=net1,{rules}", "-device", "virtio-net-pci,netdev=net1,romfile="]
    return tuple(words)


def _say_how_to_reach(machine: Machine, folder: Path, has_shell: bool) -> None:
    SHOWN.mkdir(parents=True, exist_ok=True)
    (SHOWN / "ssh_config").write_text(
        f"Host room\n    HostName 127.0.0.1\n    Port {machine.ssh_port}\n    User admin\n"
        f"    IdentityFile {machine.image.admin_key}\n    IdentitiesOnly yes\n"
        "    StrictHostKeyChecking no\n    UserKnownHostsFile /dev/null\n    LogLevel ERROR\n"
    )
    print("In another terminal, from this folder:")
    print(f"  ssh -F {SHOWN}/ssh_config room            conclavectl's prompt")
    print(f"  ssh -F {SHOWN}/ssh_config room status     one command of it")
    print(f"its serial console is written to {machine.console_log}")
    print(f"the camera's serial line is the socket {machine.visca}")
    print("root's shell of this device follows; Ctrl-] ends" if has_shell else "Ctrl-C ends it.", flush=True)


async def _shell(path: Path, ended: asyncio.Task[bool]) -> None:
    """This terminal is the device's, until Ctrl-] or a signal."""
    reader, writer = await asyncio.open_unix_connection(path)
    loop = asyncio.get_running_loop()
    let_go = asyncio.Event()

    def typed() -> None:
        keys = os.read(sys.stdin.fileno(), 1024)
        if not keys or ESCAPE in keys:
            let_go.set()
        else:
            writer.write(keys)

    async def show() -> None:
        while said := await reader.read(4096):
            os.write(sys.stdout.fileno(), said)

    with _raw(sys.stdin.fileno()):
        loop.add_reader(sys.stdin.fileno(), typed)
        columns, rows = shutil.get_terminal_size()
        writer.write(f"stty cols {columns} rows {rows}; clear\n".encode())
        waits = [asyncio.create_task(show()), asyncio.create_task(let_go.wait()), ended]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            loop.remove_reader(sys.stdin.fileno())
            for wait in waits[:2]:
                wait.cancel()
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
    print()


@contextmanager
def _raw(terminal: int) -> Iterator[None]:
    before = termios.tcgetattr(terminal)
    tty.setraw(terminal)
    try:
        yield
    finally:
        termios.tcsetattr(terminal, termios.TCSADRAIN, before)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
