"""What people do in a schedule, which faults befall them, and when it is over.

First they gather. Then they come and go, hosts let in and throw out, and faults begin and end. When
enough has happened all faults end, whoever was malicious is thrown out, and whoever should be in must be
in, together with all others and with nobody else, within a bounded time.
"""

from typing import TYPE_CHECKING

from conclaved.meeting import MeetingError
from tests.simulation.device import START, Device
from tests.simulation.faults import FAULTS, End, Fault
from tests.simulation.insider import Insider
from tests.simulation.liveness import LIVENESS, ROUND_S, ROUNDS, what_is_wrong
from tests.simulation.violation import Violation

if TYPE_CHECKING:
    from tests.simulation.world import World

MIN_COMMITS = 20
MIN_FAULTS = 3
GATHER_S = 3.0
LONGEST_CHURN_S = 60.0
PEOPLE_S = 0.8
"""How often people look at their panel."""
MUTED_S = 7.0


class Director:
    """See the file's head."""

    def __init__(self, world: "World") -> None:
        self.world = world
        rng = world.rng
        self.is_over = False
        self.settled_s = 0.0
        self.thrown_out: set[str] = set()
        """Labels of those whom a host has thrown out: they are to be out, or were before that."""
        self._faults_wanted = rng.randint(MIN_FAULTS, 7)
        self._commits_wanted = MIN_COMMITS + rng.randint(0, 4)
        self._running: dict[int, tuple[Fault, End]] = {}
        self._begun = 0
        self._is_churning = True
        self._calm_since = 0.0

    def begin(self) -> None:
        """Put the beginning into the loop."""
        world, rng = self.world, self.world.rng
        world.say(
            "MEETING", f"{world.terms.signed.content.title}, {len(world.devices)} devices, seed {world.seed}"
        )
        for index, device in enumerate(world.devices):
            if index == 0 or rng.random() < 0.85:
                device.wants_in = True
                world.loop.after(
                    rng.uniform(0, 0.3) if index == 0 else rng.uniform(0.1, GATHER_S), device.start
                )
        world.loop.after(GATHER_S, self._churn)
        world.loop.after(rng.uniform(GATHER_S - 1, GATHER_S + 3), self._next_fault)
        world.loop.after(PEOPLE_S, self._people_look)

    # -- faults ---------------------------------------------------------------------------------

    def _next_fault(self) -> None:
        world, rng = self.world, self.world.rng
        if not self._is_churning:
            return
        fault = rng.choice(FAULTS)
        begun = fault.begin(world)
        if begun is None:
            world.loop.after(0.1, self._next_fault)
            return
        what, end = begun
        self._begun += 1
        number = self._begun
        world.faults[fault.name] += 1
        world.say("FAULT", f"{what} ({fault.name} {number} begins)")
        self._running[number] = fault, end
        world.loop.after(rng.uniform(fault.shortest_s, fault.longest_s), lambda: self._end_fault(number))
        world.loop.after(rng.uniform(0.5, 4.0), self._next_fault)

    def _end_fault(self, number: int) -> None:
        running = self._running.pop(number, None)
        if running is not None:
            self.world.say("FAULT", f"{running[0].name} {number} is over")
            running[1]()

    # -- what people do -------------------------------------------------------------------------

    def throw_out(self, host: Device, victim: Device) -> bool:
        """A host throws somebody out."""
        group, remaining = host.group, len(self.world.devices) - len(self.thrown_out)
        if group is None or remaining < 3:
            return False
        leaf = next((m.leaf_index for m in group.members if m.leaf_node.signature_key == victim.key), None)
        if leaf is None:
            return False
        victim.wants_in = False
        self.thrown_out.add(victim.label)
        self.world.acts["kick"] += 1
        host.kick(leaf, victim.label)
        return True

    def _churn(self) -> None:
        world, rng = self.world, self.world.rng
        enough = world.commits >= self._commits_wanted and self._begun >= self._faults_wanted
        if enough or (world.loop.now - START > LONGEST_CHURN_S and self._begun >= MIN_FAULTS):
            self._calm_down()
            return
        self._act()
        world.loop.after(rng.uniform(0.1, 0.7), self._churn)

    def _act(self) -> None:
        world, rng = self.world, self.world.rng
        members = [d for d in world.devices if d.is_in and d.wants_in]
        away = [d for d in world.devices if not d.wants_in and d.label not in self.thrown_out]
        away = [d for d in away if not d.is_running]
        if away and (len(members) < 3 or rng.random() < 0.5):
            device = rng.choice(away)
            device.wants_in = True
            world.acts["join"] += 1
            device.start()
        elif len(members) > 1 and rng.random() < 0.9:
            device = rng.choice(members)
            device.wants_in = False
            world.acts["leave"] += 1
            device.leave()
        elif len(members) > 3 and len(self.thrown_out) < 2:
            hosts = [d for d in members if d.view is not None and d.view.is_host and d.is_honest]
            if hosts:
                host = rng.choice(hosts)
                self.throw_out(host, rng.choice([d for d in members if d is not host]))

    def _people_look(self) -> None:
        """Hosts look at the lobby; whoever fell out of the meeting and wants to be in joins again."""
        world, rng = self.world, self.world.rng
        world.loop.after(PEOPLE_S, self._people_look)
        for device in world.devices:
            if device.wants_in and not device.is_running and device.ended is not None and rng.random() < 0.5:
                world.acts["join again"] += 1
                device.start()
            view = device.view
            if view is None or not view.is_host or not device.is_running or not device.is_honest:
                continue
            for waiting in view.lobby:
                who = world.device_of(waiting.request.signature_key)
                if who is None or waiting.obstacle(world.terms.signed.content.level):
                    continue
                try:
                    device.answer(waiting.request_id, who.label, admits=who.wants_in)
                    world.acts["admit" if who.wants_in else "deny"] += 1
                except MeetingError as error:
                    device.say(f"cannot: {error}")

    # -- the end --------------------------------------------------------------------------------

    def _calm_down(self) -> None:
        """No fault any more, nobody malicious any more."""
        world = self.world
        self._is_churning = False
        world.say("MEETING", "all faults end")
        for number in list(self._running):
            self._end_fault(number)
        world.chair.wants_in = True
        for device in world.devices:
            if isinstance(device, Insider):
                device.is_evil = False
            if device.session is None and device.wants_in:
                device.start()
        self._calm_since = world.loop.now
        world.loop.after(0.3, self._wait)

    def _wait(self) -> None:
        world = self.world
        missing = what_is_wrong(world)
        waited = world.loop.now - self._calm_since
        if not missing:
            self.settled_s = waited
            world.judge.count(LIVENESS)
            world.say("MEETING", f"all are in after {waited:.1f} s")
            if world.commits < MIN_COMMITS:
                self._is_churning = False
                self._act()
                world.loop.after(1.0, self._top_up)
            else:
                self._go_quiet()
        elif waited > ROUNDS * ROUND_S:
            raise Violation(LIVENESS, f"after {waited:.0f} s: {missing}")
        else:
            world.loop.after(0.3, self._wait)

    def _top_up(self) -> None:
        """More comings and goings, without faults, until there were enough commits."""
        self._calm_since = self.world.loop.now
        self._wait()

    def _go_quiet(self) -> None:
        world = self.world
        world.media.is_muted = True
        if world.rng.random() < 0.3:
            world.say("MEETING", "all mute themselves")
            world.judge.lock.is_quiet = True
            for device in world.devices:
                if device.view is not None and device.is_in:
                    world.judge.lock.on_view(device, device.view)
            world.loop.after(MUTED_S, self._finish)
        else:
            self._finish()

    def _finish(self) -> None:
        self.is_over = True
