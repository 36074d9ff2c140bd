"""The bench of MLS works and its figures make sense. Nothing here is a limit on time."""

import sys
from pathlib import Path

import pytest

from tests.bench.mls import report
from tests.bench.mls.figure import MEMORY, OPERATIONS, Figure
from tests.bench.mls.identities import cast
from tests.bench.mls.ours import measure_ours
from tests.bench.mls.peers import NotMeasured, run_bench

LINE = '{"operation": "join", "median_ms": 2.5, "min_ms": 2.0, "runs": 3, "bytes": 7}'


@pytest.mark.parametrize("credential", ["basic", "x509"])
def test_ours_has_a_figure_and_a_floor_for_every_operation(tmp_path: Path, credential: str) -> None:
    column = {each.operation: each for each in measure_ours(5, cast(5, credential, tmp_path))}
    assert set(column) == {*OPERATIONS, MEMORY}
    assert all(column[operation].min_ms > 0 for operation in OPERATIONS)
    assert all(column[operation].floor_ms > 0 for operation in OPERATIONS)
    assert "warm_remove_process" in report.times({"ours": column, "other": {}}, "ours")
    assert MEMORY in report.sizes({"ours": column})


def test_a_peers_lines_are_figures() -> None:
    figures = list(run_bench([sys.executable, "-c", f"print('hello'); print({LINE!r})"], 30.0))
    assert figures == [Figure("join", 2.5, 2.0, 7)]


def test_a_peer_that_prints_nothing_is_not_measured_and_says_why() -> None:
    with pytest.raises(NotMeasured, match="no room"):
        list(run_bench([sys.executable, "-c", "raise SystemExit('no room')"], 30.0))
