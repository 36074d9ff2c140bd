"""From a card's samples to Opus packets of 20 ms, through FFmpeg. Blocking: runs in a capture thread."""

import os
import time
from collections.abc import Generator, Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from conclave_hal.media import CLOCK_HZ, Codec, EncodedFrame
from conclave_hal.pyav import AudioResampler, av

if TYPE_CHECKING:
    from av import AudioFrame
    from av.audio.codeccontext import AudioCodecContext
    from av.container import InputContainer

RATE_HZ = CLOCK_HZ[Codec.OPUS]
FRAME_SAMPLES = 960
"""20 ms, one packet."""
BIT_RATE = 32_000
CONFIGURATION = Path("/usr/share/alsa/alsa.conf")
"""Where systems have ALSA's configuration. Builds of FFmpeg that bring their own ALSA library look for it
where they were built, and nowhere else."""


def listen(device: str, channels: int) -> Generator[EncodedFrame, None, None]:
    """Open a device and yield what it hears. Raises OSError where that fails.

    `channels` 0 tries two, as most microphones at USB have, then one.
    """
    if "ALSA_CONFIG_PATH" not in os.environ and CONFIGURATION.exists():
        os.environ["ALSA_CONFIG_PATH"] = str(CONFIGURATION)
    with _opened(device, (channels,) if channels else (2, 1)) as container:
        yield from opus(heard(container))


def _opened(device: str, channels: tuple[int, ...]) -> "InputContainer":
    for count in channels[:-1]:
        try:
            return _open(device, count)
        except OSError:
            continue
    return _open(device, channels[-1])


def _open(device: str, channels: int) -> "InputContainer":
    options = {"sample_rate": str(RATE_HZ), "ch_layout": f"{channels}c"}
    return av.open(device, format="alsa", options=options)


def heard(container: "InputContainer") -> "Iterator[AudioFrame]":
    """The samples of an open input as they come."""
    stream = container.streams.audio[0]
    for packet in container.demux(stream):
        if packet.size:
            yield from packet.decode()


def opus(frames: "Iterable[AudioFrame]") -> Iterator[EncodedFrame]:
    """Sound of any rate and any number of channels as Opus, mono; all channels are mixed into the one."""
    resampler = AudioResampler(format="s16", layout="mono", rate=RATE_HZ, frame_size=FRAME_SAMPLES)
    encoder = _encoder()
    # Counted in samples, which is steadier than any clock; where it starts, nobody cares.
    timestamp = int(time.monotonic() * RATE_HZ)
    count = 0
    for frame in frames:
        # The card's times are those of another clock, and the samples follow each other anyway.
        frame.pts = None
        for part in resampler.resample(frame):
            part.pts, part.time_base = count * FRAME_SAMPLES, Fraction(1, RATE_HZ)
            count += 1
            for packet in encoder.encode(part):
                yield EncodedFrame(Codec.OPUS, bytes(packet), timestamp % 2**32)
                timestamp += FRAME_SAMPLES


def _encoder() -> "AudioCodecContext":
    encoder = av.CodecContext.create("libopus", "w")
    encoder.sample_rate, encoder.format, encoder.layout = RATE_HZ, "s16", "mono"
    encoder.time_base = Fraction(1, RATE_HZ)
    encoder.bit_rate = BIT_RATE
    encoder.options = {"frame_duration": "20", "application": "voip", "compression_level": "5"}
    encoder.open()
    return encoder
