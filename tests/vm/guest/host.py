"""What the guest asks of the machine that it runs on: `tests.vm.machine` answers by QMP."""

import json
import os
from pathlib import Path

PORT = Path("/dev/host")


def results_folder() -> Path:
    """A folder that the guest and its host see at the same path, and both write to."""
    return Path(os.environ["CONCLAVE_GUEST"])


def ask(command: str, **arguments: object) -> object:
    """Give one QMP command; returns what it returned. Raises RuntimeError with QEMU's words."""
    with PORT.open("r+b", buffering=0) as port:
        port.write(json.dumps({"execute": command, "arguments": arguments}).encode() + b"\n")
        answer = json.loads(_line(port.fileno()))
    if "error" in answer:
        raise RuntimeError(f"{command}: {answer['error']['desc']}")
    found: object = answer["return"]
    return found


def _line(descriptor: int) -> bytes:
    read = b""
    while not read.endswith(b"\n"):
        read += os.read(descriptor, 4096)
    return read


def screen() -> Path:
    """A picture, taken by the host, of what the machine's screen shows."""
    path = results_folder() / "screen.ppm"
    ask("screendump", filename=str(path))
    return path


def read_screen() -> str:
    """What the host's reader of printed text finds on the machine's screen."""
    read = ask("read-screen")
    assert isinstance(read, str)
    return read
