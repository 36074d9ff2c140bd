"""The video encoder `v4l2m2m`: the kernel's encoder only."""

from conclave_hal.drivers import Driver
from conclave_hal.encoding.h264_stream import V4L2M2M
from conclave_hal.encoding.stream_encoder import EncoderOptions, StreamEncoder

DRIVER = Driver(EncoderOptions, lambda options, made: StreamEncoder((V4L2M2M,), options))
