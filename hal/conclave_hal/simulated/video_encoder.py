"""The simulated encoder: libx264 too, since pictures that nobody can decode would prove nothing."""

from conclave_hal.drivers import Driver
from conclave_hal.encoding.h264_stream import LIBX264
from conclave_hal.encoding.stream_encoder import EncoderOptions, StreamEncoder

DRIVER = Driver(EncoderOptions, lambda options, made: StreamEncoder((LIBX264,), options))
