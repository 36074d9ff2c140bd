"""`make peers`: build the other stacks' programs if need be, and meet them.

make peers                         one group with every stack, live
make peers ARGS='-k external'      some of it
make peers ARGS=--record           and write down what went over the wire, into tests/mls/golden

Exits with 1 where a program cannot be built: what could not be tried is not proven.
"""

import argparse
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.peers.build import NAMES, PeerMissing, program
from tests.peers.record import record_all

ROOT = Path(__file__).parents[2]
NOTHING_TO_RUN = 5
"""The exit code of pytest where no test was chosen."""


def main(arguments: list[str]) -> int:
    """Returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="make peers ARGS=...",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="Any other option goes to pytest.",
    )
    parser.add_argument("--build", action="store_true", help="build only")
    parser.add_argument("--record", action="store_true", help="write tests/mls/golden anew")
    options, others = parser.parse_known_args(arguments)
    lacking = 0
    for name in NAMES:
        begun = time.monotonic()
        try:
            found = program(name)
        except PeerMissing as error:
            lacking += 1
            print(f"not proven: one group with {name}, live, because {error}", flush=True)
        else:
            size_kb, seconds = found.stat().st_size // 1024, time.monotonic() - begun
            print(f"{name}: {found} ({size_kb} kB, {seconds:.0f} s)", flush=True)
    if lacking:
        return 1
    if options.build:
        return 0
    code = meet(others)
    if code == 0 and options.record:
        record_all()
    return code


def meet(others: list[str]) -> int:
    """Run the live tests, one file a process, as many at a time as there are processors; the exit code."""
    files = sorted(Path(__file__).parent.glob("test_*.py"))
    with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
        codes = list(pool.map(lambda path: _run(path, others), files))
    if set(codes) <= {0, NOTHING_TO_RUN}:
        return 0 if 0 in codes else NOTHING_TO_RUN
    return 1


def _run(path: Path, others: list[str]) -> int:
    words = [sys.executable, "-m", "pytest", "-q", "-m", "peers", str(path.relative_to(ROOT)), *others]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != NOTHING_TO_RUN:
        print(f"{path.name}:\n{done.stdout}{done.stderr}", flush=True)
    return done.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
