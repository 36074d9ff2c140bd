"""The video encoder `software`: libx264 only."""

from conclave_hal.drivers import Driver
from conclave_hal.encoding.h264_stream import LIBX264
from conclave_hal.encoding.stream_encoder import EncoderOptions, StreamEncoder

DRIVER = Driver(EncoderOptions, lambda options, made: StreamEncoder((LIBX264,), options))
