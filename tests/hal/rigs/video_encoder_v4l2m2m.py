"""No kernel here has an encoder: libx264 stands in for it, behind the driver that asks for the kernel's."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

from conclave_hal.drivers import Driver, Slot
from conclave_hal.encoding.h264_stream import LIBX264, V4L2M2M, H264Stream, StreamSettings
from conclave_hal.encoding.stream_encoder import EncoderOptions, StreamEncoder
from tests.hal.rigs import Rig


def stand_in(settings: StreamSettings) -> H264Stream:
    """Software, whatever was asked for."""
    return H264Stream(replace(settings, codec=LIBX264))


@asynccontextmanager
async def rig(folder: Path) -> AsyncIterator[Rig]:
    """An encoder that works."""
    driver = Driver(EncoderOptions, lambda options, made: StreamEncoder((V4L2M2M,), options, begin=stand_in))
    with patch("conclave_hal.encoding.v4l2m2m.DRIVER", driver):
        yield Rig(Slot.VIDEO_ENCODER, "v4l2m2m")
