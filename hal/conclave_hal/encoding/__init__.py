"""Drivers of the slot `video_encoder`: pictures in, H.264 out.

    auto       the hardware that the kernel offers, else libx264; what a room has that says nothing
    v4l2m2m    the hardware only (`h264_v4l2m2m` of FFmpeg)
    software   libx264 only
    simulated  libx264 too (`conclave_hal.simulated.video_encoder`)

All are a `StreamEncoder` (`stream_encoder.py`) that differs in the codecs it may use.
"""
