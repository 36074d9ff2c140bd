"""The line between the guest's HDMI output and HDMI input: which adapter is at which end, and a TV on it."""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.vm.guest.programs import output_of, running

POWER_STATUS = "--give-device-power-status"
_UP_WITHIN_S = 30.0


def output_adapter() -> Path:
    """The adapter of the HDMI output, where a room's own box is."""
    return _adapter("vid-out")


def input_adapter() -> Path:
    """The adapter of the HDMI input, where a display is."""
    return _adapter("vid-cap")


def _adapter(wanted: str) -> Path:
    for path in sorted(Path("/dev").glob("cec*")):
        name = re.search(r"Adapter Name\s*: (\S+)", output_of("cec-ctl", "-d", str(path)))
        if name is not None and wanted in name[1]:
            return path
    raise AssertionError(f"no CEC adapter is named {wanted}")


@contextmanager
def television() -> Iterator[Path]:
    """A display at the input's end, by v4l-utils; what it heard grows in a file."""
    device = str(input_adapter())
    output_of("cec-ctl", "-d", device, "--tv", "--osd-name", "Wall")
    with running("cec-follower", "-d", device, "--show-msgs", "--show-state") as heard:
        _wait_for_an_answer()
        yield heard


def _wait_for_an_answer() -> None:
    """Until the display hears: the kernel itself answers only a part of what it is asked."""
    output = str(output_adapter())
    output_of("cec-ctl", "-d", output, "--playback")
    deadline = time.monotonic() + _UP_WITHIN_S
    while time.monotonic() < deadline:
        if "REPORT_POWER_STATUS" in output_of("cec-ctl", "-d", output, "--to", "0", POWER_STATUS):
            output_of("cec-ctl", "-d", output, "--clear")
            return
    raise AssertionError("cec-follower did not come up")
