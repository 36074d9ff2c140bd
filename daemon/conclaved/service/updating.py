"""A new firmware: its bundle is received here, and judged and installed by root (conclaved.updates.install).

The daemon believes nothing in a bundle and looks at none. It keeps what comes from filling the disk, from
being two at once, and from lying around when whoever sent it has gone.
"""

import asyncio
import contextlib
import logging
import os
import re
import secrets
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO

from conclaved.bus.room import RoomError, RoomErrorKind
from conclaved.bus.update_verbs import UpdateStatus
from conclaved.service.system_units import SystemUnit, SystemUnitError
from conclaved.updates import Progress, Refusal, Stage
from conclaved.updates.install import LAID_DOWN
from conclaved.updates.progress import PROGRESS_FILE

log = logging.getLogger(__name__)

MAX_BYTES = 400 * 1024 * 1024
"""More than both partitions of a slot hold."""
MAX_CHUNK = 1024 * 1024
RESERVE_BYTES = 16 * 1024 * 1024
"""What stays free on the disk, for settings, records and logs."""
IDLE_S = 60.0
"""Whoever sends nothing for so long has gone."""
LOOK_EVERY_S = 0.5
TRIAL_LOOK_EVERY_S = 5.0
_VERSION = re.compile(r'^IMAGE_VERSION="?([^"\n]*)"?$', re.MULTILINE)
_SLOT = re.compile(r"(?:^|\s)rauc\.slot=(\w{1,16})(?:\s|$)")
_AGAIN = "send it again: conclavectl update install"


@dataclass(frozen=True, slots=True)
class Places:
    """Where the daemon looks; tests have other places."""

    laid_down: Path = LAID_DOWN
    progress: Path = PROGRESS_FILE
    trial: Path = Path("/run/conclave-trial/state")
    """What slot-trial says of this start: `good`, or `good after VERSION`, which was given up."""
    os_release: Path = Path("/usr/lib/os-release")
    command_line: Path = Path("/proc/cmdline")


@dataclass(slots=True)
class _Upload:
    name: str
    size: int
    file: BinaryIO
    received: int = 0
    heard: asyncio.Event = field(default_factory=asyncio.Event)
    """Set by each part that comes."""


class Updating:
    """Implements `UpdateVerbs`. One event loop owns it."""

    def __init__(
        self,
        start: Callable[[SystemUnit], Awaitable[None]],
        is_active: Callable[[SystemUnit], Awaitable[bool]],
        changed: Callable[[], None],
        *,
        places: Places = Places(),
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """`start` starts a unit, `is_active` says whether it runs; `changed`: `status()` is another."""
        self._start = start
        self._is_active = is_active
        self._changed = changed
        self._places = places
        self._pause = pause
        self._upload: _Upload | None = None
        self._is_installing = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._status = UpdateStatus(
            version=_found(_VERSION, places.os_release), slot=_found(_SLOT, places.command_line)
        )

    def status(self) -> UpdateStatus:
        """See `UpdateVerbs`."""
        return self._status

    @property
    def problem(self) -> str:
        """For people; empty if there is none."""
        gone = self._status.fell_back_from
        if not gone:
            return ""
        return f"the update to {gone} did not start well and was given up: conclavectl update status"

    async def begin(self, size: int) -> str:
        """See `UpdateVerbs`."""
        if self._is_installing or self._upload is not None:
            raise RoomError(
                RoomErrorKind.BUSY, "an update comes already", hint="wait for it: conclavectl update status"
            )
        if not (self._status.is_confirmed or self._look_at_trial()):
            raise RoomError(
                RoomErrorKind.BUSY,
                "this start was not found to be well yet, and the other slot is what it would fall back to",
                hint="wait some minutes, then look: conclavectl update status",
            )
        if not 0 <= size <= MAX_BYTES:
            raise _too_large()
        self._refuse_full_disk(size)
        place = self._part()
        try:
            place.parent.mkdir(mode=0o700, exist_ok=True)
            place.unlink(missing_ok=True)
            file = place.open("xb")
        except OSError as error:
            raise _cannot_write(error) from error
        upload = _Upload(secrets.token_hex(8), size, file)
        self._upload = upload
        self._tell(state="receiving", step="receiving the bundle", received=0, **_NOTHING)
        self._spawn(self._forget_if_idle(upload))
        return upload.name

    async def send(self, upload: str, offset: int, data: bytes) -> None:
        """See `UpdateVerbs`."""
        coming = self._of(upload)
        if offset != coming.received or len(data) > MAX_CHUNK:
            raise RoomError(
                RoomErrorKind.INVALID_ARGUMENT,
                f"the next part begins at byte {coming.received} and has {MAX_CHUNK} bytes at most",
                hint=_AGAIN,
            )
        if coming.received + len(data) > (coming.size or MAX_BYTES):
            self._forget(coming)
            raise _too_large()
        try:
            if not coming.size:
                self._refuse_full_disk(len(data))
            # A card that is busy must not keep the room from its meeting.
            coming.received += len(data)
            coming.heard.set()
            await asyncio.to_thread(coming.file.write, data)
        except (OSError, ValueError) as error:
            self._forget(coming)
            raise _cannot_write(error) from error
        except RoomError:
            self._forget(coming)
            raise
        if self._upload is coming:
            self._tell(received=coming.received)

    async def install(self, upload: str) -> None:
        """See `UpdateVerbs`."""
        coming = self._of(upload)
        if coming.size and coming.received != coming.size:
            self._forget(coming)
            raise RoomError(
                RoomErrorKind.INVALID_ARGUMENT,
                f"only {coming.received} of {coming.size} bytes came",
                hint=_AGAIN,
            )
        self._is_installing = True
        self._upload = None
        before = self._stamp()
        try:
            await asyncio.to_thread(_publish, coming.file, self._part(), self._places.laid_down)
            self._tell(state="checking", step="checking the bundle")
            await self._start(SystemUnit.UPDATE)
        except OSError as error:
            self._end_failed()
            raise _cannot_write(error) from error
        except SystemUnitError as error:
            # Root may have judged it within the time that a start is followed.
            if self._stamp() == before:
                self._end_failed()
                raise RoomError(RoomErrorKind.FAILED, str(error), hint=error.hint) from error
        except BaseException:
            self._end_failed()
            raise
        self._spawn(self._follow(before))

    async def abandon(self, upload: str) -> None:
        """See `UpdateVerbs`."""
        self._forget(self._of(upload))

    async def run(self) -> None:
        """Take up what an earlier daemon began, and follow the trial of this start, until cancelled."""
        _remove(self._part())
        try:
            with contextlib.suppress(SystemUnitError):
                if await self._is_active(SystemUnit.UPDATE):
                    self._is_installing = True
                    self._spawn(self._follow(None))
                else:
                    _remove(self._places.laid_down)
                    self._take(Progress.load(self._places.progress))
            while not self._look_at_trial():
                await self._pause(TRIAL_LOOK_EVERY_S)
            await asyncio.Event().wait()
        finally:
            for task in self._tasks:
                task.cancel()
            if self._upload is not None:
                self._forget(self._upload)

    # -- the bundle -----------------------------------------------------------------------------

    def _part(self) -> Path:
        return self._places.laid_down.with_suffix(".part")

    def _of(self, name: str) -> _Upload:
        if self._upload is None or self._upload.name != name:
            raise RoomError(
                RoomErrorKind.NOT_FOUND, "there is no such upload, or it was given up", hint=_AGAIN
            )
        return self._upload

    def _refuse_full_disk(self, size: int) -> None:
        folder = self._places.laid_down.parent.parent
        try:
            found = os.statvfs(folder)
        except OSError as error:
            raise _cannot_write(error) from error
        free = found.f_bavail * found.f_frsize - RESERVE_BYTES
        if size > free:
            raise RoomError(
                RoomErrorKind.FAILED,
                f"the device's disk has room for {max(0, free) // 1_000_000} MB, and the bundle has "
                f"{size // 1_000_000}",
                hint="see what takes the space: conclavectl doctor",
            )

    async def _forget_if_idle(self, upload: _Upload) -> None:
        while self._upload is upload:
            upload.heard.clear()
            await self._pause(IDLE_S)
            if not upload.heard.is_set() and self._upload is upload:
                log.warning("an update was given up: nothing came for %d s", IDLE_S)
                self._forget(upload)

    def _forget(self, upload: _Upload) -> None:
        with contextlib.suppress(OSError):
            upload.file.close()
        _remove(self._part())
        if self._upload is upload:
            self._upload = None
            self._tell(state="idle", step="", received=0)

    # -- the installation -----------------------------------------------------------------------

    def _stamp(self) -> tuple[int, int] | None:
        """Which writing of the progress this is."""
        try:
            found = self._places.progress.stat()
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns

    async def _follow(self, before: tuple[int, int] | None) -> None:
        """Tell how far root is, until it has ended; `before` is what an earlier installation left."""
        try:
            while True:
                has_ended = not await self._is_still_active()
                stamp = self._stamp()
                if stamp is not None and stamp != before:
                    progress = Progress.load(self._places.progress)
                    if progress is not None:
                        self._take(progress)
                        if progress.has_ended:
                            return
                if has_ended:
                    self._end_failed("the installation ended without a word")
                    return
                await self._pause(LOOK_EVERY_S)
        finally:
            self._is_installing = False
            _remove(self._places.laid_down)

    async def _is_still_active(self) -> bool:
        try:
            return await self._is_active(SystemUnit.UPDATE)
        except SystemUnitError as error:
            log.warning("systemd does not say how the update is: %s", error)
            return False

    def _take(self, progress: Progress | None) -> None:
        if progress is None or progress.stage is Stage.UNKNOWN:
            return
        refusal = progress.refusal
        self._tell(
            state=progress.stage.value,
            percent=progress.percent,
            step=progress.step,
            bundle_version=progress.version,
            error=progress.message,
            error_kind=refusal.value if refusal else "",
            hint=progress.hint,
            next_version=progress.next_version,
        )

    def _end_failed(self, message: str = "the update was not installed") -> None:
        self._is_installing = False
        _remove(self._part())
        _remove(self._places.laid_down)
        self._tell(
            state="failed",
            step="",
            error=message,
            error_kind=Refusal.FAILED.value,
            hint="see: conclavectl logs",
        )

    # -- this start -----------------------------------------------------------------------------

    def _look_at_trial(self) -> bool:
        """Whether this start was found to be well, or will never be judged."""
        if not self._status.slot:
            return True
        try:
            said = self._places.trial.read_text().strip()
        except (OSError, UnicodeDecodeError):
            return False
        word, _, gone = said.partition(" after ")
        self._tell(is_confirmed=word == "good", fell_back_from=gone[:100])
        return word == "good"

    # -- small things ---------------------------------------------------------------------------

    def _tell(self, **fields: str | int | bool) -> None:
        told = replace(self._status, **fields)  # type: ignore[arg-type]
        if told != self._status:
            self._status = told
            self._changed()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("an update went wrong", exc_info=task.exception())


_NOTHING: dict[str, str | int] = {
    "percent": 0,
    "bundle_version": "",
    "error": "",
    "error_kind": "",
    "hint": "",
}


def _publish(file: BinaryIO, part: Path, place: Path) -> None:
    """All of it is on the disk, and nobody writes to it any more."""
    file.flush()
    os.fsync(file.fileno())
    file.close()
    part.replace(place)


def _remove(place: Path) -> None:
    with contextlib.suppress(OSError):
        place.unlink(missing_ok=True)


def _found(pattern: re.Pattern[str], place: Path) -> str:
    try:
        found = pattern.search(place.read_text())
    except (OSError, UnicodeDecodeError):
        return ""
    return found[1] if found else ""


def _too_large() -> RoomError:
    return RoomError(
        RoomErrorKind.INVALID_ARGUMENT,
        f"a bundle has at most {MAX_BYTES // 1024 // 1024} MiB, and as many bytes as it was said to have",
        hint="is that the right file?",
    )


def _cannot_write(error: Exception) -> RoomError:
    words = getattr(error, "strerror", None) or str(error)
    return RoomError(
        RoomErrorKind.FAILED, f"the bundle cannot be kept: {words}", hint="see: conclavectl doctor"
    )
