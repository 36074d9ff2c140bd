"""The bench works and its figures make sense. Nothing here is a limit on time."""

from tests.bench import report
from tests.bench.cli import COMMANDS, measure_cli
from tests.bench.daemon import ROOMS, measure_daemon
from tests.bench.floor import Counts, costs_of_primitives, creating, joining, processing
from tests.bench.frames import SIZES, measure_frames
from tests.bench.groups import OPERATIONS, measure_group
from tests.bench.keys import measure_keys
from tests.bench.panel import measure_panel
from tests.bench.stopwatch import silent
from tests.key_places import PLACES


def test_a_small_group_gives_a_positive_figure_and_floor_for_every_operation() -> None:
    figures = measure_group(5, rounds=1, bulk_rounds=1, tell=silent)
    assert tuple(figures.series) == OPERATIONS
    for series in figures.series.values():
        assert series.median_s > 0
        assert series.floor_s > 0
        assert series.ratio > 0
    assert "N=5" in report.groups([figures])


def test_frames_of_every_size_give_positive_figures() -> None:
    figures = [measure_frames(size, rounds=1, turns=3) for size in SIZES]
    for each in figures:
        for lane in (each.bare, each.context, each.keyring):
            assert lane.seal_s > 0
            assert lane.open_s > 0
    assert "25000 B" in report.frames(figures)


def test_a_key_in_every_place_gives_a_positive_figure() -> None:
    figures = measure_keys(rounds=1, turns=1, tell=silent)
    assert tuple(figures.places) == PLACES
    assert all(seconds > 0 for seconds in (figures.bare_s, *figures.places.values()))
    assert "tpm2" in report.keys(figures)


def test_a_redraw_of_the_panel_gives_positive_figures() -> None:
    figures = measure_panel(rounds=1, tell=silent)
    for each in figures:
        assert min(each.layout_s, each.drawing_s, each.packing_s, each.first_s) > 0
    assert "meeting" in report.panel(figures)


def test_every_command_that_is_measured_gives_a_positive_figure() -> None:
    figures = measure_cli(rounds=1, tell=silent)
    assert tuple(figures.commands) == COMMANDS
    assert all(seconds > 0 for seconds in (figures.interpreter_s, *figures.commands.values()))
    assert "asked: 150 ms" in report.cli(figures)


def test_a_start_of_the_daemon_with_every_room_gives_positive_figures() -> None:
    figures = measure_daemon(rounds=1, tell=silent)
    assert tuple(figures.rooms) == tuple(ROOMS)
    for each in figures.rooms.values():
        assert min(each.ready_s, each.own_bytes) > 0
        assert each.own_bytes <= each.proportional_bytes <= each.resident_bytes
    assert "asked" in report.daemon(figures)


def test_every_primitive_that_is_counted_has_a_cost() -> None:
    costs = costs_of_primitives(rounds=1, sample_s=0.0001)
    every = Counts(**dict.fromkeys(Counts.__dataclass_fields__, 1))
    assert all(cost > 0 for cost in costs.values())
    assert abs(every.seconds(costs) - sum(costs.values())) < 1e-12


def test_the_floor_of_a_join_grows_with_the_members_and_that_of_a_warm_commit_with_the_depth() -> None:
    assert joining(members=100, shared=2).verify == 101
    assert processing(depth=7, shared=2, joiners=0).verify == 2
    assert creating(depth=7, path=7, seals=9, joiners=0).ephemeral == 9
