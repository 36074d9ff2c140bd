"""What people see: who is verified, and why a meeting ends for a room."""

from typing import TYPE_CHECKING

from conclaved.identity import Assurance
from conclaved.meeting import MeetingView
from conclaved.meeting.events import Ended
from conclaved.mls import X509Credential
from tests.simulation.people import truth_of

if TYPE_CHECKING:
    from tests.simulation.device import Device
    from tests.simulation.judge import Judge
    from tests.simulation.world import World

VERIFIED = "verified only with a chain to an anchor allowed for that domain"
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

    def on_end(self, device: "Device", ended: Ended) -> None:
        """A session ended: somebody has to have wanted that."""
        self.judge.count(ENDS)
        if device.is_honest and "could not do its part" in ended.reason:
            self.judge.broken(ENDS, f"{device.label}: {ended.reason}")
