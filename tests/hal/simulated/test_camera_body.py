"""The body of the simulated camera."""

import pytest

from conclave_hal.simulated.camera_body import STEP_S, Axis, CameraBody


def axis() -> Axis:
    return Axis(-1000, 1000, fastest=1000.0, acceleration=2000.0)


def run(what: Axis, seconds: float) -> list[float]:
    """Where it is after each step."""
    positions = []
    for _ in range(round(seconds / STEP_S)):
        what.step()
        positions.append(what.position)
    return positions


def test_it_weighs_something_so_speed_takes_time_to_come_and_to_go() -> None:
    pan = axis()
    pan.keep_going(1.0)
    run(pan, 0.1)
    assert pan.velocity == pytest.approx(200.0)
    run(pan, 0.4)
    assert pan.velocity == pytest.approx(1000.0)
    pan.keep_going(0.0)
    before = pan.position
    run(pan, 1.0)
    assert pan.is_still
    assert pan.position > before + 200


@pytest.mark.parametrize("target", [-1000, -7, 0, 1, 500, 1000])
def test_it_arrives_exactly_and_does_not_swing_over(target: int) -> None:
    pan = axis()
    pan.go_to(target)
    positions = run(pan, 4.0)
    assert pan.is_still
    assert pan.steps == target
    assert max(map(abs, positions)) <= abs(target)


def test_no_end_is_passed() -> None:
    pan = axis()
    pan.keep_going(-1.0)
    assert min(run(pan, 3.0)) == -1000
    assert pan.is_still
    pan.go_to(5000)
    run(pan, 5.0)
    assert pan.steps == 1000


def test_a_slower_speed_takes_longer() -> None:
    fast, slow = axis(), axis()
    fast.go_to(1000, 1.0)
    slow.go_to(1000, 0.1)
    run(fast, 2.0)
    run(slow, 2.0)
    assert fast.is_still
    assert not slow.is_still


def test_a_camera_that_is_stopped_comes_to_rest() -> None:
    body = CameraBody()
    body.pan.keep_going(1.0)
    body.zoom.go_to(0x4000)
    for _ in range(50):
        body.step()
    body.stop()
    for _ in range(200):
        body.step()
    assert body.is_still
    assert 0 < body.zoom.steps < 0x4000
