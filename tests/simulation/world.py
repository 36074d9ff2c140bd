"""One schedule: a seed becomes a meeting with its people, its service and its faults, and runs to its end."""

import traceback
from collections import Counter
from contextlib import nullcontext
from dataclasses import dataclass, field
from random import Random

from conclaved.mls.crypto import Crypto, use_provider
from tests.simulation.carrier import Carrier
from tests.simulation.device import START, Device
from tests.simulation.director import Director
from tests.simulation.fast_crypto import FastCrypto, WatchedCrypto
from tests.simulation.insider import Insider
from tests.simulation.judge import Judge
from tests.simulation.loop import Loop
from tests.simulation.media import Media
from tests.simulation.people import (
    CHAIR,
    CORPORATE_ROOMS,
    LOCKED,
    OPEN,
    PROVIDED,
    RECORDERS,
    ROOMS,
    STANDARD,
    STRAYS,
    Person,
    Terms,
    Vouching,
    ordinary_trust,
)
from tests.simulation.shortcuts import shortcuts
from tests.simulation.trace import Trace
from tests.simulation.truth import EpochTruth, Truth
from tests.simulation.violation import Violation

REAL_SHARE = 0.02
"""Of all schedules so many run with the real cryptography."""
MALICIOUS_HOST_SHARE = 0.5
"""Of meetings with another host than the chair."""
SHORT_SHARE = 0.12
"""Of those who come, so many have a certificate that ends in mid-meeting."""
MAX_STEPS = 400_000
SIZES = tuple(range(3, 13))
SIZE_WEIGHTS = (20, 18, 12, 8, 6, 5, 4, 3, 2, 2)
"""Small meetings more often: most faults need few to be seen, and work grows with the square."""


@dataclass
class Outcome:
    """What came of a schedule."""

    seed: int
    is_fast: bool
    level: str
    members: int
    commits: int
    simulated_s: float
    settled_s: float
    """How long it took until all who should be in were in, after the last fault."""
    faults: Counter[str]
    bites: Counter[str]
    """How often a fault did something."""
    acts: Counter[str]
    checks: Counter[str]
    bad_inputs: int
    violation: Violation | None = None
    trace: list[str] = field(default_factory=list, repr=False)


class World:
    """See the file's head."""

    def __init__(self, seed: int, *, is_traced: bool = False, is_fast: bool | None = None) -> None:
        self.seed = seed
        self.rng = Random(seed)
        is_real = Random(f"{seed} crypto").random() < REAL_SHARE
        self.is_fast = not is_real if is_fast is None else is_fast
        # Apart from what decides about the schedule: how many random bytes cryptography takes is its affair.
        self.crypto: WatchedCrypto = FastCrypto(Random(f"{seed} keys")) if self.is_fast else WatchedCrypto()
        self.session_random = Random(f"{seed} sessions").randbytes
        self.loop = Loop(START)
        self.bites: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()
        self.acts: Counter[str] = Counter()
        self.bad_inputs = 0
        self.trace = Trace(is_traced)
        self.truth = Truth()
        self.carrier = Carrier(self.loop, self.rng, self.bites)
        self.judge = Judge(self)
        self.media = Media(self)
        self.terms: Terms = self.rng.choice((STANDARD, STANDARD, STANDARD, LOCKED, OPEN))
        self.devices: list[Device] = []
        self._by_key: dict[bytes, Device] = {}
        self._cast()
        self.director = Director(self)

    def _cast(self) -> None:
        rng = self.rng
        people: list[Person] = [*ROOMS, *CORPORATE_ROOMS]
        if not self.terms.is_locked:
            people += [*PROVIDED, *RECORDERS, *STRAYS]
        chosen = [CHAIR, *rng.sample(people, rng.choices(SIZES, SIZE_WEIGHTS)[0] - 1)]
        malicious = rng.sample(chosen[1:], rng.choice((0, 0, 1, 1, 2)))
        hosts = [person for person in chosen[1:] if person.name in self.terms.signed.content.hosts]
        if hosts and rng.random() < MALICIOUS_HOST_SHARE:
            malicious.append(rng.choice(hosts))
        for person in chosen:
            kind = Insider if person in malicious else Device
            is_short = person is not CHAIR and rng.random() < SHORT_SHARE
            self.add(kind(self, person, person.short_lived if is_short else person.paper))

    def add(self, device: Device) -> None:
        """One more device, not switched on yet."""
        self.devices.append(device)
        for key in device.person.keys:
            self._by_key[key] = device

    # -- what others ask ------------------------------------------------------------------------

    @property
    def chair(self) -> Device:
        """The device of who signed the invitation."""
        return self.devices[0]

    @property
    def commits(self) -> int:
        """How many commits were entered by anybody."""
        return len(self.truth.epochs)

    @property
    def honest_names(self) -> frozenset[str]:
        """Of those whose devices keep to the rules."""
        return frozenset(device.person.name for device in self.devices if device.is_honest)

    def device_of(self, key: bytes) -> Device | None:
        """Whose signature key that is."""
        return self._by_key.get(key)

    def worst_latency_s(self) -> float:
        """The longest that any message was under way."""
        return max(device.path.worst_s for device in self.devices)

    def may_be_in(self, device: Device) -> bool:
        """Whether the meeting's terms let that one in at all: who is vouched for, and for what."""
        truth = device.paper.truth
        if ordinary_trust().may_call_verified(truth, device.wall()):
            return True
        return not self.terms.is_locked and truth.vouching is Vouching.PROVIDER

    def gone_from(self, epoch: EpochTruth) -> list[str]:
        """Who was in an epoch and has been thrown out by a host since."""
        keys = epoch.members & self.truth.kicked_by_hosts
        return [d.label for d in self.devices if d.had_key_in(keys)]

    def say(self, who: str, what: str) -> None:
        """A line of the trace."""
        self.trace.say(self.loop.now - START, who, what)

    # -- running --------------------------------------------------------------------------------

    def run(self) -> Outcome:
        """Run to the end, or until something that must hold does not."""
        former = use_provider(self.crypto)
        with shortcuts() if self.is_fast else nullcontext():
            return self._run(former)

    def _run(self, former: Crypto) -> Outcome:
        violation: Violation | None = None
        try:
            self.director.begin()
            while not self.director.is_over:
                self.loop.step()
                if self.loop.steps > MAX_STEPS:
                    raise Violation("the simulation comes to rest", "it does not")
        except Violation as found:
            violation = found
        except Exception:  # noqa: BLE001 -- the root of a schedule: what the product raises is a find
            violation = Violation("nothing unexpected is raised", traceback.format_exc())
        finally:
            for device in self.devices:
                if device.session is not None:
                    device.session.close(self.loop.now)
            use_provider(former)
        if violation is not None:
            self.say("JUDGE", f"broken: {violation}")
        return self._outcome(violation)

    def _outcome(self, violation: Violation | None) -> Outcome:
        for device in self.devices:
            self.bites.update(device.path.bites)
        self.judge.checks["no (key, nonce) twice"] += len(self.crypto.nonces)
        return Outcome(
            seed=self.seed,
            is_fast=self.is_fast,
            level=self.terms.signed.content.title,
            members=len(self.devices),
            commits=self.commits,
            simulated_s=self.loop.now - START,
            settled_s=self.director.settled_s,
            faults=self.faults,
            bites=self.bites,
            acts=self.acts,
            checks=self.judge.checks,
            bad_inputs=self.bad_inputs,
            violation=violation,
            trace=self.trace.lines,
        )
