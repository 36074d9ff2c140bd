"""Calls every invariant where something has changed, and counts how often each had something to look at."""

from collections import Counter
from typing import TYPE_CHECKING

from conclaved.meeting import MeetingView
from conclaved.meeting.events import Ended
from tests.simulation.invariants_group import GroupInvariants
from tests.simulation.invariants_keys import KeyInvariants
from tests.simulation.invariants_lock import LockInvariants
from tests.simulation.invariants_people import PeopleInvariants
from tests.simulation.violation import Violation

if TYPE_CHECKING:
    from tests.simulation.device import Device, Stay
    from tests.simulation.world import World


class Judge:
    """See the file's head."""

    def __init__(self, world: "World") -> None:
        self.checks: Counter[str] = Counter()
        self.group = GroupInvariants(world, self)
        self.keys = KeyInvariants(world, self)
        self.lock = LockInvariants(world, self)
        self.people = PeopleInvariants(world, self)

    def count(self, invariant: str) -> None:
        """The invariant had something to look at."""
        self.checks[invariant] += 1

    @staticmethod
    def broken(invariant: str, what: str) -> None:
        """The invariant does not hold."""
        raise Violation(invariant, what)

    def on_epoch(self, device: "Device", stay: "Stay", before: "Stay | None") -> None:
        """A device has entered an epoch."""
        self.group.on_epoch(device, stay, before)
        self.keys.on_epoch(device, stay)

    def on_view(self, device: "Device", view: MeetingView) -> None:
        """A device shows something new."""
        self.group.on_view(device, view)
        self.people.on_view(device, view)
        self.lock.on_view(device, view)

    def on_media(self, device: "Device") -> None:
        """A device has let go what was overdue."""
        self.keys.on_time(device)
        self.people.on_time(device)

    def on_group_left(self, device: "Device") -> None:
        """A device has given up its group."""
        self.keys.on_group_left(device)

    def on_end(self, device: "Device", ended: Ended) -> None:
        """A session has ended."""
        self.people.on_end(device, ended)
