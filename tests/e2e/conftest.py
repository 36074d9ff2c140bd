"""A stage for each test: two ACME servers and a hub; and what the tests measured, printed at the end."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.demo.stage import Stage, stage

REPORT = pytest.StashKey[list[str]]()


@pytest.fixture
async def it(tmp_path: Path) -> AsyncIterator[Stage]:
    async with stage(tmp_path) as made:
        yield made


@pytest.fixture
def report(request: pytest.FixtureRequest) -> list[str]:
    """Lines for people, printed with the summary of the run whatever the outcome is."""
    return request.config.stash.setdefault(REPORT, [])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    lines = config.stash.get(REPORT, [])
    if lines:
        terminalreporter.section("what was measured")
        for line in lines:
            terminalreporter.write_line(line)
