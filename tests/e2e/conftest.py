"""A stage for each test: two ACME servers and a hub; and what the tests measured, printed at the end.

Of those that have failed the very last lines say why, in short.
"""

import sys
from collections.abc import AsyncIterator, Generator
from pathlib import Path

import pytest

from tests.demo.stage import Stage, stage
from tests.e2e.aftermath import in_short, keep

REPORT = pytest.StashKey[list[str]]()
FAILED = pytest.StashKey[list[str]]()


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


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if call.excinfo is not None and report.failed:
        it = getattr(item, "funcargs", {}).get("it")
        kept = keep(it.folder, item.name) if isinstance(it, Stage) else None
        lines = item.config.stash.setdefault(FAILED, [])
        lines.append(in_short(item.name, call.excinfo.value, kept))
    return report


def pytest_unconfigure(config: pytest.Config) -> None:
    for line in config.stash.get(FAILED, []):
        print(line, file=sys.stderr)
