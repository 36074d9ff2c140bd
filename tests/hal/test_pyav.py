"""PyAV is loaded by threads, first by whichever: all of them get all of it."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
GATE = ROOT / "hal/conclave_hal/pyav.py"
AT_ONCE = """
import sys, threading
sys.setswitchinterval(1e-6)
statements = sys.argv[1:]
ready = threading.Barrier(len(statements))
failures = []

def load(statement):
    ready.wait()
    try:
        exec(statement, {})
    except BaseException as error:
        failures.append(f"{statement}: {error!r}")

threads = [threading.Thread(target=load, args=(statement,)) for statement in statements]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
sys.exit("; ".join(failures))
"""
DEVICES = (
    "from conclave_hal.picture_decoder import PictureDecoder",
    "import conclave_hal.simulated.tone_encoder",
    "import conclave_hal.simulated.sound_decoder",
    "import conclave_hal.wall.newest_picture",
    "from conclave_hal.ffmpeg import ffmpeg_errors; ffmpeg_errors()",
    "from conclave_hal.pyav import av; av.CodecContext.create",
)
ITS_PARTS = (
    "import av; av.CodecContext.create",
    "from av.packet import Packet",
    "from av.error import FFmpegError",
    "from av.video.frame import VideoFrame",
    "from av.audio.frame import AudioFrame",
)


def loaded_at_once(statements: tuple[str, ...]) -> str:
    """What went wrong where each statement was run by a thread of its own in one new process."""
    done = subprocess.run(
        [sys.executable, "-c", AT_ONCE, *statements], capture_output=True, text=True, check=False
    )
    return done.stderr.strip()


@pytest.mark.parametrize("_", range(3))
def test_threads_that_load_it_first_and_at_once_all_get_it(_: int) -> None:
    assert loaded_at_once(DEVICES) == ""


def test_without_the_one_module_they_would_not() -> None:
    # Three times, because a lucky order is possible; where this fails, PyAV has mended it.
    assert any(loaded_at_once(ITS_PARTS) for _ in range(3))


def imports_of_av(tree: ast.AST) -> Iterator[ast.stmt]:
    """Imports of `av` that are carried out, not only looked at by a type checker."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = (
                [node.module or ""] if isinstance(node, ast.ImportFrom) else [one.name for one in node.names]
            )
            if any(name.split(".")[0] == "av" for name in names):
                yield node
        yield from imports_of_av(node)


def test_nobody_else_imports_it() -> None:
    sources = [path for folder in ("daemon", "hal", "provisioning") for path in (ROOT / folder).rglob("*.py")]
    found = {path for path in sources for _ in imports_of_av(ast.parse(path.read_text()))}
    assert found == {GATE}
