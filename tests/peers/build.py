"""Builds the peers' programs into the user's cache, each under a hash of what it is made of.

A cold build takes some minutes and needs a network; afterwards a program is there at once. Nothing of it
is needed to use or to test the rest of the house.
"""

import fcntl
import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).parent
NAMES = ("openmls", "mls-rs-awslc", "mls-rs-openssl", "ts-mls")
OLDEST_RUST = (1, 91)
OLDEST_NODE = (20, 0)
BUILD_TIMEOUT_S = 3600.0

_CRATES = {
    "openmls": ("openmls",),
    "mls-rs-awslc": ("mls-rs", "mls-rs-awslc"),
    "mls-rs-openssl": ("mls-rs", "mls-rs-openssl"),
}


class PeerError(Exception):
    """Something about a peer did not work. `hint` says what to do about it, where one can."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(f"{message}; {hint}" if hint else message)
        self.hint = hint


class PeerMissing(PeerError):  # noqa: N818 - says what is the case
    """A peer's program is not there and cannot be made here."""


class PeerBuildFailed(PeerMissing):
    """A peer's program could not be built though its tools are there."""


def cache_folder() -> Path:
    """Where programs are kept: `conclave/peers` in the user's cache (XDG Base Directory)."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "conclave" / "peers"


def program(name: str) -> Path:
    """The program of a peer (one of `NAMES`), built if the cache has it not.

    Raises PeerMissing, which says what to install.
    """
    found = place(name)
    if found.exists():
        return found
    _check_tools(name)
    with _only_one_builder():
        if not found.exists():
            print(f"conclave: building the peer {name} (some minutes the first time)", file=sys.stderr)
            if name == "ts-mls":
                _install_ts(found)
            else:
                _build_rust(name, found)
    return found


def command(name: str) -> list[str]:
    """How to run a peer, its interpreter included; raises as `program` does."""
    path = str(program(name))
    return ["node", "--expose-gc", path] if name == "ts-mls" else [path]


def missing(name: str) -> PeerMissing | None:
    """Why a peer cannot be run or built here; None where nothing is known to stand against it."""
    if place(name).exists():
        return None
    try:
        _check_tools(name)
    except PeerMissing as error:
        return error
    return None


def _sources(name: str) -> list[Path]:
    if name == "ts-mls":
        folder = HERE / "ts"
        return sorted([*folder.glob("*.js"), folder / "package.json", folder / "package-lock.json"])
    folder = HERE / "rust"
    crates = [folder / crate for crate in ("stdio", *_CRATES[name])]
    own = [path for crate in crates for path in (*crate.rglob("*.rs"), crate / "Cargo.toml")]
    return sorted([*own, folder / "Cargo.toml", folder / "Cargo.lock"])


def place(name: str) -> Path:
    """Where the program of a peer is once it has been built from these sources."""
    if name not in NAMES:
        raise PeerMissing(f"there is no peer {name}", hint="one of " + ", ".join(NAMES))
    digest = hashlib.sha256(f"{name} {platform.machine()}".encode())
    for path in _sources(name):
        content = path.read_bytes()
        digest.update(f"\n{path.relative_to(HERE).as_posix()} {len(content)}\n".encode() + content)
    folder = cache_folder() / digest.hexdigest()[:20]
    return folder / ("peer.js" if name == "ts-mls" else f"peer-{name}")


def _check_tools(name: str) -> None:
    if name == "ts-mls":
        _check_version("node", OLDEST_NODE, "install Node.js 20 or newer with npm")
        _check_there("npm", "install npm")
        return
    _check_version("cargo", OLDEST_RUST, "install Rust 1.91 or newer")
    _check_there("cc", "apt-get install gcc libc6-dev")
    if name == "mls-rs-awslc":
        _check_there("cmake", "apt-get install cmake")
    if name == "mls-rs-openssl":
        _check_there("pkg-config", "apt-get install pkg-config libssl-dev")
        if subprocess.run(["pkg-config", "--exists", "openssl"], check=False).returncode != 0:
            raise PeerMissing("OpenSSL's headers are missing", hint="apt-get install libssl-dev")


def _environment() -> dict[str, str]:
    """This process's, with the folder where rustup puts cargo, which only a login shell has in its PATH."""
    path = os.pathsep.join((os.environ.get("PATH", os.defpath), str(Path.home() / ".cargo" / "bin")))
    return {**os.environ, "PATH": path}


def _check_there(tool: str, hint: str) -> None:
    if shutil.which(tool, path=_environment()["PATH"]) is None:
        raise PeerMissing(f"{tool} is missing", hint=hint)


def _check_version(tool: str, oldest: tuple[int, int], hint: str) -> None:
    _check_there(tool, hint)
    path = shutil.which(tool, path=_environment()["PATH"]) or tool
    answer = subprocess.run([path, "--version"], capture_output=True, text=True, check=False).stdout
    found = re.search(r"(\d+)\.(\d+)", answer)
    if found is None or (int(found[1]), int(found[2])) < oldest:
        raise PeerMissing(f"{tool} is too old ({answer.strip() or 'no version'})", hint=hint)


@contextmanager
def _only_one_builder() -> Iterator[None]:
    folder = cache_folder()
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _build_rust(name: str, wanted: Path) -> None:
    # One target folder for all: the stacks share most of what they are built from, and a change of our
    # own few lines does not build them anew.
    target = cache_folder() / "target"
    words = ["cargo", "build", "--release", "--locked", "--package", f"peer-{name}"]
    _run(name, words, HERE / "rust", {"CARGO_TARGET_DIR": str(target)})
    _appear(target / "release" / f"peer-{name}", wanted)


def _install_ts(wanted: Path) -> None:
    staging = wanted.parent.with_name(wanted.parent.name + ".part")
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir(parents=True)
    for path in _sources("ts-mls"):
        shutil.copy(path, staging)
    _run("ts-mls", ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], staging, {})
    shutil.rmtree(wanted.parent, ignore_errors=True)
    staging.rename(wanted.parent)


def _appear(built: Path, wanted: Path) -> None:
    """Let a program appear in the cache whole or not at all."""
    wanted.parent.mkdir(parents=True, exist_ok=True)
    part = wanted.with_suffix(".part")
    shutil.copy(built, part)
    part.rename(wanted)


def _run(name: str, words: Sequence[str], folder: Path, environment: dict[str, str]) -> None:
    log = cache_folder() / f"{name}.log"
    path = shutil.which(words[0], path=_environment()["PATH"]) or words[0]
    with log.open("wb") as output:
        try:
            done = subprocess.run(
                [path, *words[1:]],
                cwd=folder,
                env={**_environment(), **environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                timeout=BUILD_TIMEOUT_S,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise PeerBuildFailed(f"building {name} took too long", hint=f"see {log}") from error
    if done.returncode != 0:
        last = log.read_text(errors="replace").strip().splitlines()[-5:]
        raise PeerBuildFailed(f"building {name} failed: " + " / ".join(last), hint=f"see {log}")
