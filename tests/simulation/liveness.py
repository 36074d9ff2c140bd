"""Whether everybody who should be in is in, and nobody else."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.simulation.world import World

LIVENESS = "when faults stop, all who should be in are in within a bounded number of rounds"
ROUND_S = 2.0
ROUNDS = 35
"""Of beacons, that all may take to find together once the last fault is over."""


def what_is_wrong(world: "World") -> str:
    """Who should be in and is not, or is in and should not be; nothing if all is as it should be."""
    wanted = [device for device in world.devices if device.wants_in]
    for device in wanted:
        if not device.is_in or device.stay is None:
            state = "has ended" if device.ended else device.view.state.value if device.view else "is off"
            return f"{device.label} is not in: {state}"
        if device.view is not None and device.view.behind:
            return f"{device.label} is behind: {device.view.behind}"
    transcripts = {device.stay.transcript for device in wanted if device.stay is not None}
    if len(transcripts) > 1:
        return f"{len(transcripts)} histories among {', '.join(device.label for device in wanted)}"
    epoch = world.truth.epochs[transcripts.pop()]
    for leaf, key in epoch.keys.items():
        who = world.device_of(key)
        if who is None:
            return "a stranger is in"
        # One that left and whose goodbye was lost stays on the roster, unheard, unless it is to be heard.
        if not who.is_in and leaf in epoch.expected:
            return f"{who.label} has not been cleared away"
        if not who.wants_in and who.is_running and who.label not in world.director.thrown_out:
            return f"{who.label} is still in"
    return ""
