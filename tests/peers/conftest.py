"""The peers' programs for the tests in this folder, which all bear the mark `peers`."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.peers.build import NAMES, missing
from tests.peers.circle import Programs
from tests.peers.peer import Program


@pytest.fixture(scope="session")
def programs() -> Iterator[Programs]:
    """All peers, running; the first time they are built."""
    with ExitStack() as stack:
        yield Programs([stack.enter_context(Program(name)) for name in NAMES])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what a run without the live tests has not shown, and why."""
    if "not peers" not in (terminalreporter.config.getoption("markexpr") or ""):
        return
    for name in NAMES:
        error = missing(name)
        why = "make peers proves it" if error is None else f"because {error}"
        terminalreporter.write_line(f"not proven: one group with {name}, live ({why})")
