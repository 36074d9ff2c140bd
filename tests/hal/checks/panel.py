"""Checks of what people look at and press: panel, lamps, buttons."""

import asyncio
from collections.abc import AsyncIterator, Awaitable

from conclave_hal.buttons import Buttons
from conclave_hal.drivers import Slot
from conclave_hal.indicator import Indicator, Light, Shown
from conclave_hal.panel import Lock, MeetingState, Panel, PanelParticipant, PanelView
from tests.hal.checks.bench import Bench
from tests.hal.checks.check import Checks, require

CHECKS = Checks()
PANEL = frozenset({Slot.PANEL})
INDICATOR = frozenset({Slot.INDICATOR})
BUTTONS = frozenset({Slot.BUTTONS})

IDLE = PanelView(1, "room.example.com")
MEETING = PanelView(
    2,
    "room.example.com",
    MeetingState.IN_MEETING,
    Lock.LOCKED,
    "Conformance",
    participants=(
        PanelParticipant("room.example.com", "verified", "host", is_self=True, leaf=0),
        PanelParticipant("مريم.example", "provider", "guest", leaf=1),
    ),
    security_code="01234 56789 01234 56789 01234 56789",
    epoch=7,
    code_epoch=7,
    is_host=True,
)


@CHECKS.claim(
    "has drawn nothing before it was given something to show",
    mend="`drawn` is what is on the glass: None until a view really is",
    slots=PANEL,
)
async def has_drawn_nothing_yet(bench: Bench) -> None:
    async with bench.running(Panel) as device:
        require(device.drawn() is None, f"it says that it has drawn {device.drawn()!r}")


@CHECKS.claim(
    "has drawn the view that it was given when `show` returns",
    mend="return from `show` when the view is on the glass, and say so in `drawn` only then",
    slots=PANEL,
)
async def draws(bench: Bench) -> None:
    async with bench.running(Panel) as device:
        for view in (IDLE, MEETING, IDLE):
            await bench.done(device.show(view))
            require(device.drawn() == view, f"it was given view {view.serial}, and has drawn another")


@CHECKS.claim(
    "hands on what people press",
    mend="hand on presses of what is on the glass: `panel_press.meant`",
    slots=PANEL,
)
async def hands_on_presses(bench: Bench) -> None:
    async with bench.running(Panel) as device:
        await bench.done(device.show(MEETING))
        async with bench.next_of(device.actions()) as waiting:
            await bench.hands.do("press", device)
            await bench.soon(waiting, "nobody hears of the press")


@CHECKS.claim(
    "ends its presses when it is closed",
    mend="wake whoever waits for a press in `close`",
    slots=PANEL,
)
async def ends_its_actions(bench: Bench) -> None:
    async with bench.running(Panel) as device:
        await _require_end(bench, device.actions(), bench.stop(device))


@CHECKS.claim(
    "says what the lamps show when `show` returns",
    mend="publish what was written, not what was wished for",
    slots=INDICATOR,
)
async def shows(bench: Bench) -> None:
    async with bench.running(Indicator) as device:
        for shown in (*(Shown(light) for light in Light), Shown(is_camera_live=True), Shown()):
            await bench.done(device.show(shown))
            require(
                device.state().shown == shown, f"it was to show {shown}, its state has {device.state().shown}"
            )


@CHECKS.claim(
    "says which buttons there are",
    mend="`fitted` is what the options name",
    slots=BUTTONS,
)
async def says_its_buttons(bench: Bench) -> None:
    async with bench.running(Buttons) as device:
        require(device.fitted(), "it is ready, and has no button")


@CHECKS.claim(
    "tells a press of a button that is fitted",
    mend="look at the line's polarity and at the bounce time",
    slots=BUTTONS,
)
async def tells_a_press(bench: Bench) -> None:
    async with bench.running(Buttons) as device:
        async with bench.next_of(device.presses()) as waiting:
            await bench.hands.do("press", device)
            pressed = await bench.soon(waiting, "nobody hears of the press")
        require(pressed in device.fitted(), f"{pressed} was pressed, and is not fitted")


@CHECKS.claim(
    "ends its presses when it is closed",
    mend="wake whoever waits for a press in `close`",
    slots=BUTTONS,
)
async def ends_its_presses(bench: Bench) -> None:
    async with bench.running(Buttons) as device:
        await _require_end(bench, device.presses(), bench.stop(device))


async def _require_end(bench: Bench, stream: AsyncIterator[object], stop: Awaitable[None]) -> None:
    async def read() -> None:
        async for _ in stream:
            pass

    reading = asyncio.create_task(read())
    await asyncio.sleep(0)
    await stop
    await bench.soon(reading, "whoever waits for a press is not let go")
