"""Run the mutation check: `python -m tests.mutation [NAME...]`.

First everything is run without a bug, and must pass: what fails by itself notices nothing. Then each
mutant gets a copy of the daemon of its own. It counts as caught if a test fails (pytest's exit code 1); a
copy that cannot even be imported does not count.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

from tests.mutation.mutants import MUTANTS, Mutant

ROOT = Path(__file__).parents[2]
CAUGHT = 1
"""The exit code of pytest with a failed test."""
LONGEST_S = 300
"""A mutant that hangs what should notice it is caught by that too; it only takes longer."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one run."""

    code: int | None
    """None where it took too long."""
    seconds: float
    said: str

    @property
    def is_caught(self) -> bool:
        return self.code is None or self.code == CAUGHT


def run(words: Sequence[str], daemon: Path) -> Outcome:
    """Run pytest with the daemon of that folder."""
    path = os.pathsep.join(str(each) for each in (daemon, ROOT / "provisioning", ROOT / "hal", ROOT))
    environment = {**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}
    begun = time.monotonic()
    try:
        done = subprocess.run(
            [sys.executable, "-m", *words],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            timeout=LONGEST_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Outcome(None, time.monotonic() - begun, "took too long")
    return Outcome(done.returncode, time.monotonic() - begun, done.stdout[-2000:] + done.stderr[-2000:])


def try_mutant(mutant: Mutant) -> Outcome:
    """Plant the bug in a copy, and see."""
    with tempfile.TemporaryDirectory(prefix="mutant-") as folder:
        daemon = Path(folder) / "daemon"
        shutil.copytree(ROOT / "daemon", daemon, ignore=shutil.ignore_patterns("__pycache__"))
        target = daemon / "conclaved" / mutant.file
        target.write_text(mutant.planted_in(target.read_text()))
        return run(mutant.noticed_by, daemon)


def check_without_bugs(mutants: Sequence[Mutant]) -> bool:
    """Whether all that should notice is silent when there is nothing to notice."""
    tests = sorted({word for m in mutants for word in m.test_files})
    words = ("pytest", "-q", "-x", "-p", "no:cacheprovider", *tests)
    outcome = run(words, ROOT / "daemon")
    if outcome.code != 0:
        print(outcome.said)
        print(f"mutants: without any bug this fails already: {' '.join(words)}")
        return False
    print(f"without a bug {outcome.seconds:5.1f} s: all passes, in {len(tests)} test files")
    return True


def main() -> int:
    """Exit code 0 if every mutant is caught."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="only these mutants")
    arguments = parser.parse_args()
    known = {mutant.name for mutant in MUTANTS}
    if unknown := set(arguments.names) - known:
        parser.error(f"no such mutant: {', '.join(sorted(unknown))}")
    mutants = [m for m in MUTANTS if not arguments.names or m.name in arguments.names]
    if not check_without_bugs(mutants):
        return 1
    survivors = []
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        running = {pool.submit(try_mutant, mutant): mutant for mutant in mutants}
        for done in as_completed(running):
            mutant, outcome = running[done], done.result()
            word = "caught" if outcome.is_caught else "SURVIVED"
            print(f"{word:<9} {outcome.seconds:5.1f} s  {mutant.kind.value:<15} {mutant.name}", flush=True)
            if not outcome.is_caught:
                survivors.append(mutant.name)
                print(outcome.said)
    print(f"{len(mutants) - len(survivors)} of {len(mutants)} mutants caught")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
