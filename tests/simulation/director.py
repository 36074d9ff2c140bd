"""How a schedule goes: which faults befall it, how long people come and go, and when it is over.

First they gather. Then they come and go, hosts let in and throw out, and faults begin and end. When
enough has happened all faults end, nobody is malicious any more, and whoever should be in must be in,
together with all others and with nobody else, within a bounded time.
"""

from typing import TYPE_CHECKING

from conclaved.meeting import OwnRules
from tests.simulation.acts import Acts
from tests.simulation.device import START
from tests.simulation.fault import End, Fault
from tests.simulation.faults import FAULTS
from tests.simulation.insider import Insider
from tests.simulation.liveness import ENDED, LIVENESS, ROUND_S, ROUNDS, what_is_wrong, who_goes_on
from tests.simulation.people import ordinary_trust
from tests.simulation.violation import Violation

if TYPE_CHECKING:
    from tests.simulation.world import World

MIN_COMMITS = 20
MIN_FAULTS = 3
GATHER_S = 3.0
LONGEST_CHURN_S = 32.0
MOST_TOP_UPS = 60
PEOPLE_S = 0.8
"""How often people look at their panel."""
MUTED_S = 7.0
AFTERMATH_S = 8.0
"""How long a group that was apart may still make itself heard."""
MUTED_SHARE = 0.3
END_SHARE = 0.15
END_WITHIN_S = 12.0


class Director:
    """See the file's head."""

    def __init__(self, world: "World") -> None:
        self.world = world
        self.acts = Acts(world)
        rng = world.rng
        self.is_over = False
        self.settled_s = 0.0
        self._faults_wanted = rng.randint(MIN_FAULTS, 7)
        self._commits_wanted = MIN_COMMITS + rng.randint(0, 4)
        self._running: dict[int, tuple[Fault, End]] = {}
        self._begun = 0
        self._is_churning = True
        self._calm_since = 0.0
        self._top_ups = 0

    def begin(self) -> None:
        """Put the beginning into the loop."""
        world, rng = self.world, self.world.rng
        title = world.terms.signed.content.title
        world.say("MEETING", f"{title}, {len(world.devices)} devices, seed {world.seed}")
        for index, device in enumerate(world.devices):
            if index == 0 or rng.random() < 0.85:
                device.wants_in = True
                at = rng.uniform(0, 0.3) if index == 0 else rng.uniform(0.1, GATHER_S)
                world.loop.after(at, device.start)
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

    # -- people ---------------------------------------------------------------------------------

    def _churn(self) -> None:
        world, rng = self.world, self.world.rng
        enough = world.commits >= self._commits_wanted and self._begun >= self._faults_wanted
        if enough or (world.loop.now - START > LONGEST_CHURN_S and self._begun >= MIN_FAULTS):
            self._calm_down()
            return
        self.acts.any()
        world.loop.after(rng.uniform(0.1, 0.7), self._churn)

    def _people_look(self) -> None:
        """Hosts look at the lobby; whoever fell out of the meeting and wants to be in joins again."""
        world, rng = self.world, self.world.rng
        world.loop.after(PEOPLE_S, self._people_look)
        for device in world.devices:
            if device.wants_in and not device.is_running and device.ended is not None and rng.random() < 0.5:
                world.acts["join again"] += 1
                self.acts.join(device)
        self.acts.look_at_lobbies()
        if not self._is_churning:
            self.acts.forgive()
            self.acts.insist()

    # -- the end --------------------------------------------------------------------------------

    def _calm_down(self) -> None:
        """No fault any more, nobody malicious any more, and no certificate that is about to end."""
        world = self.world
        self._is_churning = False
        world.say("MEETING", "all faults end")
        for number in list(self._running):
            self._end_fault(number)
        world.chair.wants_in = True
        for device in world.devices:
            if isinstance(device, Insider):
                device.is_evil = False
            if device.trust is not ordinary_trust():
                device.trusts(ordinary_trust())
            if device.rules != OwnRules():
                device.has_rules(OwnRules())
            if not device.has_good_paper:
                device.renew(device.person.lasting(device.paper))
            if device.session is None and device.wants_in:
                self.acts.join(device)
        self._calm_since = world.loop.now
        world.loop.after(0.3, self._wait)

    def _wait(self) -> None:
        world = self.world
        missing = what_is_wrong(world)
        waited = world.loop.now - self._calm_since
        if missing:
            if waited > ROUNDS * ROUND_S:
                raise Violation(LIVENESS, f"after {waited:.0f} s: {missing}")
            world.loop.after(0.3, self._wait)
            return
        self.settled_s = max(self.settled_s, waited)
        world.judge.count(LIVENESS)
        world.say("MEETING", f"all are in after {waited:.1f} s")
        if world.commits < MIN_COMMITS and self._top_ups < MOST_TOP_UPS:
            # More comings and goings, without faults, until there were enough commits.
            self._top_ups += 1
            self.acts.come_or_go()
            world.loop.after(1.0, self._wait_again)
        else:
            self._go_quiet()

    def _wait_again(self) -> None:
        self._calm_since = self.world.loop.now
        self._wait()

    def _go_quiet(self) -> None:
        world = self.world
        world.media.is_muted = True
        if world.rng.random() < MUTED_SHARE:
            world.say("MEETING", "all mute themselves")
            world.loop.after(AFTERMATH_S, self._be_quiet)
        else:
            self._finish()

    def _be_quiet(self) -> None:
        world = self.world
        if what_is_wrong(world):
            self._finish()
            return
        world.judge.lock.is_quiet = True
        for device in world.devices:
            if device.view is not None and device.is_in:
                world.judge.lock.on_view(device, device.view)
        world.loop.after(MUTED_S, self._finish)

    def _finish(self) -> None:
        world = self.world
        world.judge.lock.is_quiet = False
        if world.rng.random() < END_SHARE and self.acts.end_for_all():
            world.loop.after(END_WITHIN_S, self._see_the_end)
        else:
            self.is_over = True

    def _see_the_end(self) -> None:
        self.world.judge.count(ENDED)
        left = who_goes_on(self.world)
        if left:
            raise Violation(ENDED, f"{', '.join(left)} did not end")
        self.is_over = True
