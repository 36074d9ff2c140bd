"""What goes wrong with machines and certificates, and who is malicious."""

from typing import TYPE_CHECKING

from conclaved.meeting import OwnRules
from conclaved.meeting.events import Leader
from tests.simulation import evil
from tests.simulation.carrier import Client
from tests.simulation.device import FAST_JOB_S, SLOW_JOB_S, START, Device
from tests.simulation.fault import Begin, Begun, End, Fault, names, nothing, one, repeating, some
from tests.simulation.insider import Insider
from tests.simulation.people import ordinary_trust

if TYPE_CHECKING:
    from tests.simulation.world import World


# -- machines ----------------------------------------------------------------------------------


def _crash(world: "World") -> Begun:
    return _crashes(world, one(world), "crash")


def _host_crash(world: "World") -> Begun:
    return _crashes(world, one(world, is_host=True), "host_crash")


def _crashes(world: "World", device: Device | None, name: str) -> Begun:
    if device is None:
        return None
    world.bites[name] += 1
    keeps = world.rng.random() < 0.7
    # Who has another key now than it came in with, and nothing to show for it, needs a host to clear away the
    # leaf of its former self; whoever signed the invitation would need another host.
    has_renewed = device.key != device.person.paper.truth.key
    device.crash(keeps_admission=keeps or has_renewed or device is world.chair)

    def end() -> None:
        if device.session is None and device.wants_in:
            device.start()

    return f"{device.label} crashes", end


def _freeze(world: "World") -> Begun:
    device = one(world)
    if device is None:
        return None
    world.bites["freeze"] += 1
    device.freeze(world.rng.uniform(0.5, 8.0))
    return f"{device.label} freezes", nothing


def _clock_jump(world: "World") -> Begun:
    device = one(world)
    if device is None:
        return None
    world.bites["clock_jump"] += 1
    device.skew_s = world.rng.choice((-7200, -900, -120, -10, 10, 120, 900, 7200, 2_000_000, 6_000_000))

    def end() -> None:
        device.skew_s = 0

    return f"the clock of {device.label} jumps by {device.skew_s} s", end


def _slow_signer(world: "World") -> tuple[str, End]:
    devices = some(world)
    for device in devices:
        world.bites["slow_signer"] += 1
        device.job_s = SLOW_JOB_S

    def end() -> None:
        for device in devices:
            device.job_s = FAST_JOB_S

    return f"600 ms for a signature by {names(devices)}", end


# -- certificates and policy -------------------------------------------------------------------


def _expiry(world: "World") -> Begun:
    """A certificate ends in mid-meeting, and is renewed only some time after that."""
    device = one(world, in_group=True)
    if device is None or device is world.chair:
        return None
    left_s = world.rng.randint(1, 4)
    device.renew(device.person.until(device.paper, int(world.loop.now - START) + left_s))

    def ended() -> None:
        world.bites["expiry"] += device.is_in and device.paper.truth.not_after < device.wall()

    def end() -> None:
        device.renew(device.person.lasting(device.paper))

    world.loop.after(left_s + 1.0, ended)
    return f"the certificate of {device.label} ends in {left_s} s", end


def _renewal(world: "World") -> Begun:
    """Certificates and keys change one after the other."""

    def act() -> None:
        world.director.acts.renew()

    return "certificates are renewed", repeating(world, "renewal", act, 1.5)


def _distrust(world: "World") -> Begun:
    """An admin blocks somebody who is in."""
    device, other = one(world, in_group=True), one(world, in_group=True)
    if device is None or other is None or device is other or other is world.chair:
        return None
    world.bites["distrust"] += 1
    device.trusts(ordinary_trust(frozenset({other.person.name})))

    def end() -> None:
        device.trusts(ordinary_trust())

    return f"{device.label} blocks {other.label}", end


def _policy(world: "World") -> Begun:
    """An admin allows no guests and no recorders any more."""
    device = one(world, in_group=True)
    if device is None:
        return None
    world.bites["policy"] += 1
    device.has_rules(OwnRules(requires_verified=True, allows_service_ends=False))

    def end() -> None:
        device.has_rules(OwnRules())

    return f"the policy of {device.label} becomes strict", end


# -- people ------------------------------------------------------------------------------------


def _malicious(name: str, deeds: tuple[evil.Deed, ...]) -> Begin:
    def begin(world: "World") -> Begun:
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

        stop = repeating(world, "malicious_tries", act, 0.8)

        def end() -> None:
            stop()
            insider.is_idle_leader = False

        return f"{insider.label} is a {name.replace('_', ' ')}", end

    return begin


def _name(world: "World", leader: Client) -> None:
    for client in world.carrier.clients:
        world.carrier.deliver(client, Leader(client is leader))


MACHINE_FAULTS = (
    Fault("crash", _crash, 0.2, 6),
    Fault("host_crash", _host_crash, 0.2, 6),
    Fault("freeze", _freeze, 0.1, 0.2),
    Fault("clock_jump", _clock_jump, 2, 8),
    Fault("slow_signer", _slow_signer, 4, 10),
    Fault("expiry", _expiry, 5, 12),
    Fault("renewal", _renewal, 2, 6),
    Fault("distrust", _distrust, 2, 8),
    Fault("policy", _policy, 2, 8),
    Fault("malicious_member", _malicious("malicious_member", evil.MEMBER_DEEDS), 3, 9),
    Fault("malicious_leader", _malicious("malicious_leader", evil.LEADER_DEEDS), 3, 9),
    Fault("malicious_host", _malicious("malicious_host", evil.HOST_DEEDS), 3, 9),
)
