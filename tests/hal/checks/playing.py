"""Checks of what plays: the screen and the speaker."""

from conclave_hal.drivers import Slot
from conclave_hal.media import AudioSink, EncodedFrame, MediaSink, VideoSink
from tests.hal.checks import streams
from tests.hal.checks.bench import Bench
from tests.hal.checks.check import Checks, require

CHECKS = Checks()
SINKS = frozenset({Slot.SCREEN, Slot.SPEAKER})
SPEAKER = frozenset({Slot.SPEAKER})
STREAM = "1/1"


def _material(slot: Slot) -> list[EncodedFrame]:
    return streams.h264_stream(8) if slot is Slot.SCREEN else streams.opus_stream(8)


@CHECKS.claim(
    "plays what can be decoded, and counts it",
    mend="make a decoder at a stream's first frame, and count what it makes of it in `reports`",
    slots=SINKS,
)
async def plays(bench: Bench) -> None:
    async with bench.running(_sink(bench.slot)) as device:
        for frame in _material(bench.slot):
            require(
                await bench.done(device.play(STREAM, frame)), "it says that it cannot decode a good frame"
            )
        report = device.reports().get(STREAM)
        require(report is not None, "its reports do not have the stream")
        assert report is not None
        require(report.frames_decoded > 0, f"it has played eight frames, and reports {report}")


@CHECKS.claim(
    "survives what cannot be decoded, and asks for a keyframe",
    mend="return False from `play`: what comes from the network is nobody's mistake here",
    slots=frozenset({Slot.SCREEN}),
)
async def survives_garbage(bench: Bench) -> None:
    async with bench.running(VideoSink) as device:
        frames = _material(bench.slot)
        broken = EncodedFrame(frames[0].codec, b"\0\0\0\1\x65" + b"\xa5" * 200, 0)
        require(not await bench.done(device.play(STREAM, broken)), "it says that it has decoded garbage")
        require(not await bench.done(device.play("2/1", frames[1])), "it decodes a stream from its middle")
        results = [await bench.done(device.play(STREAM, frame)) for frame in frames]
        require(results[-1], "a keyframe does not mend it")


@CHECKS.claim(
    "forgets a stream that is stopped, also one that it does not know",
    mend="free the decoder in `stop`, and ignore unknown names",
    slots=SINKS,
)
async def forgets_a_stream(bench: Bench) -> None:
    async with bench.running(_sink(bench.slot)) as device:
        await bench.done(device.play(STREAM, _material(bench.slot)[0]))
        await bench.done(device.stop(STREAM))
        await bench.done(device.stop("no such stream"))
        require(STREAM not in device.reports(), "it still reports the stream")


@CHECKS.claim(
    "returns from an announcement when it has been heard, or was cut off by the next",
    mend="wait for the samples to be played, not only to be taken",
    slots=SPEAKER,
)
async def announces(bench: Bench) -> None:
    async with bench.running(AudioSink) as device:
        # A tenth of a second of silence.
        await bench.done(device.announce(bytes(2 * 4800)))


def _sink(slot: Slot) -> type[MediaSink]:
    return VideoSink if slot is Slot.SCREEN else AudioSink
