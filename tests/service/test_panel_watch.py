"""A panel that does not show what it should is dead, whatever it says of itself; one that draws is not."""

from dataclasses import replace

from conclave_hal.device import DeviceState, Health
from conclave_hal.panel import PanelView
from conclaved.service.panel_watch import LOOK_AGAIN_S, PATIENCE_S, PanelWatch

READY = DeviceState(Health.READY)
OLD = PanelView(serial=1, room="room.example.com")
NEW = replace(OLD, serial=2)


def wanting(view: PanelView) -> PanelWatch:
    watch = PanelWatch()
    watch.wants(view)
    return watch


def test_before_anything_is_to_be_shown_nothing_is_missing() -> None:
    watch = PanelWatch()
    assert watch.look(None, READY, 0.0) is None
    assert watch.problem == ""


def test_a_view_may_take_a_moment_to_be_drawn() -> None:
    watch = wanting(NEW)
    assert watch.look(OLD, READY, 10.0) == 10.0 + PATIENCE_S
    assert watch.problem == ""
    assert watch.look(NEW, READY, 10.0 + PATIENCE_S) is None
    assert watch.problem == ""


def test_an_old_view_on_the_glass_is_a_dead_panel_though_it_calls_itself_ready() -> None:
    watch = wanting(NEW)
    watch.look(OLD, READY, 10.0)
    assert watch.look(OLD, READY, 10.0 + PATIENCE_S) == 10.0 + PATIENCE_S + LOOK_AGAIN_S
    assert watch.problem == "it does not draw what it should show"


def test_a_panel_that_is_always_late_is_dead_though_each_view_is_new() -> None:
    watch = wanting(NEW)
    for second in range(int(PATIENCE_S) + 1):
        watch.wants(replace(NEW, serial=2 + second))
        watch.look(replace(NEW, serial=1 + second), READY, 10.0 + second)
    assert watch.problem != ""


def test_nothing_on_the_glass_is_a_dead_panel() -> None:
    watch = wanting(NEW)
    for now in (10.0, 10.0 + PATIENCE_S):
        watch.look(None, READY, now)
    assert watch.problem != ""


def test_a_panel_that_failed_is_dead_though_the_right_view_was_drawn_once() -> None:
    watch = wanting(NEW)
    failed = DeviceState(Health.FAILED, "unplugged")
    for now in (10.0, 10.0 + PATIENCE_S):
        watch.look(NEW, failed, now)
    assert watch.problem == "unplugged"


def test_a_panel_that_works_in_part_and_draws_is_not_dead() -> None:
    watch = wanting(NEW)
    for now in (10.0, 10.0 + PATIENCE_S):
        watch.look(NEW, DeviceState(Health.DEGRADED, "no touch"), now)
    assert watch.problem == ""


def test_a_panel_that_draws_again_is_alive_again() -> None:
    watch = wanting(NEW)
    for now in (10.0, 10.0 + PATIENCE_S):
        watch.look(OLD, READY, now)
    assert watch.look(NEW, READY, 20.0) is None
    assert watch.problem == ""
    watch.wants(replace(NEW, serial=3))
    assert watch.look(NEW, READY, 30.0) == 30.0 + PATIENCE_S
