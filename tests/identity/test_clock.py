"""Which time this device believes."""

from pathlib import Path

import pytest

from conclaved.identity import BelievedClock, FloorFile

BUILT = 1_790_000_000


class Readings:
    """A clock whose time a test sets."""

    def __init__(self, time: float, *, is_synchronised: bool = True) -> None:
        self.time = time
        self.is_synchronised = is_synchronised
        self.remembered: list[int] = []

    def clock(self, floor: int = 0) -> BelievedClock:
        return BelievedClock(
            lambda: self.time,
            built_at=BUILT,
            floor=floor,
            remember=self.remembered.append,
            is_synchronised=lambda: self.is_synchronised,
        )


def test_a_time_after_the_build_is_believed() -> None:
    assert Readings(BUILT + 5.9).clock().now() == BUILT + 5


def test_a_time_before_the_firmwares_build_is_not_believed() -> None:
    clock = Readings(0).clock()
    assert clock.now() is None
    assert "before" in clock.why_not()


def test_a_time_before_the_last_time_seen_is_not_believed() -> None:
    readings = Readings(BUILT + 10_000)
    clock = readings.clock()
    clock.now()
    readings.time -= 1
    assert clock.now() is None
    assert Readings(BUILT + 5).clock(floor=BUILT + 10).now() is None


def test_an_unsynchronised_time_is_not_believed_and_moves_no_floor() -> None:
    readings = Readings(BUILT * 2, is_synchronised=False)
    clock = readings.clock()
    assert clock.now() is None
    assert "synchronised" in clock.why_not()
    assert (clock.floor, readings.remembered) == (BUILT, [])
    readings.is_synchronised, readings.time = True, BUILT + 1
    assert (clock.now(), clock.why_not()) == (BUILT + 1, "")


def test_the_floor_is_stored_once_an_hour_at_most() -> None:
    readings = Readings(BUILT)
    clock = readings.clock()
    for readings.time in (BUILT, BUILT + 60, BUILT + 3600, BUILT + 7199, BUILT + 7200):
        clock.now()
    assert readings.remembered == [BUILT, BUILT + 3600, BUILT + 7200]


@pytest.mark.parametrize("content", [None, b"", b"x", b"-5", b"9" * 400])
def test_a_floor_file_that_is_absent_or_damaged_gives_no_floor_of_its_own(
    tmp_path: Path, content: bytes | None
) -> None:
    file = FloorFile(tmp_path / "floor")
    if content is not None:
        file.path.write_bytes(content)
    assert file.load() == 0


def test_a_floor_is_read_back(tmp_path: Path) -> None:
    file = FloorFile(tmp_path / "floor")
    file.save(BUILT)
    assert file.load() == BUILT
