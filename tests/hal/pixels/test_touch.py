"""Touches: from events of the kernel to taps, whatever the screen and whichever way up it hangs."""

import asyncio
import os
import tempfile
from contextlib import aclosing
from pathlib import Path

import pytest

from conclave_hal.pixels.touch import (
    ABS_MT_POSITION_X,
    ABS_MT_POSITION_Y,
    ABS_MT_SLOT,
    ABS_MT_TRACKING_ID,
    ABS_X,
    ABS_Y,
    BTN_LEFT,
    BTN_TOUCH,
    EV_ABS,
    EV_KEY,
    EV_SYN,
    EVENT,
    SYN_DROPPED,
    SYN_MT_REPORT,
    SYN_REPORT,
    Range,
    Tap,
    TouchTracker,
    turned,
)
from conclave_hal.pixels.touch_reader import OpenTouch, taps

Event = tuple[int, int, int]
REPORT: Event = (EV_SYN, SYN_REPORT, 0)
DOWN: list[Event] = [
    (EV_ABS, ABS_MT_TRACKING_ID, 7),
    (EV_ABS, ABS_MT_POSITION_X, 250),
    (EV_ABS, ABS_MT_POSITION_Y, 100),
    (EV_KEY, BTN_TOUCH, 1),
    REPORT,
]
UP: list[Event] = [(EV_ABS, ABS_MT_TRACKING_ID, -1), (EV_KEY, BTN_TOUCH, 0), REPORT]


def tapped(*events: Event) -> list[Tap]:
    tracker = TouchTracker(Range(0, 1000), Range(0, 400))
    found = [tracker.feed(*event) for event in events]
    return [tap for tap in found if tap is not None]


def test_a_finger_that_comes_and_goes_is_a_tap() -> None:
    assert tapped(*DOWN, *UP) == [Tap(0.25, 0.25)]


def test_a_second_tap_in_the_same_place_counts_though_the_kernel_repeats_no_position() -> None:
    again: list[Event] = [(EV_ABS, ABS_MT_TRACKING_ID, 8), (EV_KEY, BTN_TOUCH, 1), REPORT]
    assert tapped(*DOWN, *UP, *again, *UP) == [Tap(0.25, 0.25)] * 2


@pytest.mark.parametrize("button", [BTN_TOUCH, BTN_LEFT])
def test_a_screen_for_one_finger_and_a_virtual_mouse_tap_too(button: int) -> None:
    events = [
        (EV_ABS, ABS_X, 500),
        (EV_ABS, ABS_Y, 400),
        (EV_KEY, button, 1),
        REPORT,
        (EV_KEY, button, 0),
        REPORT,
    ]
    assert tapped(*events) == [Tap(0.5, 1.0)]


def test_a_mouse_that_moves_without_its_button_taps_nothing() -> None:
    assert tapped((EV_ABS, ABS_X, 500), REPORT, (EV_ABS, ABS_X, 700), REPORT) == []


def test_a_finger_that_slides_away_taps_nothing() -> None:
    slide: list[Event] = [(EV_ABS, ABS_MT_POSITION_X, 400), REPORT]
    assert tapped(*DOWN, *slide, *UP) == []


def test_a_finger_that_trembles_taps_where_it_came_down() -> None:
    tremble: list[Event] = [(EV_ABS, ABS_MT_POSITION_X, 265), REPORT]
    assert tapped(*DOWN, *tremble, *UP) == [Tap(0.25, 0.25)]


def test_a_second_finger_moves_nothing() -> None:
    second: list[Event] = [
        (EV_ABS, ABS_MT_SLOT, 1),
        (EV_ABS, ABS_MT_TRACKING_ID, 8),
        (EV_ABS, ABS_MT_POSITION_X, 900),
        REPORT,
        (EV_ABS, ABS_MT_TRACKING_ID, -1),
        (EV_ABS, ABS_MT_SLOT, 0),
        REPORT,
    ]
    assert tapped(*DOWN, *second, *UP) == [Tap(0.25, 0.25)]


def test_a_screen_that_reports_all_fingers_anew_each_time_follows_the_first() -> None:
    def report(x: int) -> list[Event]:
        return [
            (EV_ABS, ABS_MT_POSITION_X, x),
            (EV_ABS, ABS_MT_POSITION_Y, 100),
            (EV_SYN, SYN_MT_REPORT, 0),
            (EV_ABS, ABS_MT_POSITION_X, 900),
            (EV_SYN, SYN_MT_REPORT, 0),
        ]

    down: list[Event] = [*report(250), (EV_KEY, BTN_TOUCH, 1), REPORT]
    up: list[Event] = [(EV_SYN, SYN_MT_REPORT, 0), (EV_KEY, BTN_TOUCH, 0), REPORT]
    assert tapped(*down, *report(255), REPORT, *up) == [Tap(0.25, 0.25)]


def test_events_that_the_kernel_lost_mean_no_tap() -> None:
    assert tapped(*DOWN, (EV_SYN, SYN_DROPPED, 0), *UP) == []
    assert tapped((EV_SYN, SYN_DROPPED, 0), *DOWN, REPORT, *DOWN, *UP) == [Tap(0.25, 0.25)]


@pytest.mark.parametrize(
    ("rotation", "seen"), [(0, (0.25, 0.1)), (90, (0.1, 0.75)), (180, (0.75, 0.9)), (270, (0.9, 0.25))]
)
def test_a_tap_is_where_people_see_it(rotation: int, seen: tuple[float, float]) -> None:
    found = turned(Tap(0.25, 0.1), rotation)
    assert (found.x, found.y) == pytest.approx(seen)


async def test_taps_come_from_the_device_until_it_is_unplugged() -> None:
    with tempfile.TemporaryDirectory() as folder:
        pipe = Path(folder) / "event0"
        os.mkfifo(pipe)
        reading = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
        writing = os.open(pipe, os.O_WRONLY)

        def opens(path: str) -> OpenTouch:
            return OpenTouch(os.dup(reading), Range(0, 1000), Range(0, 400))

        events = b"".join(EVENT.pack(0, 0, *event) for event in [*DOWN, *UP])
        async with asyncio.timeout(5), aclosing(taps(str(pipe), opens)) as coming:
            assert await anext(coming) is None
            os.write(writing, events[: EVENT.size * 3])
            os.write(writing, events[EVENT.size * 3 :])
            assert await anext(coming) == Tap(0.25, 0.25)
            os.close(writing)
            with pytest.raises(OSError, match="unplugged"):
                await anext(coming)
        os.close(reading)
