"""Who has which key, and when keys are gone."""

from typing import TYPE_CHECKING

from conclaved.mls.epoch import Stage

if TYPE_CHECKING:
    from tests.simulation.device import Device, Stay
    from tests.simulation.judge import Judge
    from tests.simulation.media import Frame
    from tests.simulation.world import World

NO_KEY = "who is not on the roster has no key for a frame sent after"
GONE = "keys older than the grace are gone"
GRACE_S = 10.0
REMEMBERED_S = 20.0
SLACK_S = 1.3
"""A session is ticked twice a second; what is due is erased then."""


class KeyInvariants:
    """See the file's head."""

    def __init__(self, world: "World", judge: "Judge") -> None:
        self.world = world
        self.judge = judge
        self.holders: dict[bytes, set[str]] = {}
        """Who ever had each base key, by label: whoever is malicious forgets none."""

    def on_epoch(self, device: "Device", stay: "Stay") -> None:
        """A device has the keys of an epoch: its own key is on the roster."""
        members = self.world.truth.epochs[stay.transcript].members
        self.judge.count(NO_KEY)
        if not device.had_key_in(members):
            self.judge.broken(NO_KEY, f"{device.label} has the keys of epoch {stay.keys.epoch}")
        self.holders.setdefault(stay.base_key, set()).add(device.label)

    def on_frame(self, frame: "Frame") -> None:
        """A frame was sent: nobody off its roster ever had its key."""
        members, holders = self.world.truth.epochs[frame.transcript].members, self.holders[frame.base_key]
        for device in self.world.devices:
            if device.had_key_in(members):
                continue
            self.judge.count(NO_KEY)
            if device.label in holders:
                self.judge.broken(NO_KEY, f"{device.label} can open a frame of {frame.sender}")

    def on_time(self, device: "Device") -> None:
        """Time has passed for a device: what is overdue is gone."""
        now = self.world.loop.now
        stays = device.stays
        for stay in stays[:-1]:
            if stay.left is not None and now > stay.left + GRACE_S + SLACK_S:
                self._is_closed(device, stay, f"of epoch {stay.keys.epoch} after its grace")
        kept = [s for s in stays if s.left is None or now <= s.left + REMEMBERED_S]
        device.stays[:] = kept if len(kept) > 1 else stays[-1:]
        for epoch in device.keyring._epochs.values():
            if epoch.expires_at is not None and now >= epoch.expires_at:
                self.judge.broken(GONE, f"{device.label} keeps media keys of epoch {epoch.keys.epoch}")

    def on_group_left(self, device: "Device") -> None:
        """A device has given up its group: every key of it is gone at once."""
        for stay in device.old_stays:
            self._is_closed(device, stay, "of a group that it has given up")
        device.old_stays = []

    def _is_closed(self, device: "Device", stay: "Stay", what: str) -> None:
        self.judge.count(GONE)
        if stay.group.stage_of_life is not Stage.CLOSED:
            self.judge.broken(GONE, f"{device.label} keeps keys {what}")
