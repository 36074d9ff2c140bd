"""The believed clock, as D-Bus shows it."""

from conclaved.bus.room import ClockStatus
from conclaved.identity import BelievedClock


def clock_status(clock: BelievedClock) -> ClockStatus:
    """What the clock shows, whether it is believed, and why not."""
    return ClockStatus(
        time=clock.reading,
        is_believed=clock.now() is not None,
        doubt=clock.why_not(),
        is_synchronised=clock.is_synchronised,
        floor=clock.floor,
    )
