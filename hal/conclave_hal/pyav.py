"""PyAV, whole: every module that works with FFmpeg has its names from here, and none from `av` itself.

PyAV's parts import each other in circles. Where two threads load the first part that each needs, Python sees
that they wait for each other and hands one of them a module that is half made. Whoever comes through this
module waits for all of it: one lock, the one of this import.

It is imported where it is used, never when a room starts: it takes 16 MB, and a small processor a second.
"""

import av
from av import AudioFrame, VideoFrame
from av.audio.resampler import AudioResampler
from av.codec.codec import UnknownCodecError
from av.error import FFmpegError
from av.packet import Packet
from av.video.frame import PictureType

__all__ = [
    "AudioFrame",
    "AudioResampler",
    "FFmpegError",
    "Packet",
    "PictureType",
    "UnknownCodecError",
    "VideoFrame",
    "av",
]
