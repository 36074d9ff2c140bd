"""What is in `guest/` runs in the guest only."""

import os

import pytest

IS_GUEST = "CONCLAVE_GUEST" in os.environ
collect_ignore = [] if IS_GUEST else ["guest"]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what a run outside the guest has not shown."""
    if not IS_GUEST:
        terminalreporter.write_line(
            "not proven: drivers on the kernel's own devices (make test-hal-vm proves it)"
        )
