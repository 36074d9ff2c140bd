"""Does a driver keep its promises? Run against the hardware that a `hal.toml` names.

    python -m tests.hal.conformance hal.toml
    python -m tests.hal.conformance hal.toml --slot camera_control --interactive

The same checks run in the tests, against simulated counterparts (`tests.hal.test_conformance`).
"""

import argparse
import asyncio
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path

from conclave_hal.config import make_devices
from conclave_hal.device import AnyDevice
from conclave_hal.drivers import Slot
from conclave_hal.errors import ConfigurationError
from tests.hal.checks.bench import Hands, NoHands
from tests.hal.checks.check import Check
from tests.hal.checks.run import NONE, Outcome, Result, checks_of, examine, warm_up

GETS_READY = "becomes_ready"
"""The check that says why a device is not there; the others say nothing then."""
KEPT, BROKEN, USAGE, INTERRUPTED = 0, 1, 2, 130

HELP = """\
Run a driver's conformance checks on the hardware that hal.toml names.

Each check opens the device anew, looks at one promise of its interface, and closes it. The hardware moves
and is heard: a camera turns (and turns back), its last preset is overwritten, it goes to standby and comes
back; a camera films and a microphone listens for a moment, and nothing of it is kept; a display is switched;
lamps and panel show made-up states. Stop conclaved first: a device has one owner.
"""
EPILOG = """\
examples:
  python -m tests.hal.conformance hal.toml
  python -m tests.hal.conformance hal.toml --slot camera_control --interactive
  python -m tests.hal.conformance hal.toml --slot panel --check draws
  make conformance ARGS='hal.toml --interactive'

with --interactive you are asked to unplug, plug in, press and slide; without it such checks are skipped.

exit codes:
  0  every promise is kept (skipped checks say why)
  1  a promise is broken: the report says which, what was seen, and where to look
  2  wrong usage, or hal.toml is wrong

what the interfaces promise, and how to write a driver: docs/hal.md
"""
ASKED = {
    "unplug": "unplug it now",
    "plug_in": "plug it in, then press Enter at once",
    "block": "close the shutter, or move the switch to mute",
    "pass": "open the shutter, or move the switch back",
    "open_case": "open the case",
    "close_case": "close the case, then press Enter",
    "press": "press a button, or something on the panel",
    "ask": "let the room controller ask to mute the microphone",
}
ENTER = frozenset({"plug_in", "close_case"})
"""What has to be done before the check goes on; the rest is waited for by looking at the device."""


class Person(Hands):
    """Whoever sits before the terminal."""

    deadline_s = 120.0

    async def do(self, what: str, device: AnyDevice | None = None) -> None:
        """Ask for it, and where nothing else would tell, wait for Enter."""
        waits = what in ENTER or device is None
        more = ", then press Enter" if waits and what not in ENTER else ""
        print(f"    >>> {ASKED.get(what, what)}{more}", flush=True)
        if waits:
            await asyncio.to_thread(sys.stdin.readline)


def main(arguments: Sequence[str] | None = None) -> int:
    """The program; returns its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.hal.conformance",
        description=HELP,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("hal", metavar="hal.toml", type=Path, help="which drivers, with their options")
    slots = [slot.value for slot in Slot]
    parser.add_argument(
        "--slot", choices=slots, action="append", metavar="SLOT", help="only this slot; may be repeated"
    )
    parser.add_argument("--check", action="append", metavar="NAME", help="only this check; may be repeated")
    parser.add_argument(
        "--interactive", action="store_true", help="ask a person to unplug, plug in and press"
    )
    parser.add_argument("--list", action="store_true", help="list the checks that would be run, by name")
    given = parser.parse_args(arguments)
    try:
        plan = _plan(given.hal, given.slot or [], given.check or [])
    except ConfigurationError as error:
        print(f"conformance: {error}{f' ({error.hint})' if error.hint else ''}", file=sys.stderr)
        return USAGE
    if not plan:
        print(f"conformance: {given.hal} names no driver in what was asked for", file=sys.stderr)
        return USAGE
    if given.list:
        for slot, (_, checks) in plan.items():
            for check in checks:
                print(f"{slot.value:<15} {check.name:<32} {check.claim}")
        return KEPT
    hands: Hands = Person() if given.interactive else NoHands()
    try:
        outcomes = asyncio.run(_run(given.hal, plan, hands))
    except KeyboardInterrupt:
        return INTERRUPTED
    return BROKEN if any(outcome.result is Result.FAILED for outcome in outcomes) else KEPT


Plan = dict[Slot, tuple[str, list[Check]]]


def _plan(file: Path, slots: list[str], names: list[str]) -> Plan:
    """The driver and the checks of each slot that is fitted. Raises ConfigurationError."""
    plan: Plan = {}
    devices = make_devices(file)
    named = tomllib.loads(file.read_text(encoding="utf-8"))
    for slot, device in devices.items():
        # A slot that the file leaves out may have a driver by default: nobody asks about that one.
        if slot.value not in named or device.driver == NONE or (slots and slot.value not in slots):
            continue
        checks = [check for check in checks_of(slot, device.driver) if not names or check.name in names]
        if checks:
            plan[slot] = (device.driver, checks)
    return plan


async def _run(file: Path, plan: Plan, hands: Hands) -> list[Outcome]:
    outcomes: list[Outcome] = []
    for slot, (driver, checks) in plan.items():
        print(f"{slot.value}: driver {driver}", flush=True)
        is_ready = await warm_up(file, slot, driver, hands)
        for check in checks:
            if is_ready or check.name == GETS_READY:
                outcome = await examine(check, file, slot, hands)
            else:
                # Each of them would wait for it in vain.
                outcome = Outcome(check, Result.SKIPPED, "it does not get ready: is it plugged in?")
            outcomes.append(outcome)
            _print(outcome)
    count = {result: sum(outcome.result is result for outcome in outcomes) for result in Result}
    print(", ".join(f"{number} {result.value}" for result, number in count.items()))
    return outcomes


def _print(outcome: Outcome) -> None:
    print(f"  {outcome.result.value:<8} {outcome.check.claim}", flush=True)
    if outcome.result is Result.FAILED:
        print(f"           seen: {outcome.reason}")
        print(f"           mend: {outcome.check.mend}")
        print(f"           again: --check {outcome.check.name}", flush=True)
    elif outcome.result is Result.SKIPPED:
        print(f"           {outcome.reason}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
