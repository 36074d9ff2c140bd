"""What lies within the device: clock, key, certificate, trust, hardware, disk."""

import asyncio
import os
import shutil
import stat
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path

from conclave_hal.none import NOT_FITTED
from conclaved.identity import IdentityError, Protection
from conclaved.identity.atomic_file import write_atomically
from conclaved.service import spoken_code
from conclaved.service.doctor.check import Outcome, Surroundings, failed, ok, unknown, warning

DAY_S = 86_400
LITTLE_BYTES, TOO_LITTLE_BYTES = 100 * 1024 * 1024, 16 * 1024 * 1024
INPUT_MAJOR = 13
"""Of all input devices (Linux, Documentation/admin-guide/devices.txt)."""
PROBE = b"conclave doctor: a signature that says nothing"
"""Signed to see that the key can: no text that any protocol of ours signs begins so."""


async def check_clock(room: Surroundings) -> Outcome:
    """Whether there is a time to believe."""
    doubt = room.clock.why_not()
    if doubt:
        return failed(f"{doubt}: nobody is verified meanwhile", "conclavectl time")
    return ok(f"the clock is believed: {time.strftime('%Y-%m-%d %H:%M:%S UTC', time.gmtime(room.wall()))}")


async def check_key(room: Surroundings) -> Outcome:
    """Whether the device's key is there, protected, and signs."""
    try:
        info = await asyncio.to_thread(lambda: room.keys.info)
        if info.protection is Protection.NONE:
            return unknown("there is no key yet: it is made with the first enrollment")
        began = time.perf_counter()
        await asyncio.to_thread(lambda: room.keys.signer().sign(PROBE))
        took_ms = (time.perf_counter() - began) * 1000
    except IdentityError as error:
        return failed(f"the key does not sign: {error}", error.hint or "conclavectl logs")
    words = f"the key is kept {info.protection.value}, and signs in {took_ms:.0f} ms"
    if info.protection is Protection.PLAIN:
        return warning(f"{words}: who takes the disk takes the identity", "give the unit a wrapping key")
    if info.is_moving:
        return warning(
            f"{words}; the next enrollment makes one where it is configured to be",
            f"conclavectl identity enroll {room.domain or 'DOMAIN'}",
        )
    return ok(words)


async def check_certificate(room: Surroundings) -> Outcome:
    """How long the certificate lasts."""
    identity = room.identity
    enroll = f"conclavectl identity enroll {room.domain or 'DOMAIN'}"
    if not identity.not_after:
        return failed("there is no certificate: nobody can verify this room", enroll)
    left_s = identity.not_after - room.wall()
    words = f"{identity.domain}: {int(left_s // DAY_S)} days left, by {identity.issuer}"
    if left_s <= 0:
        return failed(f"the certificate of {identity.domain} has ended", enroll)
    # Renewal is due at two thirds: with a quarter left it has failed for a while.
    if left_s < (identity.not_after - identity.not_before) / 4:
        return warning(f"{words}, and it was not renewed", enroll)
    return ok(words)


async def check_trust(room: Surroundings) -> Outcome:
    """Whether anybody can be verified."""
    if not room.anchors:
        return warning(
            "there is no trust anchor: nobody can be verified",
            "conclavectl trust add FILE --label NAME --kind verified",
        )
    ended = [label for label, not_after in room.anchors if not_after < room.wall()]
    if ended:
        return warning(f"trust anchors that have ended: {', '.join(ended)}", "conclavectl trust list")
    if room.stale_crls:
        return warning(
            f"lists of revoked certificates that are out of date: {', '.join(room.stale_crls)}",
            "conclavectl trust crl add FILE",
        )
    return ok(f"trusted: {', '.join(label for label, _ in room.anchors)}")


async def check_hardware(room: Surroundings) -> Outcome:
    """Whether each piece of hardware works."""
    bad = [
        f"{slot} is {health}{f' ({reason})' if reason else ''}"
        for slot, health, reason in room.devices
        if health in ("failed", "degraded", "unknown")
    ]
    if bad:
        return failed("; ".join(bad), "check cable and power, then: conclavectl hardware")
    return ok(f"well: {', '.join(slot for slot, _, _ in room.devices)}")


async def check_voice(room: Surroundings) -> Outcome:
    """Whether the security code can be read aloud to who cannot see it from where they sit."""
    speakers = [health for slot, health, reason in room.devices if slot == "speaker" and reason != NOT_FITTED]
    if not speakers:
        return ok("no speaker is fitted: the code is read from the panel")
    if shutil.which(spoken_code.PROGRAM) is None:
        why = f"{spoken_code.PROGRAM} is not installed: nothing reads the code aloud"
        return warning(why, "ask the device's maker")
    return ok(f"{spoken_code.PROGRAM} reads the code aloud")


async def check_ports(room: Surroundings) -> Outcome:
    """Whether the device files that `hal.toml` names are there, and this service may use them."""
    try:
        wanted = sorted(set(_device_files(tomllib.loads(room.config.hal.read_text(encoding="utf-8")))))
    except (OSError, ValueError) as error:
        return failed(f"{room.config.hal} cannot be read: {error}", "ask the device's maker")
    bad = [f"{path} {why}" for path in wanted if (why := _objection(Path(path)))]
    if bad:
        return failed("; ".join(bad), "check the cable, then: conclavectl hardware")
    return ok(", ".join(wanted) if wanted else "no serial or other device file is configured")


def _device_files(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for inner in value.values():
            yield from _device_files(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _device_files(inner)
    elif isinstance(value, str) and value.startswith("/dev/"):
        yield value


def _objection(path: Path) -> str:
    try:
        found = path.stat()
    except OSError:
        return "is not there"
    if not stat.S_ISCHR(found.st_mode) and not stat.S_ISBLK(found.st_mode):
        return "is no device"
    return "" if os.access(path, access_wanted(found.st_rdev)) else "may not be used by this service"


def access_wanted(device: int) -> int:
    """How a device of this number is used: buttons and touch screens (`/dev/input`) are only read."""
    return os.R_OK if os.major(device) == INPUT_MAJOR else os.R_OK | os.W_OK


async def check_disk(room: Surroundings) -> Outcome:
    """Whether state can be stored, now and for a while."""
    folder = room.config.state_directory
    probe = folder / "doctor.probe"
    try:
        write_atomically(probe, b"")
        probe.unlink()
        free = shutil.disk_usage(folder).free
    except OSError as error:
        return failed(f"{folder} takes no file: {error.strerror}", "conclavectl logs")
    words = f"{free // (1024 * 1024)} MiB free in {folder}"
    if free < TOO_LITTLE_BYTES:
        return failed(words, "remove what fills the disk")
    return warning(words, "remove what fills the disk") if free < LITTLE_BYTES else ok(words)
