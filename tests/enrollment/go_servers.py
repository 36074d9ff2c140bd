"""ACME servers newer than Debian's, built by `go install` into the user's cache where there is a Go."""

import fcntl
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

BUILD_TIMEOUT_S = 1800.0
OLDEST_GO = (1, 24)
SERVERS = {
    "pebble": ("github.com/letsencrypt/pebble/v2/cmd/pebble", "v2.10.1"),
    "step-ca": ("github.com/smallstep/certificates/cmd/step-ca", "v0.30.2"),
}


class ServerMissing(Exception):  # noqa: N818 - says what is the case
    """A server is not in the cache and cannot be built here. The message says what to install."""


def cache_folder() -> Path:
    """Where they are kept: `conclave/acme` in the user's cache (XDG Base Directory)."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "conclave" / "acme"


def program(name: str) -> Path:
    """The program of a server, built if the cache has it not. Raises ServerMissing."""
    package, version = SERVERS[name]
    found = cache_folder() / f"{name}-{version}"
    if not found.exists():
        go = _go()
        found.parent.mkdir(parents=True, exist_ok=True)
        with (found.parent / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not found.exists():
                _build(go, f"{package}@{version}", found)
    return found


def _go() -> str:
    go = shutil.which("go", path=os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/local/go/bin")))
    if go is None:
        raise ServerMissing(f"Go is missing: install Go {OLDEST_GO[0]}.{OLDEST_GO[1]} or newer")
    said = subprocess.run([go, "version"], capture_output=True, text=True, timeout=60, check=False).stdout
    version = re.search(r"go(\d+)\.(\d+)", said)
    if version is None or (int(version[1]), int(version[2])) < OLDEST_GO:
        raise ServerMissing(f"Go is too old ({said.strip()}): install {OLDEST_GO[0]}.{OLDEST_GO[1]} or newer")
    return go


def _build(go: str, package: str, target: Path) -> None:
    print(f"conclave: building {package} (some minutes the first time)", file=sys.stderr)
    folder = target.with_suffix(".new")
    environment = {**os.environ, "GOBIN": str(folder), "CGO_ENABLED": "0", "GOFLAGS": "-buildvcs=false"}
    try:
        done = subprocess.run(
            [go, "install", package],
            capture_output=True,
            text=True,
            timeout=BUILD_TIMEOUT_S,
            env=environment,
            check=False,
        )
        if done.returncode != 0:
            raise ServerMissing(
                f"{package} cannot be built: {(done.stderr.strip().splitlines() or ['?'])[-1]}"
            )
        (built,) = folder.iterdir()
        built.replace(target)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
