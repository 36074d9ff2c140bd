"""What ends a capture reaches whoever waits for the next item, as an error of this layer."""

from collections.abc import Generator

import pytest
from av.error import ArgumentError

from conclave_hal.capture_thread import CaptureThread
from conclave_hal.errors import DeviceGoneError


@pytest.mark.parametrize(
    "error", [OSError(19, "No such device"), ArgumentError(22, "Invalid argument", "/dev/video0")]
)
async def test_a_device_that_the_system_or_ffmpeg_takes_away_is_gone(error: Exception) -> None:
    def items() -> Generator[str, None, None]:
        yield "first"
        raise error

    async with CaptureThread("camera /dev/video0", items, keeps=1) as thread:
        assert await thread.next(20.0) == "first"
        with pytest.raises(DeviceGoneError, match=r"camera /dev/video0: (No such device|Invalid argument)"):
            await thread.next(20.0)
