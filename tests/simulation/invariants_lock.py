"""Who may send: nobody for long whom the service keeps from knowing, and whoever is merely muted."""

from typing import TYPE_CHECKING

from conclaved.meeting import MeetingView

if TYPE_CHECKING:
    from tests.simulation.device import Device, Stay
    from tests.simulation.judge import Judge
    from tests.simulation.truth import EpochTruth
    from tests.simulation.world import World

STOPS = "who is kept from knowing of an epoch stops sending in time"
FORGED = "a kicked member that forges old frames stops receiving in time"
MUTED = "nobody drops the lock while all are merely muted"
WINDOW_S = 5.0
"""DESIGN §4: a member that misses beacons for five seconds stops sending."""
GRACE_S = 10.0
TICK_S = 0.7


class LockInvariants:
    """See the file's head."""

    def __init__(self, world: "World", judge: "Judge") -> None:
        self.world = world
        self.judge = judge
        self.is_quiet = False
        """Whether nothing has been wrong for so long that nobody has a reason to drop the lock."""

    def on_send(self, device: "Device", stay: "Stay") -> None:
        """A device may send: everybody whose beacons it needs was in its epoch a moment ago."""
        world, now = self.world, self.world.loop.now
        truth = world.truth.epochs[stay.transcript]
        bound = WINDOW_S + TICK_S + 2 * world.worst_latency_s() + world.carrier.longest_held.get(device, 0.0)
        if now - stay.entered < bound:
            return
        own = stay.keys.own_leaf
        for leaf in truth.expected:
            other = world.device_of(truth.keys[leaf])
            if leaf == own or other is None or not other.is_honest:
                continue
            left = self._last_with(device, other)
            self.judge.count(STOPS)
            gone = world.gone_from(truth)
            if gone:
                self.judge.count(FORGED)
            if now - left > bound:
                name = FORGED if gone else STOPS
                self.judge.broken(
                    name,
                    f"{device.label} still sends in epoch {truth.label}, which {other.label} "
                    f"left {now - left:.1f} s ago; out by now: {', '.join(gone) or 'nobody'}",
                )

    def _last_with(self, device: "Device", other: "Device") -> float:
        """When the other was last in an epoch whose beacons the device takes for a sign of life.

        Those of an epoch that it has left itself count too, as long as it can open them: who has not read
        the last commit yet is no sign of a later one.
        """
        now, last = self.world.loop.now, device.stays[-1].entered
        for stay in device.stays:
            left = other.was_in.get(stay.transcript)
            until = now if stay.left is None else stay.left + GRACE_S
            if left is not None:
                last = max(last, min(left, until, now))
        return last

    def on_view(self, device: "Device", view: MeetingView) -> None:
        """A device shows that it is behind, or not."""
        if self.is_quiet and device.is_honest and device.wants_in and not self._misses_somebody(device):
            self.judge.count(MUTED)
            if view.behind:
                self.judge.broken(MUTED, f"{device.label} is behind: {view.behind}")

    def _misses_somebody(self, device: "Device") -> bool:
        """Whether one whose beacons it needs is not there: an offer may be taken of one who has left.

        Or who is in the meeting by another group of it, after a service that lost its log led to two.
        """
        if device.stay is None:
            return True
        epoch = self.world.truth.epochs[device.stay.transcript]
        others = (self.world.device_of(epoch.keys[leaf]) for leaf in epoch.expected)
        return any(other is None or not other.is_in or not self._is_of(epoch, other) for other in others)

    def _is_of(self, epoch: "EpochTruth", device: "Device") -> bool:
        """Whether a device has been in this epoch, or in one that led to it."""
        before: EpochTruth | None = epoch
        while before is not None:
            if before.transcript in device.was_in:
                return True
            before = self.world.truth.epochs.get(before.parent) if before.parent else None
        return False
