"""A check: a claim about a driver, whom it concerns, and what to do where it does not hold."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from conclave_hal.drivers import Slot

if TYPE_CHECKING:
    from tests.hal.checks.bench import Bench

ALL_SLOTS = frozenset(Slot)


class BrokenError(Exception):
    """The claim does not hold; the message says what was seen instead."""


class SkippedError(Exception):
    """Nobody can tell here; the message says why."""


@dataclass(frozen=True, slots=True)
class Check:
    """One claim."""

    name: str
    """The function's name, by which `--check` picks it."""
    claim: str
    """A sentence without its subject, the driver: `ends what it runs when it is cancelled`."""
    mend: str
    """Where to look if it does not hold."""
    slots: frozenset[Slot]
    body: Callable[["Bench"], Awaitable[None]]
    needs_hardware: bool
    """Whether it says nothing about a slot in which nothing is fitted."""


Body = Callable[["Bench"], Awaitable[None]]


@dataclass(slots=True)
class Checks:
    """The checks of one file, collected in the order in which they stand there."""

    all: list[Check] = field(default_factory=list)

    def claim(
        self, claim: str, *, mend: str, slots: frozenset[Slot] = ALL_SLOTS, needs_hardware: bool = True
    ) -> Callable[[Body], Body]:
        """Make the function below a check of `claim`."""

        def take(body: Body) -> Body:
            name = getattr(body, "__name__", "")
            self.all.append(Check(name, claim, mend, slots, body, needs_hardware))
            return body

        return take


def require(holds: object, otherwise: str) -> None:
    """Raises BrokenError with `otherwise` unless it holds."""
    if not holds:
        raise BrokenError(otherwise)
