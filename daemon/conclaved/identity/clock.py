"""Which time of day this device believes (DESIGN §4, Identity).

Many boxes have no clock that survives a power cut. Time is never believed to be earlier than the firmware's
build or the last time seen, and never before the system says that it has been synchronised: whoever can set
the clock back could otherwise revive a certificate that has ended. The floor moves up only by synchronised
time, because a floor in the future could never come down again; for the same reason a time later than any
firmware stays in use is a fault of the clock, and moves nothing.

Who says that the clock is synchronised is systemd-timesyncd, by its marker file. Where its directory is not
there, it has never run: something else keeps the time (chrony, or the machine around a container), and the
kernel's time is taken as it is.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from conclaved.identity.atomic_file import write_atomically
from conclaved.identity.errors import LocalIdentityError

REMEMBER_EVERY_S = 3600
"""How far believed time moves before the floor is written again: flash wears out."""
IN_USE_S = 10 * 366 * 86_400
"""How long after its build a firmware may be in use: later times are not believed."""
TIMESYNC_MARKER = Path("/run/systemd/timesync/synchronized")
"""Made by systemd-timesyncd when it has set the clock (systemd-timesyncd.service(8))."""
_MAX_FLOOR_BYTES = 32
log = logging.getLogger(__name__)


def is_synchronised(marker: Path = TIMESYNC_MARKER) -> bool:
    """Whether systemd-timesyncd has set the clock since the device started; see the file's head for none."""
    try:
        return marker.exists() or not marker.parent.is_dir()
    except OSError:
        return False


class BelievedClock:
    """The time of day, or None while there is none to believe. Single owner; not for several threads."""

    def __init__(
        self,
        read: Callable[[], float],
        *,
        built_at: int,
        floor: int = 0,
        remember: Callable[[int], None] = lambda floor: None,
        is_synchronised: Callable[[], bool] = lambda: True,
    ) -> None:
        """``read`` gives the system's Unix time; ``built_at`` is the firmware's build, Unix seconds.

        ``floor`` is the last time seen, as ``remember`` was last told it (at most once an hour); where
        ``remember`` raises `LocalIdentityError`, the floor holds until the device starts anew. A floor
        that could not have been believed when it was stored is none.
        """
        self._read = read
        self._remember = remember
        self._is_synchronised = is_synchronised
        self._latest = built_at + IN_USE_S
        self._remembered = floor if floor <= self._latest else 0
        self._floor = max(built_at, self._remembered)
        self._is_forgetful = False

    @property
    def floor(self) -> int:
        """The earliest time that is believed, Unix seconds."""
        return self._floor

    @property
    def reading(self) -> int:
        """What the system's clock shows, Unix seconds, believed or not."""
        return int(self._read())

    @property
    def is_synchronised(self) -> bool:
        """Whether the system says that its clock was set since the device started."""
        return self._is_synchronised()

    def now(self) -> int | None:
        """The believed Unix time in seconds, or None: hand either to `TrustStore.assess`."""
        reading = int(self._read())
        if self._doubt(reading):
            return None
        self._floor = reading
        if reading - self._remembered >= REMEMBER_EVERY_S:
            self._remembered = reading
            self._store(reading)
        return reading

    def why_not(self) -> str:
        """Why there is no time to believe, one line for people; "" if there is."""
        return self._doubt(int(self._read()))

    def _doubt(self, reading: int) -> str:
        if not self._is_synchronised():
            return "the clock has not been synchronised since the device started"
        if reading < self._floor:
            return "the clock shows a time before the last one that was seen: check the time server"
        if reading > self._latest:
            return "the clock shows a time more than ten years after this firmware: check the time server"
        return ""

    def _store(self, floor: int) -> None:
        """A disk that takes nothing costs the floor after the next start, and not the time of day."""
        try:
            self._remember(floor)
        except LocalIdentityError as error:
            if not self._is_forgetful:
                log.warning("the time cannot be remembered: %s", error)
            self._is_forgetful = True
        else:
            self._is_forgetful = False


@dataclass(frozen=True, slots=True)
class FloorFile:
    """Where the last time seen lies: one decimal number."""

    path: Path

    def load(self) -> int:
        """The last time seen, Unix seconds; 0 where none is stored or the file is damaged.

        A damaged file must not keep the device from starting: the firmware's build remains as a floor.
        """
        try:
            text = self.path.read_bytes()[:_MAX_FLOOR_BYTES].strip()
        except OSError:
            return 0
        return int(text) if text.isdigit() and len(text) < _MAX_FLOOR_BYTES else 0

    def save(self, floor: int) -> None:
        """Stores the last time seen, atomically. Raises `LocalIdentityError`."""
        try:
            write_atomically(self.path, f"{floor}\n".encode(), mode=0o644)
        except OSError as error:
            raise LocalIdentityError(f"{self.path} cannot be written: {error.strerror}") from error
