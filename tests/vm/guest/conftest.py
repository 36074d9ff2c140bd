"""What holds for every test in the guest."""

import pytest

from tests.hal import eventually, waiting
from tests.vm.guest.devices import PATIENCE_S


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Deadlines for an emulated processor: none of these tests is about time."""
    monkeypatch.setattr(waiting, "DEADLINE_S", PATIENCE_S)
    monkeypatch.setattr(eventually, "DEADLINE_S", PATIENCE_S)
