"""Streams for the checks of what plays, and a look into those of what captures: PyAV, no driver of ours."""

from collections.abc import Iterable
from fractions import Fraction

import av
from av.video.codeccontext import VideoCodecContext

from conclave_hal.media import CLOCK_HZ, Codec, EncodedFrame

WIDTH, HEIGHT, FPS = 320, 180, 15
SAMPLES_A_PACKET = 960
"""20 ms at 48 kHz."""


def grey_picture(number: int, width: int = WIDTH, height: int = HEIGHT) -> bytes:
    """An I420 picture that differs from the one before."""
    luma = bytes([(16 + 7 * number) % 220 + 16]) * (width * height)
    return luma + bytes([128]) * (width * height // 2)


def h264_stream(pictures: int) -> list[EncodedFrame]:
    """Access units, the first a keyframe."""
    encoder = av.CodecContext.create("libx264", "w")
    assert isinstance(encoder, VideoCodecContext)
    encoder.width, encoder.height, encoder.pix_fmt = WIDTH, HEIGHT, "yuv420p"
    encoder.time_base, encoder.framerate = Fraction(1, CLOCK_HZ[Codec.H264]), Fraction(FPS)
    encoder.options = {"preset": "ultrafast", "tune": "zerolatency"}
    frames: list[EncodedFrame] = []
    for number in range(pictures):
        frame = av.VideoFrame(WIDTH, HEIGHT, "yuv420p")
        data = grey_picture(number)
        _fill(frame, data)
        frame.pts = number * CLOCK_HZ[Codec.H264] // FPS
        frame.time_base = encoder.time_base
        for packet in encoder.encode(frame):
            frames.append(EncodedFrame(Codec.H264, bytes(packet), frame.pts, packet.is_keyframe))
    return frames


def opus_stream(packets: int) -> list[EncodedFrame]:
    """Packets of 20 ms of silence."""
    encoder = av.CodecContext.create("libopus", "w")
    encoder.sample_rate, encoder.layout, encoder.format = 48_000, "mono", "s16"
    frames: list[EncodedFrame] = []
    for number in range(packets):
        frame = av.AudioFrame(format="s16", layout="mono", samples=SAMPLES_A_PACKET)
        frame.planes[0].update(bytes(2 * SAMPLES_A_PACKET))
        frame.sample_rate, frame.pts = 48_000, number * SAMPLES_A_PACKET
        for packet in encoder.encode(frame):
            stamp = len(frames) * SAMPLES_A_PACKET
            frames.append(EncodedFrame(Codec.OPUS, bytes(packet), stamp))
    return frames


def decoded_pictures(frames: Iterable[EncodedFrame]) -> list[tuple[int, int]]:
    """Width and height of each picture that a decoder makes of these."""
    decoder = av.CodecContext.create("h264", "r")
    found: list[tuple[int, int]] = []
    for frame in frames:
        found += [(p.width, p.height) for p in decoder.decode(av.Packet(frame.data))]
    found += [(p.width, p.height) for p in decoder.decode(None)]
    return found


def decoded_samples(frames: Iterable[EncodedFrame]) -> int:
    """How many samples of 48 kHz a decoder makes of these."""
    decoder = av.CodecContext.create("opus", "r")
    return sum(sound.samples for frame in frames for sound in decoder.decode(av.Packet(frame.data)))


def _fill(frame: av.VideoFrame, data: bytes) -> None:
    at = 0
    for plane in frame.planes:
        rows = b""
        for _ in range(plane.height):
            rows += data[at : at + plane.width].ljust(plane.line_size, b"\0")
            at += plane.width
        plane.update(rows)
