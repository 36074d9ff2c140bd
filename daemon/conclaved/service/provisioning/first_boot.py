"""Before anybody has set anything: waits for a provisioning file, and applies the first good one.

It looks at a folder, where a USB stick appears, and asks a pinned server, again and again and ever more
rarely, until the device has settings: from a file, or from an admin who was faster. Never after that: a stick
does nothing to a room that is in use.
"""

import asyncio
import logging
import stat
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from conclaved.bus.change_report import ChangeReport
from conclaved.bus.record import DONE, Record, Recorder
from conclaved.bus.room import EnrollmentRequest, RoomError, RoomErrorKind
from conclaved.service.provisioning import pinned_server
from conclaved.service.provisioning.errors import ProvisioningError, ProvisioningErrorKind
from conclaved.service.provisioning.provisioning import Provisioning
from conclaved.service.provisioning.provisioning_file import MAX_BYTES

log = logging.getLogger(__name__)

SUFFIX = ".jws"
MOST_FILES = 32
LOOK_EVERY_S = 5.0
ASK_FIRST_AFTER_S = 15.0
ASK_LAST_EVERY_S = 3600.0


Mark = tuple[str, int, int]


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a file was not applied."""

    words: str
    is_final: bool
    """Whether it will never be good."""


@dataclass(frozen=True, slots=True)
class FirstBoot:
    """The wait for the first settings."""

    provisioning: Provisioning
    enroll: Callable[[EnrollmentRequest], Awaitable[None]]
    """Starts an enrollment: a room that was given a domain asks for its certificate itself."""
    record: Recorder
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep

    async def run(self) -> None:
        """Wait for a file and apply it; returns when the device has settings, at once if it has."""
        config = self.provisioning.configuring.config.provisioning
        if not self._is_new or not (config.folder or config.url):
            return
        sources = []
        if config.folder is not None:
            sources.append(asyncio.create_task(self._watch(config.folder), name="provisioning folder"))
        if config.url:
            sources.append(asyncio.create_task(self._ask(config.url, config.server_key), name="provisioning"))
        try:
            await asyncio.wait(sources, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for source in sources:
                source.cancel()
            await asyncio.wait(sources)
        for source in sources:
            if not source.cancelled():
                source.result()

    @property
    def _is_new(self) -> bool:
        return self.provisioning.configuring.status().generation == 0

    async def _watch(self, folder: Path) -> None:
        refused: dict[Mark, Refusal] = {}
        while self._is_new:
            for path, mark in await asyncio.to_thread(lambda: list(_files(folder))):
                known = refused.get(mark)
                if known is not None and known.is_final:
                    continue
                token = await asyncio.to_thread(_text, path)
                refusal = await self._try(token, f"file {path}", known)
                if refusal is None:
                    return
                refused[mark] = refusal
            await self.pause(LOOK_EVERY_S)

    async def _ask(self, url: str, server_key: str) -> None:
        address = url.replace("{serial}", quote(self.provisioning.serial_number, safe=""))
        delay_s = ASK_FIRST_AFTER_S
        said = ""
        refusal: Refusal | None = None
        while self._is_new:
            try:
                token = await asyncio.to_thread(pinned_server.fetch, address, server_key)
            except ProvisioningError as error:
                if str(error) != said:
                    log.warning("no provisioning file yet: %s", error)
                    said = str(error)
            else:
                refusal = await self._try(token, f"address {address}", refusal)
                if refusal is None:
                    return
            await self.pause(delay_s)
            delay_s = min(2 * delay_s, ASK_LAST_EVERY_S)

    async def _try(self, token: str, origin: str, before: "Refusal | None") -> "Refusal | None":
        """Apply a file, if it is good and nobody was faster: None. Else why it is refused.

        Either way it is on record, a refusal only if it is another than `before`.
        """
        if not self._is_new:
            return None
        try:
            report = self.provisioning.apply(token)
        except RoomError as error:
            refusal = Refusal(str(error), is_final=not _may_pass(error))
            if refusal != before:
                log.warning("the provisioning file (%s) is refused: %s", origin, error)
                self._record(origin, error.kind.value, str(error), ChangeReport(False))
            return refusal
        self._record(origin, DONE, "", report)
        await self._enroll()
        return None

    async def _enroll(self) -> None:
        config = self.provisioning.configuring.config
        if config.identity_domain and config.identity_method == "acme":
            try:
                await self.enroll(EnrollmentRequest(config.identity_domain))
            except RoomError as error:
                log.warning("the room cannot be enrolled yet: %s", error)

    def _record(self, origin: str, outcome: str, reason: str, report: ChangeReport) -> None:
        self.record(
            Record(
                None,
                origin,
                "Config.Provision",
                (),
                outcome,
                reason,
                report.changed,
                report.changes,
                who="zero touch",
            )
        )


def _may_pass(error: RoomError) -> bool:
    """Whether the same file may be good later: the clock is set, the disk takes it."""
    cause = error.__cause__
    is_early = isinstance(cause, ProvisioningError) and cause.kind is ProvisioningErrorKind.NOT_YET
    return is_early or error.kind is RoomErrorKind.FAILED


def _files(folder: Path) -> Iterator[tuple[Path, Mark]]:
    """The files that may be meant, each with a mark that another content does not have."""
    try:
        paths = sorted(folder.glob(f"*{SUFFIX}"))[:MOST_FILES]
    except OSError:
        return
    for path in paths:
        with suppress(OSError):
            found = path.stat()
            # To open a pipe would be to wait for ever.
            if stat.S_ISREG(found.st_mode):
                yield path, (path.name, found.st_mtime_ns, found.st_size)


def _text(path: Path) -> str:
    """A file's text; empty if it cannot be read, which is no provisioning file either."""
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1).decode("ascii", "replace").strip()
    except OSError:
        return ""
