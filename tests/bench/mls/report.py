"""The tables of `make bench-mls`."""

from collections.abc import Mapping, Sequence

from tests.bench.mls.figure import MEMORY, OPERATIONS, Figure
from tests.bench.report import table

Column = Mapping[str, Figure]
"""One stack's figures, by operation."""


def _milliseconds(figure: Figure | None) -> str:
    return "-" if figure is None else f"{figure.median_ms:.3g}({figure.min_ms:.3g})"


def times(columns: Mapping[str, Column], ours: str) -> str:
    """Milliseconds, median(least), of every stack; beside ours the floor and least over floor."""
    others = [name for name in columns if name != ours]
    rows: list[Sequence[str]] = [["milliseconds", ours, "floor", "ratio", *others]]
    for operation in OPERATIONS:
        figure = columns[ours].get(operation)
        floor = figure.floor_ms if figure else 0.0
        cells = [_milliseconds(figure), f"{floor:.3g}" if floor else "-"]
        cells.append(f"{figure.min_ms / floor:.2f}" if figure and floor else "-")
        rows.append([operation, *cells, *(_milliseconds(columns[name].get(operation)) for name in others)])
    return table(rows)


def sizes(columns: Mapping[str, Column]) -> str:
    """Bytes on the wire, and kilobytes of memory that a member takes."""
    rows: list[Sequence[str]] = [["bytes", *columns]]
    for operation in (*OPERATIONS, MEMORY):
        if operation.endswith("_process") or operation == "join":
            continue
        figures = [column.get(operation) for column in columns.values()]
        rows.append([operation, *(f"{each.size_bytes}" if each else "-" for each in figures)])
    return table(rows)
