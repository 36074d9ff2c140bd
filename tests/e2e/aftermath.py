"""What is left of an end-to-end test that has failed: a line at the very end of the run, and files.

The record of a run may be cut wherever it is kept, and a stage is gone soon after. So the last line of all
says in short what went wrong, and where the logs and the views of that stage are.
"""

import shutil
from pathlib import Path

from tests.e2e.glass import VIEWS

KEPT = Path(__file__).parents[2] / "build/e2e"
LONGEST = 500
"""So many characters of what went wrong are told."""


def keep(stage: Path, name: str, where: Path = KEPT) -> Path:
    """Copy what programs of a stage have said, and what panels have shown; what was kept before goes."""
    kept = where / name.translate({ord(each): "-" for each in "/[]:"})
    shutil.rmtree(kept, ignore_errors=True)
    for path in (*stage.rglob("*.log"), *stage.rglob(VIEWS)):
        target = kept / path.relative_to(stage)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    return kept


def in_short(name: str, error: BaseException, kept: Path | None) -> str:
    """One line."""
    words = " ".join(str(error).split()) or type(error).__name__
    words = words if len(words) <= LONGEST else f"{words[:LONGEST]}…"
    return f"{name}: {words}" + ("" if kept is None else f" (all of it: {kept})")
