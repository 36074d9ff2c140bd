"""The PyPI package `rfc9420`, in a venv of its own in the user's cache: it is no dependency of the house."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.bench.mls.figure import Figure
from tests.bench.mls.peers import NotMeasured, run_bench
from tests.peers.build import cache_folder

NAME = "rfc9420"
VERSION = "1.3.0"
INSTALL_TIMEOUT_S = 300.0


def measure(n: int, credential: str, limit_s: float) -> Iterator[Figure]:
    """Its figures; NotMeasured where it cannot be installed or does not get through."""
    if credential != "basic":
        raise NotMeasured("driven with basic credentials only")
    driver = Path(__file__).with_name("rfc9420_driver.py")
    yield from run_bench([str(_interpreter()), "-P", str(driver), str(n)], limit_s)


def _interpreter() -> Path:
    """The interpreter of the venv, which is made if it is not there."""
    minor = f"{sys.version_info.major}.{sys.version_info.minor}"
    folder = cache_folder() / f"{NAME}-{VERSION}-py{minor}"
    interpreter = folder / "bin" / "python"
    if (folder / "complete").exists():
        return interpreter
    shutil.rmtree(folder, ignore_errors=True)
    install = [str(interpreter), "-m", "pip", "install", "-q", f"{NAME}=={VERSION}"]
    try:
        for words in ([sys.executable, "-m", "venv", str(folder)], install):
            subprocess.run(words, check=True, capture_output=True, timeout=INSTALL_TIMEOUT_S)
    except (subprocess.SubprocessError, OSError):
        raise NotMeasured(f"cannot install {NAME} {VERSION} into {folder}") from None
    (folder / "complete").touch()
    return interpreter
