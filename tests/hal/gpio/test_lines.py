"""The seam to libgpiod's package."""

import asyncio
import sys
from types import ModuleType

import pytest

from conclave_hal.errors import ConfigurationError
from conclave_hal.gpio.lines import InputLines, load_gpiod
from tests.hal.gpio import doubles


def test_without_the_package_the_start_says_where_it_comes_from(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gpiod", None)
    with pytest.raises(ConfigurationError, match="needs the package gpiod") as caught:
        load_gpiod()
    assert "conclave[gpio]" in caught.value.hint


def test_version_one_of_the_package_is_recognised_and_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    old = ModuleType("gpiod")
    vars(old)["Chip"] = object
    monkeypatch.setitem(sys.modules, "gpiod", old)
    with pytest.raises(ConfigurationError, match="needs gpiod 2, and this is version 1"):
        load_gpiod()


def test_the_double_has_the_names_of_the_real_package() -> None:
    gpiod = pytest.importorskip("gpiod", reason="the optional package gpiod is not installed here")
    settings = gpiod.LineSettings()
    assert all(hasattr(settings, name) for name in vars(doubles.LineSettings()))
    for name in ("Value", "Direction", "Bias", "Edge"):
        real = getattr(gpiod.line, name)
        assert {member.name for member in getattr(doubles, name)} <= {member.name for member in real}
    assert {member.name for member in doubles.EdgeType} == {member.name for member in gpiod.EdgeEvent.Type}
    for name in ("fd", "offsets", "lines", "get_value", "set_values", "read_edge_events", "release"):
        assert hasattr(gpiod.LineRequest, name)


async def test_edges_are_read_only_where_there_are_some() -> None:
    chip = doubles.DoubleChip()
    lines = InputLines(
        chip.module(), doubles.CHIP, ("SHUTTER",), active_low=False, bias="as-is", debounce_ms=0
    )
    # As the event loop does that tells twice of the same edges.
    lines._has_edges.set()
    reading = asyncio.create_task(lines.risen())
    for _ in range(5):
        await asyncio.sleep(0)
    assert not chip.has_blocked
    assert not reading.done()
    chip.drive(doubles.NAMES["SHUTTER"], is_high=True)
    assert await reading == ("SHUTTER",)
    lines.release()
