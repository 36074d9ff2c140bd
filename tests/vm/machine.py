"""The guest as QEMU runs it, and what the guest may ask of the machine that it runs on.

A line from the guest is a QMP command (`{"execute": "screendump", ...}`), a line back is QMP's answer:
so a test inside can take a picture of its own screen from outside, or press a key of its keyboard. One
command is ours: `read-screen` answers with what a reader of printed text finds on the screen.
"""

import json
import os
import shlex
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from io import BufferedRWPair
from pathlib import Path

from PIL import Image

from tests.building.initial_files import archive, file
from tests.vm.accelerator import PROGRAM, Accelerator
from tests.vm.build import Built, GuestError

FIRST_PROGRAM = Path(__file__).with_name("init")
ROOT = Path(__file__).parents[2]
READER = "tesseract"
READ_TIMEOUT_S = 60.0
REDUCED = 4
"""Made for print, it reads letters of some 30 pixels best, and those of a panel are four times that."""
CONNECT_TIMEOUT_S = 20.0
WIDTH, HEIGHT = 1280, 800
ASKABLE = frozenset({"screendump", "input-send-event"})
"""The QMP commands that a guest may give: it sees its machine's screen and keys, nothing of the host."""


def run(built: Built, made: Accelerator, arguments: Sequence[str], timeout_s: float) -> int:
    """Boot, run pytest with `arguments` in the guest, show its output; returns pytest's exit code.

    Raises GuestError if the guest does not come up, or has not ended after `timeout_s` seconds.
    """
    with tempfile.TemporaryDirectory(prefix="conclave-vm-") as scratch:
        folder = Path(scratch)
        results = folder / "results"
        results.mkdir()
        initial = folder / "initial"
        of_this_run = [
            file("init", FIRST_PROGRAM.read_bytes(), is_program=True),
            file("settings", _settings(built, results, arguments).encode()),
        ]
        initial.write_bytes(built.initial.read_bytes() + archive(of_this_run))
        log = folder / "kernel.log"
        with _running(_words(built, made, initial, results, folder), folder / "qemu.log") as qemu:
            watchdog = threading.Timer(timeout_s, qemu.kill)
            watchdog.start()
            begun = time.monotonic()
            try:
                _serve(folder, qemu)
                qemu.wait()
            finally:
                watchdog.cancel()
            is_late = time.monotonic() - begun >= timeout_s
        try:
            code = int((results / "exit").read_text())
        except FileNotFoundError as error:
            last = log.read_text(errors="replace").splitlines()[-25:] if log.exists() else []
            last += (folder / "qemu.log").read_text(errors="replace").splitlines()[-5:]
            what = (
                f"the guest did not end within {timeout_s:.0f} s" if is_late else "the guest ended too early"
            )
            raise GuestError("\n".join([f"the guest {what}; its last words:", *last])) from error
        if code != 0:
            print(log.read_text(errors="replace"), file=sys.stderr)
        return code


def _folders(built: Built, results: Path) -> Iterator[tuple[Path, str]]:
    """What the guest sees of the host, outer folders before those in them."""
    prefix = Path(sys.prefix).resolve()
    base = Path(sys.base_prefix).resolve()
    yield Path("/usr"), "ro"
    for path in (base, ROOT, prefix):
        if not any(path.is_relative_to(seen) for seen in (Path("/usr"), ROOT) if path != ROOT):
            yield path, "ro"
    yield built.packages, "ro"
    yield results, "rw"


def _settings(built: Built, results: Path, arguments: Sequence[str]) -> str:
    """The part of the guest's first program that is of this run."""
    shares = [
        f"share folder{number} {shlex.quote(str(path))} {mode}"
        for number, (path, mode) in enumerate(_folders(built, results))
    ]
    environment = {
        "CONCLAVE_GUEST": str(results),
        "HOME": "/root",
        "LANG": "C.UTF-8",
        # Only what the tests need: each import costs where the processor is emulated.
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": ":".join(
            str(path)
            for path in (*(ROOT / name for name in ("daemon", "provisioning", "hal")), ROOT, built.packages)
        ),
    }
    return "\n".join(
        [
            *shares,
            *(f"export {name}={shlex.quote(value)}" for name, value in environment.items()),
            f"results={shlex.quote(str(results))}",
            f"project={shlex.quote(str(ROOT))}",
            f"python={shlex.quote(str(ROOT / '.venv/bin/python'))}",
            f"set -- {shlex.join(arguments)}",
            "",
        ]
    )


def _words(built: Built, made: Accelerator, initial: Path, results: Path, folder: Path) -> list[str]:
    words = [
        PROGRAM,
        *made.value,
        *("-machine", "q35", "-smp", "2", "-m", "1024"),
        *("-nodefaults", "-no-user-config", "-no-reboot", "-display", "none"),
        *("-kernel", str(built.kernel), "-initrd", str(initial)),
        *("-append", "console=ttyS0 quiet panic=-1 random.trust_cpu=on"),
        *("-serial", f"file:{_escaped(folder / 'kernel.log')}"),
        *("-device", f"virtio-gpu-pci,xres={WIDTH},yres={HEIGHT}"),
        *("-device", "virtio-keyboard-pci", "-device", "virtio-rng-pci", "-device", "virtio-serial-pci"),
        *("-chardev", "stdio,id=output,signal=off", "-device", "virtserialport,chardev=output,name=output"),
        *("-chardev", f"socket,id=host,path={_escaped(folder / 'host')},server=on,wait=off"),
        *("-device", "virtserialport,chardev=host,name=host"),
        *("-qmp", f"unix:{_escaped(folder / 'qmp')},server=on,wait=off"),
    ]
    for number, (path, mode) in enumerate(_folders(built, results)):
        rights = ",readonly=on" if mode == "ro" else ""
        words += [
            "-fsdev",
            f"local,id=folder{number},path={_escaped(path)},security_model=none,multidevs=remap{rights}",
            "-device",
            f"virtio-9p-pci,fsdev=folder{number},mount_tag=folder{number}",
        ]
    return words


def _escaped(path: Path) -> str:
    """A path as a value of QEMU's comma-separated options."""
    return str(path).replace(",", ",,")


@contextmanager
def _running(words: list[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as errors:
        # QEMU writes the guest's output to our own, as it comes. Its input stays open without a word:
        # at its end QEMU would take the port for closed, and the guest would wait for it for ever.
        qemu = subprocess.Popen(words, stdin=subprocess.PIPE, stderr=errors)
    try:
        yield qemu
    finally:
        qemu.kill()
        qemu.communicate()


def _serve(folder: Path, qemu: subprocess.Popen[bytes]) -> None:
    """Carry the guest's commands to QMP and the answers back, until QEMU ends."""
    with _connected(folder / "qmp", qemu) as qmp, _connected(folder / "host", qemu) as guest:
        monitor, asking = qmp.makefile("rwb"), guest.makefile("rwb")
        monitor.readline()  # its greeting
        _command(monitor, {"execute": "qmp_capabilities"})
        with suppress(ConnectionError):
            for line in asking:
                asking.write(json.dumps(_answer(monitor, line)).encode() + b"\n")
                asking.flush()


def _answer(monitor: BufferedRWPair, line: bytes) -> object:
    try:
        command = json.loads(line)
        name = command.get("execute")
    except (ValueError, AttributeError):
        return {"error": {"desc": "not a command"}}
    if name == "read-screen":
        return _read_screen(monitor)
    if name not in ASKABLE:
        return {"error": {"desc": f"{name} is none of {', '.join(sorted(ASKABLE))}"}}
    return _command(monitor, command)


def _read_screen(monitor: BufferedRWPair) -> object:
    with tempfile.TemporaryDirectory(prefix="conclave-vm-") as folder:
        picture = str(Path(folder, "screen.ppm"))
        answer = _command(monitor, {"execute": "screendump", "arguments": {"filename": picture}})
        if "error" in answer:
            return answer
        small = str(Path(folder, "small.png"))
        with Image.open(picture) as found:
            found.reduce(REDUCED).save(small)
        try:
            done = subprocess.run(
                # Page segmentation 6: one block of text.
                [READER, small, "-", "--psm", "6", "--dpi", "150"],
                capture_output=True,
                text=True,
                timeout=READ_TIMEOUT_S,
                check=True,
            )
        except (OSError, subprocess.SubprocessError) as error:
            return {"error": {"desc": f"{READER}: {error}"}}
    return {"return": done.stdout}


def _command(monitor: BufferedRWPair, command: object) -> dict[str, object]:
    """One QMP command's answer; events, which come when they like, are passed over."""
    monitor.write(json.dumps(command).encode() + b"\n")
    monitor.flush()
    for line in monitor:
        answer: dict[str, object] = json.loads(line)
        if "return" in answer or "error" in answer:
            return answer
    return {"error": {"desc": "the machine ended"}}


def _connected(path: Path, qemu: subprocess.Popen[bytes]) -> socket.socket:
    deadline = time.monotonic() + CONNECT_TIMEOUT_S
    while True:
        made = socket.socket(socket.AF_UNIX)
        try:
            made.connect(os.fspath(path))
        except (FileNotFoundError, ConnectionRefusedError) as error:
            made.close()
            if qemu.poll() is not None or time.monotonic() > deadline:
                raise GuestError(f"{PROGRAM} did not start: {_last(path.parent / 'qemu.log')}") from error
            time.sleep(0.02)
        else:
            return made


def _last(log: Path) -> str:
    return " / ".join(log.read_text(errors="replace").strip().splitlines()[-3:])
