"""The first steps of docs/mls.md, run as they stand there."""

import re
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs/mls.md"


def test_the_first_steps_run_as_they_are_written() -> None:
    (block,) = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    told: dict[str, object] = {}
    exec(compile(block, str(PAGE), "exec"), told)  # noqa: S102 - a page of this repository
    assert {"ann", "bob"} <= told.keys()
