"""Which time of day this device believes (DESIGN §4, Identity).

Many boxes have no clock that survives a power cut. Time is never believed to be earlier than the firmware's
build or the last time seen, and never before the system says that it has been synchronised: whoever can set
the clock back could otherwise revive a certificate that has ended. The floor moves up only by synchronised
time, because a floor in the future could never come down again.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from conclaved.identity.atomic_file import write_atomically
from conclaved.identity.errors import LocalIdentityError

REMEMBER_EVERY_S = 3600
"""How far believed time moves before the floor is written again: flash wears out."""
_MAX_FLOOR_BYTES = 32


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

        ``floor`` is the last time seen, as ``remember`` was last told it (at most once an hour).
        """
        self._read = read
        self._remember = remember
        self._is_synchronised = is_synchronised
        self._floor = max(built_at, floor)
        self._remembered = floor

    @property
    def floor(self) -> int:
        """The earliest time that is believed, Unix seconds."""
        return self._floor

    def now(self) -> int | None:
        """The believed Unix time in seconds, or None: hand either to `TrustStore.assess`."""
        if not self._is_synchronised():
            return None
        reading = int(self._read())
        if reading < self._floor:
            return None
        self._floor = reading
        if reading - self._remembered >= REMEMBER_EVERY_S:
            self._remembered = reading
            self._remember(reading)
        return reading

    def why_not(self) -> str:
        """Why there is no time to believe, one line for people; "" if there is."""
        if not self._is_synchronised():
            return "the clock has not been synchronised since the device started"
        if int(self._read()) < self._floor:
            return "the clock shows a time before the last one that was seen: check the time server"
        return ""


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
