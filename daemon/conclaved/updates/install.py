"""What conclave-update.service runs, as root: judges the bundle that the daemon laid down; RAUC installs it.

The daemon is not believed. Its file is taken away from it first: renamed into a folder of root's, owned by
root, and looked at only once nobody has it open for writing any more (a read lease, fcntl(2), is granted only
then). What was checked is thus what is installed. RAUC judges signature and board. The version is judged here
(RAUC 1.8 cannot): it must not be older than the minimum that the running, verified root names.
"""

import argparse
import fcntl
import os
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

from conclaved.updates import rauc
from conclaved.updates.progress import PROGRESS_FILE, Progress, Refusal, Stage
from conclaved.updates.rauc import Bundle, RaucError
from conclaved.updates.version import Version, VersionError

LAID_DOWN = Path("/var/lib/conclave/update/bundle.raucb")
OWN_FOLDER = Path("/var/lib/conclave-device/update")
INSTALLED_VERSION = Path("/var/lib/conclave-device/installed-version")
"""The version that the next start should be of, for slot-trial to compare."""
MINIMUM_VERSION = Path("/etc/rauc/minimum-version")
TRIAL = Path("/run/conclave-trial/state")
"""There once this start was found to be well, by slot-trial."""
INFO_WITHIN_S = 120.0


@dataclass(frozen=True, slots=True)
class Places:
    """Where everything is; tests have other places."""

    laid_down: Path = LAID_DOWN
    own_folder: Path = OWN_FOLDER
    installed_version: Path = INSTALLED_VERSION
    minimum_version: Path = MINIMUM_VERSION
    system_conf: Path = rauc.SYSTEM_CONF
    progress: Path = PROGRESS_FILE
    trial: Path = TRIAL
    rauc: tuple[str, ...] = ("/usr/bin/rauc",)


def install(places: Places) -> bool:
    """Install it; True if the other slot has it now. What happens is written to `places.progress`."""
    told = Progress(Stage.CHECKING, step="checking the bundle")

    def tell(progress: Progress) -> None:
        nonlocal told
        told = replace(progress, next_version=_noted(places.installed_version))
        told.save(places.progress)

    tell(told)
    try:
        bundle_file = take(places)
        if not places.trial.exists():
            raise RaucError(
                Refusal.FAILED,
                "this start was not found to be well yet, and the other slot is what it would fall back to",
                "wait some minutes, then look: conclavectl update status",
            )
        bundle = look(places, bundle_file)
        tell(replace(told, version=bundle.version))
        judge(bundle, rauc.device_compatible(places.system_conf), minimum(places.minimum_version))
        # What an earlier update laid into the slot goes now.
        places.installed_version.unlink(missing_ok=True)
        _write_slot(places, bundle_file, tell, told)
        _remember(places.installed_version, bundle.version)
    except RaucError as error:
        failed = Progress(
            Stage.FAILED, version=told.version, refusal=error.refusal, message=str(error), hint=error.hint
        )
        print(f"<3>no update: {error}; {error.hint}", file=sys.stderr)
        tell(failed)
        return False
    finally:
        shutil.rmtree(places.own_folder, ignore_errors=True)
    print(f"installed {bundle.version}; the next start is of it")
    tell(Progress(Stage.INSTALLED, 100, version=bundle.version))
    return True


def take(places: Places) -> Path:
    """The bundle, in root's own folder and nobody else's any more. Raises RaucError."""
    shutil.rmtree(places.own_folder, ignore_errors=True)
    places.own_folder.mkdir(mode=0o700)
    mine = places.own_folder / places.laid_down.name
    try:
        places.laid_down.rename(mine)
        file = os.open(mine, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        raise RaucError(
            Refusal.FAILED,
            f"there is no bundle: {error.strerror}",
            "send it again: conclavectl update install",
        ) from error
    try:
        if not stat.S_ISREG(os.fstat(file).st_mode):
            raise RaucError(Refusal.DAMAGED, "what was laid down is no file", "send the bundle again")
        os.fchown(file, os.getuid(), os.getgid())
        os.fchmod(file, 0o400)
        try:
            fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        except OSError as error:
            raise RaucError(
                Refusal.FAILED,
                "somebody still writes to the bundle",
                "send it again: conclavectl update install",
            ) from error
    finally:
        os.close(file)
    return mine


def look(places: Places, bundle_file: Path) -> Bundle:
    """What the bundle says, once RAUC found its signature good. Raises RaucError."""
    words = [*places.rauc, f"--conf={places.system_conf}", "info", "--output-format=json", str(bundle_file)]
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=INFO_WITHIN_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise RaucError(Refusal.FAILED, f"RAUC does not answer: {error}", "see: conclavectl logs") from error
    if done.returncode != 0:
        sys.stderr.write(done.stderr)
        raise rauc.refusal(done.stderr)
    return rauc.bundle(done.stdout)


def judge(bundle: Bundle, here: str, oldest: Version) -> None:
    """Raises RaucError unless the bundle is for this device and new enough."""
    if bundle.compatible != here:
        raise rauc.wrong_device(bundle.compatible, here)
    try:
        version = Version.parse(bundle.version)
    except VersionError as error:
        raise RaucError(Refusal.TOO_OLD, str(error), "ask the device's maker for a newer one") from error
    if version < oldest:
        least = ".".join(str(number) for number in oldest.numbers)
        raise RaucError(
            Refusal.TOO_OLD,
            f"the bundle is {bundle.version}, and this device takes none below {least}",
            "older ones have faults that attackers know; take a newer one",
        )


def minimum(place: Path) -> Version:
    """What the running root names. Raises RaucError if it names none: then nobody knows what is too old."""
    try:
        return Version.parse(place.read_text().strip())
    except (OSError, UnicodeDecodeError, VersionError) as error:
        raise RaucError(
            Refusal.FAILED, f"this device does not say what is too old for it: {error}", "tell its maker"
        ) from error


def _write_slot(places: Places, bundle_file: Path, tell: Callable[[Progress], None], told: Progress) -> None:
    tell(replace(told, stage=Stage.INSTALLING, step="installing"))
    said: list[str] = []
    with subprocess.Popen(
        [*places.rauc, "install", str(bundle_file)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:
        output: IO[str] | None = process.stdout
        for line in output or ():
            sys.stdout.write(line)
            sys.stdout.flush()
            said.append(line)
            found = rauc.step(line)
            if found is not None:
                tell(replace(told, stage=Stage.INSTALLING, percent=found[0], step=found[1]))
    if process.returncode != 0:
        raise rauc.refusal("".join(said))


def _noted(place: Path) -> str:
    try:
        return place.read_text().strip()
    except (OSError, UnicodeDecodeError):
        return ""


def _remember(place: Path, version: str) -> None:
    """Only what is installed as a whole: what a power cut ended was not given up by a start of its own."""
    new = place.with_name(f"{place.name}.new")
    with new.open("w") as file:
        file.write(f"{version}\n")
        file.flush()
        os.fsync(file.fileno())
    new.replace(place)


def _end(number: int, frame: object) -> None:
    raise RaucError(
        Refusal.FAILED, "the installation was ended", "install it again: conclavectl update install"
    )


def main() -> None:
    """`python -I -m conclaved.updates.install`: what conclave-update.service runs."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    signal.signal(signal.SIGTERM, _end)
    sys.exit(0 if install(Places()) else 1)


if __name__ == "__main__":
    main()
