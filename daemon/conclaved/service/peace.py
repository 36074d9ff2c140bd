"""People in the room who have refused a join are left in peace for some time, whoever asks next.

Prevents: an admin's script or a room controller that asks again and again, with a chime and a countdown each
time, until nobody stands in front of the panel. It binds every one who asks from outside, by the API or on a
wire, for whatever meeting; people in the room may join what they like.
"""

import math
import time
from collections.abc import Callable

from conclaved.bus.room import RoomError, RoomErrorKind

PEACE_S = 60.0
"""From a join that people refused to the next one that may be asked for from outside."""


class Peace:
    """See the file's head."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        """`now` counts seconds and never goes back."""
        self._now = now
        self._until = -math.inf

    def begin(self) -> None:
        """People have refused a join that was asked for from outside."""
        self._until = self._now() + PEACE_S

    def check(self) -> None:
        """Raises RoomError(BUSY) while nobody outside may ask."""
        left = math.ceil(self._until - self._now()) if self._until > self._now() else 0
        if left:
            raise RoomError(
                RoomErrorKind.BUSY,
                "people in the room have just refused",
                hint=f"ask them, or try again in {left} s",
            )
