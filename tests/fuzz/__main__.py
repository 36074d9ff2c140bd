"""Fuzz the MLS library for a while: `make fuzz`, `make fuzz ARGS='--seconds 600'`.

What is found is a file under build/fuzz/found, and replays with `make fuzz ARGS='--replay FILE'`. A finding
that has been mended goes to tests/fuzz/found, which `make test` replays for ever.
"""

import argparse
import hashlib
import os
import re
import subprocess
import sys
from pathlib import Path

from tests.fuzz.run import replay
from tests.fuzz.targets import TARGETS
from tests.fuzz.transparent_crypto import transparent

ROOT = Path(__file__).parents[2]
WORK = ROOT / "build/fuzz"
LIMITS = ("-timeout=10", "-rss_limit_mb=1024", "-malloc_limit_mb=128", "-max_len=16384")
"""Seconds and megabytes for one input, all of them far more than any should take."""


def seeded(name: str) -> Path:
    """The target's corpus: its seeds, and what earlier runs have added."""
    folder = WORK / "corpus" / name
    folder.mkdir(parents=True, exist_ok=True)
    with transparent():
        seeds = TARGETS[name]().seeds
    for seed in seeds:
        (folder / hashlib.sha256(seed).hexdigest()[:16]).write_bytes(seed)
    return folder


def fuzz(name: str, seconds: int) -> list[Path]:
    """Run one target; what it found. Prints one line."""
    corpus, found = seeded(name), WORK / "found"
    found.mkdir(parents=True, exist_ok=True)
    before = set(found.iterdir())
    command = [sys.executable, "-m", "tests.fuzz.run", name, *LIMITS, f"-max_total_time={seconds}"]
    command += [f"-artifact_prefix={found}/{name}-", "-print_final_stats=1", str(corpus)]
    paths = [str(ROOT / ".venv/fuzz"), os.environ.get("PYTHONPATH", "")]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))},
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    new = sorted(set(found.iterdir()) - before)
    runs = re.search(r"number_of_executed_units: *(\d+)", done.stderr)
    reached = re.findall(r"ft: (\d+) corp: (\d+)", done.stderr)
    if done.returncode and not new:
        print(done.stderr[-4000:], file=sys.stderr)
        raise SystemExit(f"the fuzzer of {name} did not run")
    print(
        f"  {name:16} {runs[1] if runs else '?':>8} inputs, "
        f"{reached[-1][0] if reached else '?':>6} features, {reached[-1][1] if reached else '?':>5} kept, "
        f"{len(new)} found",
        flush=True,
    )
    if new:
        print(done.stdout[-3000:] + done.stderr[-3000:], file=sys.stderr)
    return new


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="make fuzz ARGS=...", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=int, default=60, help="for all targets together")
    parser.add_argument("--target", choices=[*TARGETS], help="only this one")
    parser.add_argument("--replay", type=Path, help="one file that was found")
    options = parser.parse_args()
    if options.replay is not None:
        replay(options.replay.name.split("-")[0], options.replay)
        print("it is refused, or goes through: nothing is wrong with it any more")
        return 0
    names = [options.target] if options.target else [*TARGETS]
    found = [path for name in names for path in fuzz(name, max(1, options.seconds // len(names)))]
    for path in found:
        print(f"found: make fuzz ARGS='--replay {path.relative_to(ROOT)}'")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
