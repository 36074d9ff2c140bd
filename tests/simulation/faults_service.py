"""What the network and the conference service do wrong."""

from functools import partial
from typing import TYPE_CHECKING

from conclaved.meeting.events import Leader, Live, Lobby
from tests.simulation.carrier import Client
from tests.simulation.device import Device
from tests.simulation.fault import Begun, End, Fault, names, nothing, one, repeating, some
from tests.simulation.insider import Insider
from tests.simulation.network import Weather

if TYPE_CHECKING:
    from tests.simulation.world import World

LONGEST_WAY_BACK_S = 7.5
"""The longest pause between two tries to reach the hub."""

# -- the network -------------------------------------------------------------------------------


def _weather(world: "World", what: str, weather: Weather) -> tuple[str, End]:
    devices = some(world)
    for device in devices:
        device.path.weather.append(weather)

    def end() -> None:
        for device in devices:
            device.path.weather.remove(weather)

    return f"{what} for {names(devices)}", end


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
    devices = some(world)
    for device in devices:
        world.bites["partition"] += 1
        world.carrier.disconnect(device, is_noticed=True)

    def end() -> None:
        for device in devices:
            if device.is_running and not device.connection:
                world.carrier.connect(device)

    return f"a partition that {names(devices)} notice", end


# -- the service -------------------------------------------------------------------------------


def _fork(world: "World") -> Begun:
    carrier, rng = world.carrier, world.rng
    apart = some(world)
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

    return f"the service forks its log for {names(apart)}", end


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


def _hidden_remove(world: "World") -> Begun:
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


def _live_held(world: "World") -> Begun:
    """Beacons come late, one by one, to hide that no new ones come."""
    device = one(world, in_group=True)
    if device is None:
        return None
    held = world.rng.uniform(0.5, 4.0)
    carrier = world.carrier
    carrier.delays_live[device] = held
    carrier.longest_held[device] = max(held, carrier.longest_held.get(device, 0.0))
    world.bites["live_held"] += 1

    def end() -> None:
        carrier.delays_live.pop(device, None)

    return f"the service holds live messages back {held:.1f} s for {device.label}", end


def _replay(world: "World") -> tuple[str, End]:
    carrier, rng = world.carrier, world.rng

    def act() -> None:
        if carrier.seen and carrier.clients:
            _, event = rng.choice(carrier.seen)
            carrier.deliver(rng.choice(carrier.clients), event)
        log = carrier.sides[0].log
        if log and rng.random() < 0.3:
            carrier.append(rng.choice(log), carrier.sides[0])

    return "the service replays", repeating(world, "replay", act, 0.25)


def _truncate(world: "World") -> tuple[str, End]:
    entries = world.rng.choice((1, 1, 2, 5, 1000))
    world.bites["truncate"] += 1
    world.truth.played_two_sides = True
    world.carrier.forget(entries)
    return f"the service loses the last {entries} entries of the log", nothing


def _restart(world: "World") -> Begun:
    """Killed and started again: no log is left, and each comes back when its pause between two tries ends."""
    if len(world.carrier.sides) > 1:
        return None
    clients = world.carrier.go_down()
    world.bites["restart"] += 1

    def back(client: Client) -> None:
        if isinstance(client, Device) and client.is_running and not client.connection:
            world.carrier.connect(client)

    def end() -> None:
        for client in clients:
            world.loop.after(world.rng.uniform(0, LONGEST_WAY_BACK_S), partial(back, client))

    return "the service is killed", end


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

    return "the service fills the log and the lobby with junk", repeating(world, "junk", act, 0.25)


def _false_results(world: "World") -> tuple[str, End]:
    world.carrier.lies_about_results = world.rng.uniform(0.2, 0.8)

    def end() -> None:
        world.carrier.lies_about_results = 0.0

    return "the service lies about what it accepted", end


SERVICE_FAULTS = (
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
    Fault("restart", _restart, 0.5, 5),
    Fault("junk", _junk, 2, 8),
    Fault("false_results", _false_results, 2, 6),
)
