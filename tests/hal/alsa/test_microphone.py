"""The microphone at a sound card: FFmpeg's ALSA input on a file in the card's place; what blocks or goes."""

import asyncio
import queue
from array import array
from collections.abc import Generator
from contextlib import aclosing
from pathlib import Path

import av
import pytest
from av.packet import Packet

from conclave_hal.alsa.listening import listen
from conclave_hal.alsa.microphone import KEPT_PACKETS, AlsaMicrophone, AlsaMicrophoneOptions
from conclave_hal.device import Health
from conclave_hal.errors import DeviceGoneError
from conclave_hal.media import Codec, EncodedFrame
from conclave_hal.simulated.tone import dominant_frequency_hz, tone_frames
from tests.hal.waiting import Clock, running, until_state

OPTIONS = AlsaMicrophoneOptions("hw:CARD=Room")


class Line:
    """What a capture thread hears."""

    def __init__(self) -> None:
        self.items: queue.Queue[EncodedFrame | Exception] = queue.Queue()
        self.opened, self.closed = asyncio.Event(), asyncio.Event()
        self.is_plugged_in = True
        self._loop = asyncio.get_running_loop()

    def is_there(self, device: str) -> bool:
        """Whether the kernel lists the card."""
        return self.is_plugged_in

    def listen(self, device: str, channels: int) -> Generator[EncodedFrame | None, None, None]:
        """As FFmpeg would."""
        self._loop.call_soon_threadsafe(self._note, True)
        try:
            while True:
                try:
                    item = self.items.get(timeout=0.01)
                except queue.Empty:
                    yield None
                    continue
                if isinstance(item, Exception):
                    raise item
                yield item
        finally:
            self._loop.call_soon_threadsafe(self._note, False)

    def _note(self, is_open: bool) -> None:
        now, then = (self.opened, self.closed) if is_open else (self.closed, self.opened)
        now.set()
        then.clear()


@pytest.fixture
async def line() -> Line:
    return Line()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def microphone(line: Line, clock: Clock) -> AlsaMicrophone:
    return AlsaMicrophone(OPTIONS, is_there=line.is_there, listen=line.listen, pause=clock.pause)


def packet(number: int) -> EncodedFrame:
    return EncodedFrame(Codec.OPUS, bytes([number]), number * 960)


async def ready(microphone: AlsaMicrophone) -> None:
    await until_state(microphone, lambda state: state.health is Health.READY)


async def test_the_line_is_open_only_while_somebody_listens(microphone: AlsaMicrophone, line: Line) -> None:
    async with running(microphone), asyncio.timeout(20):
        await ready(microphone)
        assert not line.opened.is_set()
        async with aclosing(microphone.frames()) as frames:
            line.items.put(packet(1))
            assert (await anext(frames)).data == b"\x01"
            assert line.opened.is_set()
            await microphone.set_enabled(False)
            await line.closed.wait()
            await microphone.set_enabled(True)
            line.items.put(packet(2))
            assert (await anext(frames)).data == b"\x02"
        await line.closed.wait()


async def test_what_was_heard_before_it_was_switched_off_never_comes(
    microphone: AlsaMicrophone, line: Line
) -> None:
    async with running(microphone), asyncio.timeout(20), aclosing(microphone.frames()) as frames:
        line.items.put(packet(1))
        await anext(frames)
        reader = microphone._reader
        assert reader is not None
        reader.give(packet(2))
        await microphone.set_enabled(False)
        await microphone.set_enabled(True)
        line.items.put(packet(3))
        assert (await anext(frames)).data == b"\x03"


async def test_a_slow_reader_loses_the_oldest_sound(microphone: AlsaMicrophone, line: Line) -> None:
    async with running(microphone), asyncio.timeout(20), aclosing(microphone.frames()) as frames:
        line.items.put(packet(1))
        await anext(frames)
        reader = microphone._reader
        assert reader is not None
        for number in range(2, 4 + KEPT_PACKETS):
            reader.give(packet(number))
        assert (await anext(frames)).data == b"\x04"


async def test_a_card_that_goes_ends_the_frames_and_comes_back(
    microphone: AlsaMicrophone, line: Line, clock: Clock
) -> None:
    async with running(microphone), asyncio.timeout(20):
        async with aclosing(microphone.frames()) as frames:
            line.items.put(packet(1))
            await anext(frames)
            line.is_plugged_in = False
            line.items.put(OSError(19, "No such device"))
            with pytest.raises(DeviceGoneError, match="No such device"):
                await anext(frames)
        failed = await until_state(microphone, lambda state: state.health is Health.FAILED)
        assert failed.reason
        async with aclosing(microphone.frames()) as frames:
            coming = asyncio.ensure_future(anext(frames))
            line.is_plugged_in = True
            line.items.put(packet(2))
            while not coming.done():
                await clock.tick()
            assert (await coming).data == b"\x02"


async def test_an_idle_card_that_is_unplugged_is_missed(
    microphone: AlsaMicrophone, line: Line, clock: Clock
) -> None:
    async with running(microphone):
        await ready(microphone)
        line.is_plugged_in = False
        missed = asyncio.ensure_future(until_state(microphone, lambda state: state.health is Health.FAILED))
        while not missed.done():
            await clock.tick()


def recorded(folder: Path, monkeypatch: pytest.MonkeyPatch, channels: int, seconds: int) -> None:
    """The real ALSA library hears a tone of 660 Hz from a file, in every channel."""
    mono = array("h", b"".join(tone_frames(660)))
    frames = array("h", bytes(2 * channels * len(mono)))
    for channel in range(channels):
        frames[channel::channels] = mono
    sound = folder / f"sound-{channels}"
    sound.write_bytes(frames.tobytes() * seconds)
    configuration = folder / f"asound-{channels}.conf"
    configuration.write_text(
        f'pcm.room {{ type file slave.pcm {{ type null }} file "/dev/null" infile "{sound}" format raw }}\n'
    )
    monkeypatch.setenv("ALSA_CONFIG_PATH", str(configuration))


@pytest.mark.parametrize("channels", [1, 2, 4])
def test_ffmpeg_hears_what_the_card_hears_as_opus_of_20_ms(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, channels: int
) -> None:
    recorded(tmp_path, monkeypatch, channels, seconds=2)
    decoder = av.CodecContext.create("libopus", "r")
    decoder.sample_rate, decoder.layout = 48_000, "mono"
    samples: array[int] = array("h")
    stamps = []
    packets = listen("room", channels)
    for _ in range(25):
        each = next(packets)
        stamps.append(each.timestamp)
        for frame in decoder.decode(Packet(each.data)):
            samples.frombytes(bytes(frame.planes[0])[: 2 * frame.samples])
    packets.close()
    assert [(stamp - stamps[0]) % 2**32 for stamp in stamps] == [960 * n for n in range(25)]
    assert dominant_frequency_hz(samples[9600:]) == pytest.approx(660, rel=0.02)


def test_a_card_that_is_not_there_is_an_error_of_the_system(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded(tmp_path, monkeypatch, 1, seconds=1)
    with pytest.raises(OSError, match="error"):
        next(listen("nowhere", 0))
