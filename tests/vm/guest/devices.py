"""Our drivers as `hal.toml` would make them, and Linux's names for what they drive."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar, cast

from conclave_hal.device import AnyDevice
from conclave_hal.drivers import Slot, find_driver
from conclave_hal.options import TableName, read_options

D = TypeVar("D", bound=AnyDevice)
PATIENCE_S = 120.0
"""An emulated processor takes seconds for what takes milliseconds; only a test that fails waits so long."""


def device(kind: Callable[..., D], slot: Slot, driver: str, **options: object) -> D:
    """A device of `driver`, with `options` as they would stand in the slot's table."""
    found = find_driver(slot, driver)
    where = TableName(Path("hal.toml"), slot.value, driver)
    made = found.make(read_options(found.options, options, where), {})
    # Seen as a callable because mypy wants a concrete class wherever `type[D]` is asked for.
    assert isinstance(made, cast("type[D]", kind))
    return made


def camera_node(index: int = 0) -> Path:
    """The node of the kernel's test cameras, by their order: 0 is a webcam, 1 an HDMI input."""
    found = sorted(
        (path for path in Path("/sys/class/video4linux").glob("video*") if "vid-cap" in _name(path)),
        key=_name,
    )
    return Path("/dev", found[index].name)


def _name(path: Path) -> str:
    return (path / "name").read_text().strip()


def unbind_cameras() -> None:
    """Take the kernel's test cameras and their CEC away, as if unplugged."""
    _CAMERAS.joinpath("unbind").write_text("vivid.0")


def bind_cameras() -> None:
    """Bring them back."""
    _CAMERAS.joinpath("bind").write_text("vivid.0")


_CAMERAS = Path("/sys/bus/platform/drivers/vivid")
