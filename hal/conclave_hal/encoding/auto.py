"""The video encoder `auto`: the kernel's encoder where there is one, else libx264."""

from conclave_hal.drivers import Driver
from conclave_hal.encoding.h264_stream import LIBX264, V4L2M2M
from conclave_hal.encoding.stream_encoder import EncoderOptions, StreamEncoder

DRIVER = Driver(EncoderOptions, lambda options, made: StreamEncoder((V4L2M2M, LIBX264), options))
