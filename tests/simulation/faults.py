"""What goes wrong: each fault begins, lasts for a while, and ends."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from conclaved.meeting.events import Leader, Live, Lobby
from tests.simulation import evil
from tests.simulation.carrier import Client
from tests.simulation.device import FAST_JOB_S, SLOW_JOB_S, Device
from tests.simulation.insider import Insider
from tests.simulation.network import Weather

if TYPE_CHECKING:
    from tests.simulation.world import World

End = Callable[[], None]
Begin = Callable[["World"], tuple[str, End] | None]
"""Begin a fault: what it is in words, and how to end it; None if there is nothing that it could befall."""


@dataclass(frozen=True)
class Fault:
    """A kind of fault."""

    name: str
    begin: Begin
    shortest_s: float
    longest_s: float


def _some(world: "World", *, at_most: int = 12) -> list[Device]:
    """Some of those who run, never all."""
    running = [device for device in world.devices if device.is_running]
    if len(running) < 2:
        return running
    return world.rng.sample(running, world.rng.randint(1, min(at_most, len(running) - 1)))


def _one(world: "World", *, in_group: bool = False) -> Device | None:
    found = [d for d in world.devices if d.is_running and (d.is_in or not in_group)]
    return world.rng.choice(found) if found else None


def _names(devices: list[Device]) -> str:
    return ", ".join(device.label for device in devices)


# -- the network -------------------------------------------------------------------------------


def _weather(world: "World", what: str, weather: Weather) -> tuple[str, End]:
    devices = _some(world)
    for device in devices:
        device.path.weather.append(weather)

    def end() -> None:
        for device in devices:
            device.path.weather.remove(weather)

    return f"{what} for {_names(devices)}", end


def _delay(world: "World") -> tuple[str, End]:
    longest = world.rng.uniform(0.2, 2.0)
    return _weather(world, f"delays up to {longest:.1f} s", Weather(delay_s=longest))


def _loss(world: "World") -> tuple[str, End]:
    share = world.rng.uniform(0.1, 0.5)
    return _weather(world, f"{share:.0%} loss", Weather(loss=share))


def _duplication(world: "World") -> tuple[str, End]:
    return _weather(world, "copies", Weather(copies=world.rng.uniform(0.2, 0.8)))


def _reorder(world: "World") -> tuple[str, End]:
    return _weather(world, "disorder", Weather(disorder_s=world.rng.uniform(0.1, 1.5)))


def _partition(world: "World") -> tuple[str, End]:
    if world.rng.random() < 0.5:
        return _weather(world, "a silent partition", Weather(is_cut=True))
    devices = _some(world)
    for device in devices:
        world.bites["partition"] += 1
        world.carrier.disconnect(device, is_noticed=True)

    def end() -> None:
        for device in devices:
            if device.is_running and not device.connection:
                world.carrier.connect(device)

    return f"a partition that {_names(devices)} notice", end


# -- the service -------------------------------------------------------------------------------


def _fork(world: "World") -> tuple[str, End] | None:
    carrier, rng = world.carrier, world.rng
    apart = _some(world)
    if len(carrier.sides) > 1 or not apart:
        return None
    carrier.carries_between_sides = rng.random() < 0.4
    side = carrier.fork(list(apart))
    world.truth.played_two_sides = True
    world.bites["fork"] += 1
    is_noticed = rng.random() < 0.5

    def end() -> None:
        carrier.carries_between_sides = False
        carrier.heal(side, is_noticed=is_noticed)

    return f"the service forks its log for {_names(apart)}", end


def _leader_lies(world: "World") -> tuple[str, End]:
    carrier, rng = world.carrier, world.rng
    carrier.names_leaders = False
    state = {"on": True}

    def lie() -> None:
        if not state["on"]:
            return
        world.bites["leader_lies"] += 1
        for client in carrier.clients:
            carrier.deliver(client, Leader(rng.random() < 0.4))
        world.loop.after(rng.uniform(0.2, 1.5), lie)

    def end() -> None:
        state["on"], carrier.names_leaders = False, True
        for side in carrier.sides:
            carrier.name_leader(side)

    lie()
    return "the service lies about the leader", end


def _hidden_remove(world: "World") -> tuple[str, End] | None:
    """A host throws somebody out, and the service keeps it from one other, to whom the thrown out goes on."""
    rng, carrier = world.rng, world.carrier
    hosts = [d for d in world.devices if d.is_in and d.is_honest and d.view is not None and d.view.is_host]
    if not hosts:
        return None
    host = rng.choice(hosts)
    members = [d for d in world.devices if d.is_in and d is not host and d is not world.chair]
    insiders = [d for d in members if isinstance(d, Insider)]
    victims = insiders or members
    if not victims or len(members) < 2:
        return None
    victim = rng.choice(victims)
    sender = rng.choice([d for d in members if d is not victim])
    carrier.hidden_from[sender] = len(carrier.side_of[sender].log)
    state = {"on": True}
    if not world.director.acts.throw_out(host, victim):
        del carrier.hidden_from[sender]
        return None

    def forge() -> None:
        if state["on"] and isinstance(victim, Insider):
            victim.forge_frames(sender)
            world.loop.after(0.3, forge)

    def end() -> None:
        state["on"] = False
        carrier.hidden_from.pop(sender, None)

    world.loop.after(0.3, forge)
    return f"the service hides from {sender.label} that {victim.label} is thrown out", end


def _live_held(world: "World") -> tuple[str, End] | None:
    """Beacons come late, one by one, to hide that no new ones come."""
    device = _one(world, in_group=True)
    if device is None:
        return None
    held = world.rng.uniform(0.5, 4.0)
    world.carrier.delays_live[device] = held
    world.bites["live_held"] += 1

    def end() -> None:
        world.carrier.delays_live.pop(device, None)

    return f"the service holds live messages back {held:.1f} s for {device.label}", end


def _repeating(world: "World", name: str, act: Callable[[], None], every_s: float) -> End:
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


def _replay(world: "World") -> tuple[str, End]:
    carrier, rng = world.carrier, world.rng

    def act() -> None:
        if carrier.seen and carrier.clients:
            _, event = rng.choice(carrier.seen)
            carrier.deliver(rng.choice(carrier.clients), event)
        log = carrier.sides[0].log
        if log and rng.random() < 0.3:
            carrier.append(rng.choice(log), carrier.sides[0])

    return "the service replays", _repeating(world, "replay", act, 0.25)


def _truncate(world: "World") -> tuple[str, End]:
    entries = world.rng.choice((1, 1, 2, 5, 1000))
    world.bites["truncate"] += 1
    world.truth.played_two_sides = True
    world.carrier.forget(entries)
    return f"the service loses the last {entries} entries of the log", _nothing


def _junk(world: "World") -> tuple[str, End]:
    carrier, rng = world.carrier, world.rng

    def junk() -> bytes:
        pool = [*carrier.sides[0].log[-8:], *(event.data for _, event in carrier.seen[-8:])]
        if not pool or rng.random() < 0.4:
            return rng.randbytes(rng.choice((0, 1, 30, 400)))
        data = bytearray(rng.choice(pool))
        for _ in range(rng.randint(1, 3)):
            if data:
                data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        return bytes(data[: rng.randint(0, len(data))] if rng.random() < 0.3 else data)

    def act() -> None:
        match rng.randrange(3):
            case 0:
                carrier.append(junk(), rng.choice(carrier.sides))
            case 1:
                for client in carrier.clients:
                    carrier.deliver(client, Lobby(junk()))
            case _:
                for client in carrier.clients:
                    carrier.deliver(client, Live(junk()))

    return "the service fills the log and the lobby with junk", _repeating(world, "junk", act, 0.25)


def _false_results(world: "World") -> tuple[str, End]:
    world.carrier.lies_about_results = world.rng.uniform(0.2, 0.8)

    def end() -> None:
        world.carrier.lies_about_results = 0.0

    return "the service lies about what it accepted", end


# -- machines ----------------------------------------------------------------------------------


def _crash(world: "World") -> tuple[str, End] | None:
    device = _one(world)
    if device is None:
        return None
    world.bites["crash"] += 1
    keeps = world.rng.random() < 0.7
    # Whoever signed the invitation, has another key now and nothing to show for it comes in by nobody.
    device.crash(keeps_admission=keeps or device is world.chair)

    def end() -> None:
        if device.session is None and device.wants_in:
            device.start()

    return f"{device.label} crashes", end


def _freeze(world: "World") -> tuple[str, End] | None:
    device = _one(world)
    if device is None:
        return None
    world.bites["freeze"] += 1
    device.freeze(world.rng.uniform(0.5, 8.0))
    return f"{device.label} freezes", _nothing


def _clock_jump(world: "World") -> tuple[str, End] | None:
    device = _one(world)
    if device is None:
        return None
    world.bites["clock_jump"] += 1
    device.skew_s = world.rng.choice((-7200, -900, -120, -10, 10, 120, 900, 7200, 2_000_000, 6_000_000))

    def end() -> None:
        device.skew_s = 0

    return f"the clock of {device.label} jumps by {device.skew_s} s", end


def _slow_signer(world: "World") -> tuple[str, End]:
    devices = _some(world)
    for device in devices:
        world.bites["slow_signer"] += 1
        device.job_s = SLOW_JOB_S

    def end() -> None:
        for device in devices:
            device.job_s = FAST_JOB_S

    return f"600 ms for a signature by {_names(devices)}", end


# -- people ------------------------------------------------------------------------------------


def _malicious(name: str, deeds: tuple[evil.Deed, ...]) -> Begin:
    def begin(world: "World") -> tuple[str, End] | None:
        insiders = [d for d in world.devices if isinstance(d, Insider) and d.is_in and d.is_evil]
        if name == "malicious_host":
            insiders = [d for d in insiders if d.view is not None and d.view.is_host]
        if not insiders:
            return None
        insider = world.rng.choice(insiders)
        if name == "malicious_leader":
            for side in world.carrier.sides:
                if insider in world.carrier.on_side(side):
                    _name(world, insider)

        def act() -> None:
            deed = world.rng.choice(deeds)
            if insider.is_in and insider.is_running and deed(world, insider):
                world.bites[name] += 1
                world.acts[deed.__name__] += 1
                insider.say(f"evil: {deed.__name__}")

        stop = _repeating(world, "malicious_tries", act, 0.8)

        def end() -> None:
            stop()
            insider.is_idle_leader = False

        return f"{insider.label} is a {name.replace('_', ' ')}", end

    return begin


def _name(world: "World", leader: Client) -> None:
    for client in world.carrier.clients:
        world.carrier.deliver(client, Leader(client is leader))


def _nothing() -> None:
    pass


FAULTS = (
    Fault("delay", _delay, 2, 8),
    Fault("loss", _loss, 2, 8),
    Fault("duplication", _duplication, 2, 8),
    Fault("reorder", _reorder, 2, 8),
    Fault("partition", _partition, 0.5, 9),
    Fault("fork", _fork, 2, 9),
    Fault("leader_lies", _leader_lies, 2, 8),
    Fault("hidden_remove", _hidden_remove, 6, 12),
    Fault("live_held", _live_held, 4, 9),
    Fault("replay", _replay, 2, 8),
    Fault("truncate", _truncate, 0.1, 0.2),
    Fault("junk", _junk, 2, 8),
    Fault("false_results", _false_results, 2, 6),
    Fault("crash", _crash, 0.2, 6),
    Fault("freeze", _freeze, 0.1, 0.2),
    Fault("clock_jump", _clock_jump, 2, 8),
    Fault("slow_signer", _slow_signer, 4, 10),
    Fault("malicious_member", _malicious("malicious_member", evil.MEMBER_DEEDS), 3, 9),
    Fault("malicious_leader", _malicious("malicious_leader", evil.LEADER_DEEDS), 3, 9),
    Fault("malicious_host", _malicious("malicious_host", evil.HOST_DEEDS), 3, 9),
)
