"""Checks of every driver: how it opens, runs, tells its state, and ends."""

import asyncio
from contextlib import aclosing
from dataclasses import fields
from typing import Any

from conclave_hal.device import AnyDevice, DeviceState, Health
from tests.hal.checks.bench import Bench
from tests.hal.checks.check import BrokenError, Checks, require
from tests.hal.checks.traces import left_since, present

CHECKS = Checks()


@CHECKS.claim(
    "is starting before it is opened, and believes nothing",
    mend="return the interface's state with its defaults from `_unknown`, and touch nothing in `make`",
    needs_hardware=False,
)
async def starts_knowing_nothing(bench: Bench) -> None:
    state = bench.make().state()
    require(state == type(state)(), f"its state is {state!r}, not {type(state)()!r}")


@CHECKS.claim(
    "is ready when it is opened and run, or says why not",
    mend="publish READY once the hardware has answered; FAILED or DEGRADED never without a reason",
    needs_hardware=False,
)
async def becomes_ready(bench: Bench) -> None:
    async with bench.ready() as device:
        state = device.state()
        require(state.health is Health.READY or state.reason, f"it is {state.health.value} without a reason")


@CHECKS.claim(
    "says in its state nothing that no screen can show",
    mend="make text from the device printable, and a reason one line: `conclave_hal.display_text`",
    needs_hardware=False,
)
async def says_printable_words(bench: Bench) -> None:
    async with bench.ready() as device:
        for words in _texts(device.state()):
            require(words.isprintable(), f"it says {words!r}")


@CHECKS.claim(
    "tells the present state first to whoever begins to watch",
    mend="leave `watch` as `Device` has it, and change the state by `_publish` only",
    needs_hardware=False,
)
async def tells_the_present_first(bench: Bench) -> None:
    async with bench.ready() as device:
        states: Any = device.watch()
        async with aclosing(states):
            before = device.state()
            first = await bench.soon(anext(states), "`watch` yields nothing")
            # It may have changed in between.
            require(first in (before, device.state()), f"the first is {first!r}, the state {before!r}")


@CHECKS.claim(
    "ends what it runs when it is cancelled",
    mend="let CancelledError pass through `run`; what has to be released belongs into `finally`",
    needs_hardware=False,
)
async def can_be_cancelled(bench: Bench) -> None:
    device = bench.make()
    await device.open()
    running = asyncio.create_task(device.run())
    await _turns()
    running.cancel()
    ended = await bench.soon(asyncio.wait({running}), "`run` goes on")
    require(ended, "`run` goes on")
    if not running.cancelled():
        error = running.exception()
        raise BrokenError("`run` returned" if error is None else f"`run` raised {type(error).__name__}")
    await bench.soon(device.close(), "`close` does not return")


@CHECKS.claim(
    "can be closed twice",
    mend="let `close` do nothing where nothing is left to release",
    needs_hardware=False,
)
async def closes_twice(bench: Bench) -> None:
    async with bench.ready() as device:
        pass
    await bench.soon(device.close(), "the second `close` does not return")


@CHECKS.claim(
    "can be closed without having been opened",
    mend="let `close` take nothing for granted that `open` makes",
    needs_hardware=False,
)
async def closes_unopened(bench: Bench) -> None:
    await bench.soon(bench.make().close(), "`close` does not return")


@CHECKS.claim(
    "can be closed when opening was cut short, and leaves nothing",
    mend="release in `close` whatever `open` has got hold of so far",
    needs_hardware=False,
)
async def closes_after_an_open_cut_short(bench: Bench) -> None:
    await _round(bench)
    before = present()
    device = bench.make()
    opening = asyncio.create_task(device.open())
    await asyncio.sleep(0)
    opening.cancel()
    await bench.soon(asyncio.wait({opening}), "`open` goes on though it was cancelled")
    await bench.soon(device.close(), "`close` does not return")
    del device, opening
    await _require_nothing_left(before)


@CHECKS.claim(
    "gives everything back: no descriptor, thread, task or reader is left",
    mend="close in `close` what `open` or `run` opened; end threads, and await tasks that you cancel",
    needs_hardware=False,
)
async def leaves_nothing(bench: Bench) -> None:
    # What is loaded or cached once is not the device's: it shows in the first round only.
    await _round(bench)
    before = present()
    await _round(bench)
    await _require_nothing_left(before)


async def _round(bench: Bench) -> None:
    async with bench.ready():
        pass


async def _turns() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def _require_nothing_left(before: frozenset[str]) -> None:
    left = await left_since(before)
    require(not left, f"it leaves {', '.join(sorted(left))}")


def _texts(state: DeviceState | AnyDevice) -> list[str]:
    """Every text in a state, and in the values in it."""
    found: list[str] = []
    for each in fields(state):  # type: ignore[arg-type]  # only states, which are dataclasses
        value = getattr(state, each.name)
        if isinstance(value, str):
            found.append(value)
        elif hasattr(value, "__dataclass_fields__"):
            found += _texts(value)
    return found
