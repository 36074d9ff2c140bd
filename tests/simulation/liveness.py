"""Whether everybody who should be in is in, and nobody else."""

from typing import TYPE_CHECKING

from conclaved.meeting.admission import IssuerType, Role
from tests.simulation.device import Device
from tests.simulation.truth import EpochTruth

if TYPE_CHECKING:
    from tests.simulation.world import World

LIVENESS = "when faults stop, all who should be in are in within a bounded number of rounds"
ENDED = "a meeting that a host ends for all ends for all"
ROUND_S = 2.0
ROUNDS = 60
"""Of beacons, that all may take to find together once the last fault is over."""


def what_is_wrong(world: "World") -> str:
    """Who should be in and is not, or is in and should not be; nothing if all is as it should be."""
    wanted = [device for device in world.devices if device.wants_in and world.may_be_in(device)]
    if _has_no_founder(world, wanted):
        world.acts["waits for a host"] += len(wanted)
        return ""
    if any(_stays_outside(device) for device in wanted):
        # One that remembers a host's kick, which the group has lost, stays outside and says so: people have
        # to decide. Nothing can be said about who is in.
        world.acts["stands outside"] += 1
        return ""
    waiting = [device for device in wanted if _waits_for_a_host(world, device)]
    if any(device.is_in for device in wanted):
        world.acts["waits for a host"] += len(waiting)
        wanted = [device for device in wanted if device not in waiting]
    for device in wanted:
        if not device.is_in or device.stay is None:
            state = "has ended" if device.ended else device.view.state.value if device.view else "is off"
            return f"{device.label} is not in: {state}"
        if device.view is not None and device.view.behind:
            return f"{device.label} is behind: {device.view.behind}"
        if device.view is not None and device.view.minds:
            return f"{device.label} minds that {device.view.minds}"
    transcripts = {device.stay.transcript for device in wanted if device.stay is not None}
    if len(transcripts) > 1:
        return f"{len(transcripts)} histories among {', '.join(device.label for device in wanted)}"
    if not transcripts:
        return ""
    epoch = world.truth.epochs[transcripts.pop()]
    return _who_should_not_be_in(world, epoch) or _who_shows_an_old_key(wanted, epoch)


def _stays_outside(device: Device) -> bool:
    return device.view is not None and "thrown out" in device.view.waits_for


def _has_no_founder(world: "World", wanted: list[Device]) -> bool:
    """Whether a locked meeting is over and only a host can begin it anew, of whom none wants to be in."""
    if not world.terms.is_locked or world.chair in wanted:
        return False
    sessions = [device.session for device in wanted]
    if any(device.is_in for device in wanted) or None in sessions:
        return False
    admissions = [session.admission for session in sessions if session is not None]
    return all(admission is None or admission.role is not Role.HOST for admission in admissions)


def _waits_for_a_host(world: "World", device: Device) -> bool:
    """Whether only a person at a host could let it in, and there is none in the meeting.

    It has changed its key while it was outside, and is no host itself.
    """
    admission = None if device.session is None else device.session.admission
    if device.is_in or admission is None or admission.role is Role.HOST:
        return False
    return admission.issuer_type is IssuerType.SUCCESSION and not world.director.acts.hosts()


def _who_should_not_be_in(world: "World", epoch: EpochTruth) -> str:
    for leaf, key in epoch.keys.items():
        who = world.device_of(key)
        if who is None:
            # Let in by a malicious host, or another invariant is broken. No device stands behind it.
            continue
        # One that left and whose goodbye was lost stays on the roster, unheard, unless it is to be heard.
        if not who.is_in and leaf in epoch.expected:
            return f"{who.label} has not been cleared away"
        if not who.wants_in and who.is_running and who.label not in world.director.acts.thrown_out:
            return f"{who.label} is still in"
    for kick in world.director.acts.kicks:
        is_sure = kick.host.is_in and kick.host.starts == kick.start
        if is_sure and epoch.members & set(kick.victim.person.keys):
            return f"{kick.victim.label} is still in, whom {kick.host.label} has thrown out"
    return ""


def _who_shows_an_old_key(wanted: list[Device], epoch: EpochTruth) -> str:
    for device in wanted:
        if device.key not in epoch.members | device.given_up:
            return f"{device.label} is in with a key that it has replaced"
    return ""


def who_goes_on(world: "World") -> list[str]:
    """Whose session goes on though a host has ended the meeting for all."""
    return [device.label for device in world.director.acts.to_end if device.is_running]
