"""Back to how the device left the factory: whoever gets it next finds nothing of who had it before.

Everything in the state directory goes, but for the last time seen, the numbers of provisioning files that
were applied, and that the case was opened: they keep nobody's secret, and without them whoever can set the
clock back could revive a certificate that has ended, or a lost stick, and whoever gets the device next would
take it for one that nobody was inside of. A mark is set first, so that a
power cut in the middle is followed by the rest at the next start. What lies outside of the state directory
(Wi-Fi, SSH keys, logs) is systemd's to remove.
"""

import asyncio
import logging
import shutil
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from conclaved.bus.change_report import Change, ChangeReport
from conclaved.bus.room import RoomError, RoomErrorKind
from conclaved.identity import IdentityError, KeyStore
from conclaved.identity.atomic_file import fsync_directory, write_atomically
from conclaved.service.tampering import TAMPER_FILE

log = logging.getLogger(__name__)

MARK = "factory-reset"
MOST_ATTEMPTS = 10
KEPT = frozenset({"last-seen-time", "provisioned.json", TAMPER_FILE, MARK})


@dataclass(frozen=True, slots=True)
class FactoryReset:
    """Of a state directory and a runtime directory."""

    state: Path
    runtime: Path

    @property
    def is_unfinished(self) -> bool:
        """Whether a reset was begun and not ended."""
        return (self.state / MARK).exists()

    def begin(self) -> None:
        """From here on there is no way back. Raises OSError."""
        write_atomically(self.state / MARK, b"")

    def removals(self) -> tuple[str, ...]:
        """The names of what lies in the state directory and goes."""
        try:
            return tuple(sorted(path.name for path in self.state.iterdir() if path.name not in KEPT))
        except OSError:
            return ()

    def erase(self) -> None:
        """Remove everything but the mark. Raises OSError for what cannot be removed."""
        for attempt in range(1, MOST_ATTEMPTS + 1):
            try:
                _remove_all(self.runtime, keep=frozenset())
                _remove_all(self.state, keep=KEPT)
            except OSError:
                # Somebody wrote into a folder that was being emptied: a renewal that was planned, say.
                if attempt == MOST_ATTEMPTS:
                    raise
            else:
                return

    def finish(self) -> None:
        """Remove everything, and the mark last. Raises OSError for what cannot be removed.

        Only where nothing writes any more: at the start, and at the very end.
        """
        self.erase()
        (self.state / MARK).unlink(missing_ok=True)
        fsync_directory(self.state)

    async def run(
        self,
        confirmation: str,
        wanted: Iterable[str],
        keys: KeyStore,
        closing: Iterable[Callable[[], Awaitable[None]]],
        *,
        dry_run: bool,
    ) -> ChangeReport:
        """Erase everything, if `confirmation` is one of the words that are wanted. Raises RoomError.

        `closing` are the ends of whatever still writes, in their order.
        """
        words = [word for word in wanted if word]
        if confirmation not in words:
            raise RoomError(
                RoomErrorKind.INVALID_ARGUMENT,
                "that is neither this room's domain nor the device's serial number",
                hint=f"if you mean it: conclavectl factory-reset --confirm {words[0] if words else 'SERIAL'}",
            )
        changes = tuple(Change(f"state.{name}", '"present"', "", "at once") for name in self.removals())
        if dry_run:
            return ChangeReport(True, changes)
        log.warning("factory reset: everything that this room keeps is erased")
        try:
            self.begin()
            for close in closing:
                await close()
            try:
                await asyncio.to_thread(keys.reset)
            except IdentityError as error:
                log.warning("a key stays in its token: %s", error)
            # The mark stays: this daemon still runs, and may write until it has ended.
            await asyncio.to_thread(self.erase)
        except OSError as error:
            raise RoomError(
                RoomErrorKind.FAILED,
                f"not everything could be erased: {error.strerror}",
                hint="the rest is erased when the device starts again",
            ) from error
        return ChangeReport(True, changes)


def _remove_all(folder: Path, *, keep: frozenset[str]) -> None:
    if not folder.is_dir():
        return
    for path in folder.iterdir():
        if path.name in keep:
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
    fsync_directory(folder)
