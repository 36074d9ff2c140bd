"""What FFmpeg raises, for those who do not want to load it to catch it."""


def ffmpeg_errors() -> tuple[type[Exception], ...]:
    """What FFmpeg raises, for an `except` clause: that is looked at only when something was raised."""
    from conclave_hal.pyav import FFmpegError, UnknownCodecError

    return FFmpegError, UnknownCodecError
