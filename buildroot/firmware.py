#!/usr/bin/env python3
"""Builds a board's image with Buildroot, out of its tree, and tells how it goes and what came of it.

    buildroot/firmware.py BOARD BUILDROOT [--out FOLDER] [--jobs N]

BOARD is a folder of buildroot/board. Environment: BR2_DL_DIR (a folder of sources that builds share),
CONCLAVE_KEYS (docs/firmware.md, "Keys"). What make says goes to build.log in the output folder. A build
that stopped goes on there.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

EXTERNAL = Path(__file__).parent
BOARDS = EXTERNAL / "board"
NAMED = (
    "linux",
    "uboot",
    "systemd",
    "python3",
    "openssl",
    "openssh",
    "rauc",
    "ffmpeg8",
    "python-cryptography",
)
"""Packages of which the end tells the versions."""
_STEP = re.compile(
    r"^(?:\x1b\[\d*m)*>>> (\S+) (\S+) (Downloading|Extracting|Patching|Configuring|Building|Installing)"
)
_ENDED = re.compile(r"^([\d.]+):(start|end)\s*:\s*([\w-]+)\s*:\s*(\S+)")


class FirmwareError(Exception):
    """The build cannot be done; the message says what to do."""


@dataclass(slots=True)
class Progress:
    """What to print of what make says."""

    packages: int
    """How many will be built."""
    begun: set[str] = field(default_factory=set)
    downloading: str | None = None
    """The package whose sources are being had."""
    _last: str = ""

    def line(self, said: str, spent_s: float) -> str | None:
        """A line for people where a package begins another kind of work, or None."""
        found = _STEP.match(said)
        if found is None:
            return None
        self.downloading = f"{found[1]} {found[2]}" if found[3] == "Downloading" else None
        if found[3] in ("Patching", "Downloading"):
            return None
        self.begun.add(found[1])
        told = f"{found[1]} {found[2]}: {found[3].lower()}"
        if told == self._last:
            return None
        self._last = told
        return f"[{len(self.begun):3}/{self.packages}] {_clock(spent_s)} {told}"


def defconfig_of(board: str) -> Path:
    """The configuration of a board. Raises FirmwareError, which names those that there are."""
    for path in sorted((EXTERNAL / "configs").glob("*_defconfig")):
        if f'BR2_ROOTFS_POST_SCRIPT_ARGS="{board}"' in path.read_text():
            return path
    boards = ", ".join(sorted(path.parent.name for path in BOARDS.glob("*/board.conf")))
    raise FirmwareError(f"there is no board {board or '(BOARD is not set)'}; boards are: {boards}")


def checkout(named: str) -> Path:
    """The checkout of Buildroot. Raises FirmwareError."""
    folder = Path(named).resolve()
    if not named or not (folder / "package/Config.in").exists():
        raise FirmwareError(
            f"{named or 'BUILDROOT'} is no checkout of Buildroot; git clone -b 2026.08 "
            "https://gitlab.com/buildroot.org/buildroot.git, then BUILDROOT=THAT_FOLDER"
        )
    return folder


def seconds_by_package(log: Iterable[str]) -> dict[str, float]:
    """How long each package took, of Buildroot's build-time.log: lines of "time:start|end:step:package"."""
    begun: dict[tuple[str, str], float] = {}
    spent: dict[str, float] = {}
    for line in log:
        found = _ENDED.match(line)
        if found is None:
            continue
        step = (found[3], found[4])
        if found[2] == "start":
            begun[step] = float(found[1])
        elif step in begun:
            spent[found[4]] = spent.get(found[4], 0.0) + float(found[1]) - begun.pop(step)
    return spent


def report(out: Path, packages: dict[str, Any]) -> Iterator[str]:
    """Times, sizes and versions of a build that is done."""
    log = out / "build/build-time.log"
    if log.exists():
        spent = seconds_by_package(log.read_text().splitlines())
        yield f"times: {_clock(sum(spent.values()))} in all; the longest:"
        for name, seconds in sorted(spent.items(), key=lambda item: -item[1])[:12]:
            yield f"  {_clock(seconds)}  {name}"
    sizes = out / "images/sizes"
    if sizes.exists():
        yield "sizes:"
        for line in sizes.read_text().splitlines():
            size, name = line.split(maxsplit=1)
            yield f"  {int(size) / 1e6:9.1f} MB  {name}"
    yield "versions:"
    for name in NAMED:
        if name in packages:
            yield f"  {name} {packages[name].get('version', '')}"


def build(board: str, buildroot: Path, out: Path, jobs: int) -> None:
    """Build, printing as it goes. Raises FirmwareError with the last words of make."""
    out.mkdir(parents=True, exist_ok=True)
    defconfig = defconfig_of(board)
    make = ["make", "-C", str(buildroot), f"O={out}", f"BR2_EXTERNAL={EXTERNAL}"]
    _run([*make, "-s", defconfig.name])
    packages: dict[str, Any] = json.loads(_run([*make, "-s", "show-info"]))
    (out / "show-info.json").write_text(json.dumps(packages, indent=1, sort_keys=True) + "\n")
    count = sum(1 for about in packages.values() if about.get("type") in ("target", "host"))
    progress = Progress(count)
    print(f"firmware: {board}: {count} packages, into {out}", flush=True)
    began = time.monotonic()
    with (out / "build.log").open("a") as log:
        words = [*make, f"BR2_JLEVEL={jobs}"]
        process = subprocess.Popen(
            words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", env=_quiet()
        )
        assert process.stdout is not None  # noqa: S101
        last: list[str] = []
        for line in process.stdout:
            log.write(line)
            last = [*last[-29:], line.rstrip()]
            told = progress.line(line, time.monotonic() - began)
            if told is not None:
                print(told, flush=True)
        if process.wait() != 0:
            if progress.downloading is not None:
                last.append(
                    f"the sources of {progress.downloading} cannot be had, or are others: "
                    "put them into BR2_DL_DIR (buildroot/README.md, Sources from a Debian mirror)"
                )
            last.append(f"the build stopped; all that make said is in {out}/build.log")
            raise FirmwareError("\n".join(last))
    tell_parts(buildroot, out)
    for line in report(out, packages):
        print(line)
    print(f"firmware: {_clock(time.monotonic() - began)}; {out}/images/disk.img is to be flashed")


def tell_parts(buildroot: Path, out: Path) -> None:
    """Put what the image is made of beside it (sbom.py). Raises FirmwareError."""
    images = out / "images"
    tool = [sys.executable, str(EXTERNAL / "sbom.py")]
    sbom = str(images / "sbom.cdx.json")
    _run([*tool, "image", str(buildroot), str(out / "show-info.json"), sbom])
    lock = str(EXTERNAL / "requirements.lock")
    _run([*tool, "python", lock, str(images / "sbom-python.cdx.json")])
    _run([*tool, "vex", sbom, str(images / "vex.cdx.json")])


def _quiet() -> dict[str, str]:
    """Our environment without what a make above would tell this one."""
    return {key: value for key, value in os.environ.items() if not key.startswith(("MAKE", "MFLAGS"))}


def _run(words: list[str]) -> str:
    done = subprocess.run(words, capture_output=True, text=True, env=_quiet())
    if done.returncode != 0:
        raise FirmwareError(done.stderr.strip() or done.stdout.strip())
    return done.stdout


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60:3}:{int(seconds) % 60:02}"


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n", maxsplit=1)[0])
    parser.add_argument("board")
    parser.add_argument("buildroot")
    parser.add_argument("--out", type=Path, help="default: build/firmware/BOARD")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    out = options.out or EXTERNAL.parent / "build/firmware" / options.board
    try:
        defconfig_of(options.board)
        build(options.board, checkout(options.buildroot), out.resolve(), options.jobs)
    except FirmwareError as error:
        print(f"firmware: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
