"""Whether people in the room can read what the panel should show: by what is really on the glass.

A view that is not on the glass within `PATIENCE_S` makes the panel dead, whatever the driver says of itself:
people trust the glass, and an old lock on it is worse than none. A driver that works in part (DEGRADED) and
draws is not dead. A room without a panel has nobody who could be misled.
"""

from conclave_hal.device import DeviceState, Health
from conclave_hal.panel import PanelView

PATIENCE_S = 3.0
"""A panel draws within a tenth of a second; a browser may take one."""
LOOK_AGAIN_S = 1.0


class PanelWatch:
    """Times are monotonic seconds, handed in."""

    def __init__(self) -> None:
        self._wanted: int | None = None
        self._behind_since: float | None = None
        self.problem = ""
        """Why people cannot read the panel; empty while they can."""

    def __repr__(self) -> str:
        return f"PanelWatch({self.problem or 'drawn'})"

    def wants(self, view: PanelView) -> None:
        """This view is to be on the glass now."""
        self._wanted = view.serial

    def look(self, drawn: PanelView | None, state: DeviceState, now: float) -> float | None:
        """Judge by what is on the glass. Returns when to look again, None to wait for a change."""
        if self._wanted is None:
            return None
        is_shown = drawn is not None and drawn.serial == self._wanted
        if is_shown and state.health is not Health.FAILED:
            self._behind_since, self.problem = None, ""
            return None
        if self._behind_since is None:
            self._behind_since = now
        dead_at = self._behind_since + PATIENCE_S
        if now < dead_at:
            return dead_at
        self.problem = state.reason or "it does not draw what it should show"
        return now + LOOK_AGAIN_S
