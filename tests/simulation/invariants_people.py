"""What people see: who is verified, and why a meeting ends for a room."""

from typing import TYPE_CHECKING

from conclaved.identity import Assurance
from conclaved.meeting import MediaState, MeetingView
from conclaved.meeting.events import Ended
from conclaved.meeting.media_state import NOTHING_KNOWN, stale_after_s
from conclaved.mls import X509Credential
from tests.simulation.people import truth_of

if TYPE_CHECKING:
    from tests.simulation.device import Device
    from tests.simulation.judge import Judge
    from tests.simulation.world import World

VERIFIED = "verified only with a chain to an anchor allowed for that domain"
LOCKED = "who is in a locked meeting with somebody unverified leaves after a while"
SHOWN_WITHIN_S = 5.0 + 1.5
LEAVES_WITHIN_S = 30.0 + 5.0 + 6.0
"""DESIGN §4: half a minute's patience, a look every few seconds, and a goodbye."""
TOLD = "nobody is shown as muted, or as live, who has not been so lately"
LATE_S = 20.0
"""What the service may hold back from a session's first message on counts as its slow way."""
ENDS = "a meeting ends for a room only for a reason"


class PeopleInvariants:
    """See the file's head."""

    def __init__(self, world: "World", judge: "Judge") -> None:
        self.world = world
        self.judge = judge

    def on_view(self, device: "Device", view: MeetingView) -> None:
        """A device shows a roster: whom it calls verified, it may."""
        group = device.group
        if group is None or group.epoch != view.epoch:
            return
        self._told(device, view)
        for participant in view.participants:
            if participant.assurance is not Assurance.VERIFIED:
                continue
            self.judge.count(VERIFIED)
            leaf = group.leaf(participant.leaf)
            assert leaf is not None
            assert isinstance(leaf.credential, X509Credential)
            truth = truth_of(leaf.credential.certificates[0])
            is_right = truth.name == participant.name and truth.key == participant.signature_key
            if not is_right or not device.trust.may_call_verified(truth, device.wall()):
                self.judge.broken(
                    VERIFIED, f"{device.label} calls {participant.name} verified: {truth.vouching.value}"
                )

    def _told(self, device: "Device", view: MeetingView) -> None:
        """What is shown of a microphone and a camera was true not long ago."""
        since = self.world.loop.now - stale_after_s(len(view.participants)) - LATE_S
        for participant in view.participants:
            shown = MediaState(participant.microphone, participant.camera)
            owners = [d for d in self.world.devices if d.had_key_in(frozenset({participant.signature_key}))]
            if shown == NOTHING_KNOWN or len(owners) != 1 or not owners[0].is_honest:
                continue
            self.judge.count(TOLD)
            (owner,) = owners
            ends = [at for at, _ in owner.said[1:]] + [self.world.loop.now]
            if shown not in {state for (_, state), end in zip(owner.said, ends, strict=True) if end >= since}:
                self.judge.broken(TOLD, f"{device.label} shows {owner.label} as {shown}")

    def on_time(self, device: "Device") -> None:
        """Time has passed: nobody is shown as verified for long after that has ended, or kept company."""
        group, now = device.group, self.world.loop.now
        if group is None or not device.is_in:
            device.minded.clear()
            return
        unverified = set()
        for member in group.members:
            leaf = member.leaf_node
            assert isinstance(leaf.credential, X509Credential)
            if not device.trust.may_call_verified(truth_of(leaf.credential.certificates[0]), device.wall()):
                unverified.add(leaf.signature_key)
        since = {key: device.minded.get(key, now) for key in unverified}
        device.minded = since
        shown = () if device.view is None else device.view.participants
        for participant in shown:
            if participant.signature_key in since and participant.assurance is Assurance.VERIFIED:
                self.judge.count(VERIFIED)
                if now - since[participant.signature_key] > SHOWN_WITHIN_S:
                    self.judge.broken(VERIFIED, f"{device.label} still calls {participant.name} verified")
        if self.world.terms.is_locked and since:
            self.judge.count(LOCKED)
            if now - min(since.values()) > LEAVES_WITHIN_S and device.is_honest:
                self.judge.broken(LOCKED, f"{device.label} stays with somebody who is not verified")

    def on_end(self, device: "Device", ended: Ended) -> None:
        """A session ended: somebody has to have wanted that."""
        self.judge.count(ENDS)
        if device.is_honest and "could not do its part" in ended.reason:
            self.judge.broken(ENDS, f"{device.label}: {ended.reason}")
