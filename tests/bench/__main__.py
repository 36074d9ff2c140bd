"""`make bench`, or `python -m tests.bench [names]`."""

import argparse
import sys
import time
from collections.abc import Callable

from tests.bench import report
from tests.bench.cli import measure_cli
from tests.bench.daemon import measure_daemon
from tests.bench.floor import costs_of_primitives
from tests.bench.frames import SIZES, measure_frames
from tests.bench.groups import measure_group
from tests.bench.keys import measure_keys
from tests.bench.panel import measure_panel
from tests.bench.stopwatch import Progress
from tests.service.waiting_daemon import DaemonError

Tell = Callable[[str], None]

EPILOG = """\
what is measured
  mls      Commits (bulk add, update, Add, Remove: created by leaf 0, processed by leaf N/2) and joins
           at 10, 100 and 1000 members, from bytes to bytes. Beside each its floor: the primitives that
           it cannot do without, times what they cost in this process, measured between the rounds.
  sframe   protect and unprotect for 160 B (audio), 1200 B (a packet), 25 kB (a key frame), by one key
           and by the device's keyring, beside the bare AESGCM call.
  keys     a signature by the device's key in a TPM (swtpm), a token (SoftHSM), a sealed and a plain file,
           checked before it is given out where a device made it, beside a bare one; by the wall clock.
  daemon   the real conclaved with a simulated room on a bus of its own: start until READY=1, and its
           memory then, beside an interpreter that imports the libraries that it cannot do without.
  panel    a warm redraw of the panel on pixels, 1280 x 800: layout, drawing, and packing for the screen.
  cli      the real conclavectl, from its start to its end, on a bus with a room that answers at once.

how to read it
  Compare ratios, and only within one run: this machine was another one a minute ago. A ratio of 1.0 is
  nothing but primitives; what is above is the code around them. All figures are medians.

examples
  make bench                       all of it, under two minutes
  make bench ARGS=mls              one part
  make bench ARGS='--quick mls'    small groups and few rounds: does it still work?
  python -m tests.bench --members 5000 --rounds 5 mls
"""


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="make bench ARGS=...",
        description="Print what Conclave costs: MLS, SFrame, keys, the daemon, the panel and the CLI.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", help=f"parts to run: {', '.join(PARTS)} (default: all)")
    parser.add_argument("--quick", action="store_true", help="a few seconds, rough figures")
    parser.add_argument("--rounds", type=int, help="rounds of each measurement (default: 11; quick: 3)")
    parser.add_argument(
        "--members", type=int, action="append", metavar="N", help="size of a group, once or more often"
    )
    arguments = parser.parse_args()
    for name in arguments.names:
        if name not in PARTS:
            parser.error(f"there is no part {name!r}; choose from {', '.join(PARTS)}")
    if any(size < 3 for size in arguments.members or ()):
        parser.error("a group to measure has at least 3 members")
    begun, progress = time.monotonic(), Progress()
    print(report.host())
    try:
        for name in arguments.names or PARTS:
            PARTS[name](arguments, progress)
    except DaemonError as error:
        progress.done()
        sys.exit(f"bench: {error}")
    except KeyboardInterrupt:
        progress.done()
        sys.exit(130)
    print(f"\n{time.monotonic() - begun:.0f} s in all")


def _mls(arguments: argparse.Namespace, progress: Progress) -> None:
    sizes = arguments.members or ((10, 40) if arguments.quick else (10, 100, 1000))
    rounds = arguments.rounds or (3 if arguments.quick else 11)
    progress("MLS, the primitives")
    costs = costs_of_primitives()
    figures = [
        measure_group(size, rounds=rounds, bulk_rounds=min(rounds, max(3, 1000 // size)), tell=progress)
        for size in sizes
    ]
    progress.done()
    print("\n" + report.heading("MLS, suite 2, basic credentials, PrivateMessage, tree in the Welcome"))
    print(report.groups(figures))
    print(report.primitives(costs))


def _sframe(arguments: argparse.Namespace, progress: Progress) -> None:
    rounds, turns = (3, 50) if arguments.quick else (arguments.rounds or 31, 200)
    figures = []
    for size in SIZES:
        progress(f"SFrame, {size} bytes")
        figures.append(measure_frames(size, rounds=rounds, turns=turns))
    progress.done()
    print("\n" + report.heading("SFrame, AES_128_GCM_SHA256_128, 12 bytes of metadata"))
    print(report.frames(figures))


def _keys(arguments: argparse.Namespace, progress: Progress) -> None:
    rounds, turns = (3, 5) if arguments.quick else (arguments.rounds or 11, 50)
    figures = measure_keys(rounds=rounds, turns=turns, tell=progress)
    progress.done()
    print("\n" + report.heading("The device's key, ECDSA P-256 with SHA-256"))
    print(report.keys(figures))


def _daemon(arguments: argparse.Namespace, progress: Progress) -> None:
    rounds = 1 if arguments.quick else min(arguments.rounds or 5, 11)
    figures = measure_daemon(rounds=rounds, tell=progress)
    progress.done()
    print("\n" + report.heading("conclaved, before a meeting"))
    print(report.daemon(figures))


def _cli(arguments: argparse.Namespace, progress: Progress) -> None:
    figures = measure_cli(rounds=3 if arguments.quick else arguments.rounds or 11, tell=progress)
    progress.done()
    print("\n" + report.heading("conclavectl"))
    print(report.cli(figures))


def _panel(arguments: argparse.Namespace, progress: Progress) -> None:
    figures = measure_panel(rounds=5 if arguments.quick else arguments.rounds or 31, tell=progress)
    progress.done()
    print("\n" + report.heading("The panel on pixels, 1280 x 800, one thread"))
    print(report.panel(figures))


PARTS: dict[str, Callable[[argparse.Namespace, Progress], None]] = {
    "mls": _mls,
    "sframe": _sframe,
    "keys": _keys,
    "daemon": _daemon,
    "panel": _panel,
    "cli": _cli,
}

if __name__ == "__main__":
    main()
