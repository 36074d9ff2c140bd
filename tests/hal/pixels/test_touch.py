"""Touches: from events of the kernel to taps, whatever the screen and whichever way up it hangs."""

import asyncio
import os
import struct
from contextlib import aclosing
from pathlib import Path

import pytest

from conclave_hal.errors import DeviceError, DeviceGoneError
from conclave_hal.input.events import EV_KEY, EV_SYN, GRAB, SYN_DROPPED, SYN_REPORT, InputEvent
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
    SYN_MT_REPORT,
    Range,
    Tap,
    TouchTracker,
    turned,
)
from conclave_hal.pixels.touch_reader import TouchNode, get_abs, taps

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


class Screen:
    """A touch screen at the ioctl seam, its events through a pipe."""

    def __init__(self, folder: Path, axes: dict[int, tuple[int, int]]) -> None:
        self.path = folder / "event0"
        self.axes = axes
        self.is_grabbed = False
        os.mkfifo(self.path)
        # Open for both: neither opening nor writing waits for a reader.
        self._descriptor = os.open(self.path, os.O_RDWR | os.O_NONBLOCK)

    def opens(self, path: str) -> TouchNode:
        return TouchNode(path, ioctl=self._ioctl)

    def send(self, *events: Event) -> None:
        os.write(self._descriptor, b"".join(bytes(InputEvent(*event)) for event in events))

    def unplug(self) -> None:
        os.close(self._descriptor)

    def _ioctl(self, descriptor: int, request: int, data: bytearray | int) -> int:
        if request == GRAB:
            self.is_grabbed = True
            return 0
        for axis, (low, high) in self.axes.items():
            if request == get_abs(axis) and isinstance(data, bytearray):
                data[:] = struct.pack("=6i", 0, low, high, 0, 0, 0)
                return 0
        raise OSError(22, "Invalid argument")


MULTI_TOUCH = {ABS_MT_POSITION_X: (0, 1000), ABS_MT_POSITION_Y: (0, 400)}


async def test_taps_come_from_the_device_until_it_is_unplugged(tmp_path: Path) -> None:
    screen = Screen(tmp_path, MULTI_TOUCH)
    async with asyncio.timeout(20), aclosing(taps(str(screen.path), screen.opens)) as coming:
        assert await anext(coming) is None
        assert screen.is_grabbed
        screen.send(*DOWN, *UP)
        assert await anext(coming) == Tap(0.25, 0.25)
        screen.unplug()
        with pytest.raises(DeviceGoneError, match="unplugged"):
            await anext(coming)


async def test_a_screen_for_one_finger_has_its_axes_too(tmp_path: Path) -> None:
    screen = Screen(tmp_path, {ABS_X: (100, 300), ABS_Y: (0, 400)})
    async with asyncio.timeout(20), aclosing(taps(str(screen.path), screen.opens)) as coming:
        assert await anext(coming) is None
        screen.send((EV_ABS, ABS_X, 150), (EV_ABS, ABS_Y, 100), (EV_KEY, BTN_TOUCH, 1), REPORT)
        screen.send((EV_KEY, BTN_TOUCH, 0), REPORT)
        assert await anext(coming) == Tap(0.25, 0.25)
    screen.unplug()


async def test_a_device_without_positions_is_no_touch_screen(tmp_path: Path) -> None:
    screen = Screen(tmp_path, {})
    async with aclosing(taps(str(screen.path), screen.opens)) as coming:
        with pytest.raises(DeviceError, match="reports no positions"):
            await anext(coming)
    screen.unplug()
