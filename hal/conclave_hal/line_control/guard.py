"""How often a password may be tried: outlives the session, so that plugging in anew gains nothing."""

from dataclasses import dataclass

FREE_TRIES = 3
FIRST_WAIT_S = 2.0
LONGEST_WAIT_S = 300.0


@dataclass(slots=True)
class LoginGuard:
    """After three wrong ones each further one costs twice the wait of the one before, up to five minutes."""

    refused: int = 0
    """Wrong passwords since the port was opened."""
    _in_a_row: int = 0
    _not_before: float = 0.0

    def wait_s(self, now: float) -> float:
        """Seconds until the next try is looked at; 0 if it is now."""
        return max(0.0, self._not_before - now)

    def tried(self, now: float, *, is_right: bool) -> None:
        """A password was checked."""
        if is_right:
            self._in_a_row = 0
            return
        self.refused += 1
        self._in_a_row += 1
        if self._in_a_row >= FREE_TRIES:
            wait_s = FIRST_WAIT_S * 2.0 ** min(self._in_a_row - FREE_TRIES, 20)
            self._not_before = now + min(wait_s, LONGEST_WAIT_S)
