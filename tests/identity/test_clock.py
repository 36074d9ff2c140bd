"""Which time this device believes."""

import logging
from pathlib import Path

import pytest

from conclaved.identity import BelievedClock, FloorFile
from conclaved.identity.clock import IN_USE_S, REMEMBER_EVERY_S, is_synchronised

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


def test_a_time_later_than_any_firmware_is_in_use_is_not_believed_and_moves_no_floor() -> None:
    readings = Readings(BUILT + IN_USE_S + 1)
    clock = readings.clock()
    assert clock.now() is None
    assert "ten years" in clock.why_not()
    assert (clock.floor, readings.remembered) == (BUILT, [])
    readings.time = BUILT + 1
    assert clock.now() == BUILT + 1


def test_a_stored_floor_later_than_any_firmware_is_in_use_is_none() -> None:
    readings = Readings(BUILT + 5)
    assert readings.clock(floor=BUILT + IN_USE_S + 1).now() == BUILT + 5
    assert readings.remembered == [BUILT + 5]


def test_a_floor_that_cannot_be_stored_costs_no_time_and_is_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = FloorFile(tmp_path / "nowhere" / "floor")
    readings = Readings(BUILT)
    clock = BelievedClock(lambda: readings.time, built_at=BUILT, remember=file.save)
    with caplog.at_level(logging.WARNING):
        for readings.time in (BUILT, BUILT + REMEMBER_EVERY_S, BUILT + 2 * REMEMBER_EVERY_S):
            assert clock.now() == readings.time
    assert clock.floor == readings.time
    assert [record.getMessage() for record in caplog.records] == [
        f"the time cannot be remembered: {file.path} cannot be written: No such file or directory"
    ]


def test_the_clock_is_synchronised_once_timesyncd_has_left_its_marker(tmp_path: Path) -> None:
    marker = tmp_path / "timesync/synchronized"
    marker.parent.mkdir()
    assert not is_synchronised(marker)
    marker.touch()
    assert is_synchronised(marker)


def test_where_timesyncd_has_never_run_the_kernel_s_time_is_taken(tmp_path: Path) -> None:
    assert is_synchronised(tmp_path / "timesync/synchronized")


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
