"""Running checks: each on a device of its own, with an eye on the event loop, to one outcome."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from conclave_hal.drivers import Slot, find_driver
from conclave_hal.errors import HalError
from tests.hal.checks import CHECKS
from tests.hal.checks.bench import Bench, Hands
from tests.hal.checks.check import BrokenError, Check, SkippedError
from tests.hal.checks.pulse import Pulse

log = logging.getLogger(__name__)

NONE = "none"
"""The driver of a slot in which nothing is fitted."""


class Result(Enum):
    """How a check ended."""

    OK = "ok"
    FAILED = "FAILED"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a check found."""

    check: Check
    result: Result
    reason: str = ""
    """What was seen instead, or why nobody can tell; empty for OK."""


def checks_of(slot: Slot, driver: str) -> Iterator[Check]:
    """The checks that say something about such a driver."""
    for check in CHECKS:
        if slot in check.slots and not (check.needs_hardware and driver == NONE):
            yield check


async def warm_up(file: Path, slot: Slot, driver: str, hands: Hands) -> bool:
    """Import what the driver needs, once: that is not counted as standing still. Whether it got ready.

    Raises ConfigurationError if the driver cannot be imported.
    """
    find_driver(slot, driver)
    bench = Bench(file, slot, hands)
    try:
        async with bench.ready():
            return True
    except Exception as error:  # noqa: BLE001  # the checks will say so, and better
        log.debug("the first round: %s", error)
        return False
    finally:
        await _cleared(bench)


async def examine(check: Check, file: Path, slot: Slot, hands: Hands) -> Outcome:
    """Run one check. Raises nothing that a driver could be blamed for."""
    bench = Bench(file, slot, hands)
    reason = ""
    async with Pulse() as pulse:
        try:
            await check.body(bench)
        except SkippedError as why:
            return Outcome(check, Result.SKIPPED, str(why))
        except BrokenError as broken:
            reason = str(broken)
        except HalError as error:
            reason = f"{type(error).__name__}: {error}"
        except Exception as error:  # noqa: BLE001  # a check's root: what a driver raises is its outcome
            reason = f"{type(error).__name__}, which is no HalError: {error}"
        finally:
            at_the_end = await _cleared(bench)
            reason = reason or at_the_end
    if not reason and pulse.stood_at:
        reason = f"the event loop stood still in {pulse.stood_at}"
    return Outcome(check, Result.FAILED if reason else Result.OK, " ".join(reason.split()))


async def _cleared(bench: Bench) -> str:
    """Close what is left; what goes wrong then, if nothing did before."""
    try:
        await bench.clear()
    except Exception as error:  # noqa: BLE001  # a check's root, as above
        return f"closing: {type(error).__name__}: {error}"
    return ""
