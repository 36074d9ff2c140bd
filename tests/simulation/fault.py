"""What a fault is: it begins, lasts for a while, and ends."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.simulation.device import Device

if TYPE_CHECKING:
    from tests.simulation.world import World

End = Callable[[], None]
Begun = tuple[str, End] | None
"""What a fault is in words, and how to end it; None if there was nothing that it could befall."""
Begin = Callable[["World"], Begun]


@dataclass(frozen=True)
class Fault:
    """A kind of fault."""

    name: str
    begin: Begin
    shortest_s: float
    longest_s: float


def some(world: "World") -> list[Device]:
    """Some of those who run, never all."""
    running = [device for device in world.devices if device.is_running]
    if len(running) < 2:
        return running
    return world.rng.sample(running, world.rng.randint(1, len(running) - 1))


def one(world: "World", *, in_group: bool = False, is_host: bool = False) -> Device | None:
    """One of those who run."""
    found = [d for d in world.devices if d.is_running and (d.is_in or not in_group)]
    if is_host:
        found = [d for d in found if d.view is not None and d.view.is_host]
    return world.rng.choice(found) if found else None


def names(devices: list[Device]) -> str:
    """For the trace."""
    return ", ".join(device.label for device in devices)


def repeating(world: "World", name: str, act: Callable[[], None], every_s: float) -> End:
    """Do something again and again, and count that, until it is ended."""
    state = {"on": True}

    def again() -> None:
        if state["on"]:
            world.bites[name] += 1
            act()
            world.loop.after(world.rng.uniform(0.3, 1.7) * every_s, again)

    def end() -> None:
        state["on"] = False

    again()
    return end


def nothing() -> None:
    """The end of what ends by itself."""
