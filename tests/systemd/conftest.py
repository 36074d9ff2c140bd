"""One installed root for all tests that only read it."""

from pathlib import Path

import pytest

from tests.systemd.device_root import add_the_system, install


@pytest.fixture(scope="package")
def device(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root with all of `systemd/` and systemd's own units. Not to be written to."""
    root = install(tmp_path_factory.mktemp("device"))
    add_the_system(root)
    return root
