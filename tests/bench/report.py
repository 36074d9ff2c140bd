"""The report: plain tables, each figure beside what it is measured against."""

import os
import platform
import sys
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from pathlib import Path

from cryptography.hazmat.backends.openssl import backend

from tests.bench.cli import ASKED_S, QUICK, CliFigures
from tests.bench.daemon import ASKED_BYTES, ASKED_READY_S, DaemonFigures
from tests.bench.frames import FrameFigures
from tests.bench.groups import OPERATIONS, GroupFigures
from tests.bench.keys import KeyFigures
from tests.bench.panel import ASKED_S as REDRAW_ASKED_S
from tests.bench.panel import RedrawFigures

MB = 1_000_000


def host() -> str:
    """What this machine is."""
    model = "unknown processor"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith(("model name", "Model", "Hardware")):
            model = line.partition(":")[2].strip()
            break
    load = os.getloadavg()[0]
    return (
        f"{model}, {len(os.sched_getaffinity(0))} cores, load {load:.1f}; {platform.machine()}; "
        f"Python {platform.python_version()}; cryptography {version('cryptography')}; "
        f"{backend.openssl_version_text()}"
    )


def primitives(costs: dict[str, float]) -> str:
    """One line of what the primitives cost."""
    return "primitives, us: " + ", ".join(f"{name} {seconds * 1e6:.1f}" for name, seconds in costs.items())


def table(rows: Sequence[Sequence[str]]) -> str:
    """Columns as wide as they need to be; the first to the left, the others to the right."""
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = (cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))
        lines.append("  ".join((row[0].ljust(widths[0]), *cells)).rstrip())
    return "\n".join(lines)


def groups(figures: Iterable[GroupFigures]) -> str:
    """MLS: milliseconds, the floor's milliseconds, and the ratio, for each size of group."""
    figures = list(figures)
    head = ["milliseconds"]
    for each in figures:
        head += [f"N={each.members}", "floor", "ratio"]
    rows = [head]
    for name in OPERATIONS:
        row = [name]
        for each in figures:
            series = each.series[name]
            row += [f"{series.median_s * 1e3:.2f}", f"{series.floor_s * 1e3:.2f}", f"{series.ratio:.2f}"]
        rows.append(row)
    return table(rows)


def frames(figures: Iterable[FrameFigures]) -> str:
    """SFrame: microseconds a frame and the ratio to the bare AEAD."""
    rows = [["microseconds a frame", "AESGCM", "one key", "ratio", "keyring", "ratio"]]
    for each in figures:
        lanes = (each.bare, each.context, each.keyring)
        for verb, times in (
            ("protect", [lane.seal_s for lane in lanes]),
            ("unprotect", [lane.open_s for lane in lanes]),
        ):
            bare, context, keyring = times
            rows.append(
                [
                    f"{verb} {each.size_bytes} B",
                    f"{bare * 1e6:.2f}",
                    f"{context * 1e6:.2f}",
                    f"{context / bare:.1f}",
                    f"{keyring * 1e6:.2f}",
                    f"{keyring / bare:.1f}",
                ]
            )
    return table(rows)


def keys(figures: KeyFigures) -> str:
    """Keys: microseconds a signature in each place, and the ratio to a bare one."""
    rows = [["microseconds a signature", "", "ratio"], ["bare", f"{figures.bare_s * 1e6:.0f}", ""]]
    for place, seconds in figures.places.items():
        rows.append([place, f"{seconds * 1e6:.0f}", f"{seconds / figures.bare_s:.1f}"])
    return table(rows)


def cli(figures: CliFigures) -> str:
    """The command line: each command's whole time, and what was asked for."""
    rows = [["", "", "beside a bare interpreter", ""]]
    for words, seconds in figures.commands.items():
        asked = f"asked: {ASKED_S * 1e3:.0f} ms" if words in QUICK else ""
        rows.append([words, f"{seconds * 1e3:.0f} ms", f"{seconds / figures.interpreter_s:.1f}", asked])
    return table(rows)


def panel(figures: Iterable[RedrawFigures]) -> str:
    """The panel: milliseconds a warm redraw, in parts, and the first one of all."""
    rows = [["milliseconds a redraw", "layout", "drawing", "packing", "warm", "first", ""]]
    asked = f"asked: under {REDRAW_ASKED_S * 1e3:.0f} warm"
    for each in figures:
        parts = (each.layout_s, each.drawing_s, each.packing_s, each.warm_s, each.first_s)
        rows.append([each.page, *(f"{seconds * 1e3:.1f}" for seconds in parts), asked])
    return table(rows)


def daemon(figures: DaemonFigures) -> str:
    """The daemon: start and memory, and what both are beside their floors."""
    rows = [["", "ready", "", "resident", "", "Pss", "own", "asked"]]
    asked = f"{ASKED_READY_S * 1e3:.0f} ms, {ASKED_BYTES / MB:.0f} MB"
    for name, each in figures.rooms.items():
        rows.append(
            [
                name,
                f"{each.ready_s * 1e3:.0f} ms",
                f"x {each.ready_s / figures.floor_s:.1f}",
                f"{each.resident_bytes / MB:.1f} MB",
                f"x {each.resident_bytes / figures.floor_bytes:.1f}",
                f"{each.proportional_bytes / MB:.1f}",
                f"{each.own_bytes / MB:.1f}",
                asked,
            ]
        )
    imported, floor = figures.import_s, figures.floor_s
    rows.append(
        ["importing it, and ending", f"{imported * 1e3:.0f} ms", f"x {imported / floor:.1f}"] + 5 * [""]
    )
    rows.append(
        ["floor: its libraries", f"{floor * 1e3:.0f} ms", "", f"{figures.floor_bytes / MB:.1f} MB"] + 4 * [""]
    )
    shares = ", ".join(f"{name} {share:.0%}" for name, share in figures.heaviest)
    return f"{table(rows)}\nimport time by package: {shares}"


def heading(text: str) -> str:
    """A heading; bold on a terminal."""
    return f"\x1b[1m{text}\x1b[0m" if sys.stdout.isatty() else text
