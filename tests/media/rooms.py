"""Rooms for the media tests: real engine, keyring, relay and sockets; small fake hardware."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from conclave_hal.device import DeviceState, Health
from conclave_hal.media import (
    AudioSink,
    AudioSource,
    Codec,
    EncodedFrame,
    MediaSink,
    MediaSource,
    StreamReport,
    VideoSink,
    VideoSource,
)
from conclaved.conference.relay import Relay
from conclaved.media import MediaEngine
from conclaved.rtp import MediaOffer
from conclaved.sframe import EpochKeys, MediaKeyring

DEADLINE_S = 10
MEETING = b"meeting"


async def until(condition: Callable[[], object]) -> None:
    """Let the loop run until `condition` holds: a barrier with a deadline, not a delay."""
    async with asyncio.timeout(DEADLINE_S):
        while not condition():  # noqa: ASYNC110 - what is waited for is a count, not an event
            await asyncio.sleep(0)


def key_picture(payload: bytes, timestamp: int = 0) -> EncodedFrame:
    """An H.264 picture that decodes alone."""
    return EncodedFrame(Codec.H264, b"\0\0\0\1\x67sps\0\0\0\1\x65" + payload, timestamp)


def delta_picture(payload: bytes, timestamp: int = 0) -> EncodedFrame:
    """An H.264 picture that needs the ones before."""
    return EncodedFrame(Codec.H264, b"\0\0\0\1\x41" + payload, timestamp, False)


def voice(payload: bytes, timestamp: int = 0) -> EncodedFrame:
    """An Opus packet."""
    return EncodedFrame(Codec.OPUS, payload, timestamp)


class FakeSource(MediaSource):
    """Delivers what the test emits, enabled or not: the gate must hold without its help."""

    def __init__(self) -> None:
        super().__init__()
        self.switched: list[bool] = []
        self.keyframes_requested = 0
        self.readers = 0
        self.switch_error: Exception | None = None
        self.obeys = asyncio.Event()
        self.obeys.set()
        self._queue: asyncio.Queue[EncodedFrame | Exception] = asyncio.Queue()
        self._state = DeviceState(Health.READY)

    def emit(self, *frames: EncodedFrame) -> None:
        for frame in frames:
            self._queue.put_nowait(frame)

    def fail(self, error: Exception) -> None:
        self._queue.put_nowait(error)

    async def set_health(self, health: Health) -> None:
        await self._publish(DeviceState(health))

    async def open(self) -> None:
        """Nothing to acquire."""

    async def close(self) -> None:
        """Nothing to release."""

    async def frames(self) -> AsyncIterator[EncodedFrame]:
        self.readers += 1
        while True:
            item = await self._queue.get()
            if isinstance(item, Exception):
                raise item
            yield item

    async def set_enabled(self, is_enabled: bool) -> None:
        if self.switch_error is not None:
            raise self.switch_error
        await self.obeys.wait()
        self.switched.append(is_enabled)

    async def request_keyframe(self) -> None:
        self.keyframes_requested += 1


class FakeCamera(FakeSource, VideoSource):
    pass


class FakeMicrophone(FakeSource, AudioSource):
    pass


class FakeSink(MediaSink):
    """Remembers what it plays. `refuse` is how many frames it cannot decode from now on."""

    def __init__(self) -> None:
        super().__init__()
        self.played: list[tuple[str, EncodedFrame]] = []
        self.stopped: list[str] = []
        self.refuse = 0
        self.error: Exception | None = None

    async def open(self) -> None:
        """Nothing to acquire."""

    async def close(self) -> None:
        """Nothing to release."""

    async def play(self, stream: str, frame: EncodedFrame) -> bool:
        if self.error is not None:
            raise self.error
        if self.refuse:
            self.refuse -= 1
            return False
        self.played.append((stream, frame))
        return True

    async def stop(self, stream: str) -> None:
        self.stopped.append(stream)

    def reports(self) -> dict[str, StreamReport]:
        return {stream: StreamReport(frames_decoded=1, detail={"seen": True}) for stream, _ in self.played}

    def data(self, stream: str) -> list[bytes]:
        return [frame.data for name, frame in self.played if name == stream]


class FakeScreen(FakeSink, VideoSink):
    pass


class FakeSpeaker(FakeSink, AudioSink):
    async def announce(self, samples: bytes) -> None:
        """Nobody is told anything here."""


@dataclass
class Room:
    """One device's media."""

    leaf: int

    def __post_init__(self) -> None:
        self.camera, self.microphone = FakeCamera(), FakeMicrophone()
        self.screen, self.speaker = FakeScreen(), FakeSpeaker()
        self.heard: list[tuple[int, int]] = []
        self.unknown = 0
        self.engine = MediaEngine(
            MediaKeyring(),
            camera=self.camera,
            microphone=self.microphone,
            screen=self.screen,
            speaker=self.speaker,
            on_authenticated=lambda leaf, epoch: self.heard.append((leaf, epoch)),
            on_unknown_epoch=self._count_unknown,
        )

    def _count_unknown(self) -> None:
        self.unknown += 1

    def advance(
        self, epoch: int, members: frozenset[int], removed: frozenset[int] = frozenset(), leaves: int = 4
    ) -> None:
        self.engine.advance(epoch_keys(epoch, self.leaf, members, removed, leaves))


def epoch_keys(
    epoch: int,
    leaf: int,
    members: frozenset[int],
    removed: frozenset[int] = frozenset(),
    leaves: int = 4,
) -> EpochKeys:
    return EpochKeys(epoch, bytearray(epoch.to_bytes(16, "big")), leaves, leaf, members, removed)


@contextlib.asynccontextmanager
async def meeting(
    count: int,
    *,
    capture: Callable[[bytes], None] | None = None,
    way: Callable[[MediaOffer], MediaOffer] = lambda offer: offer,
) -> AsyncIterator[tuple[Relay, list[Room]]]:
    """A relay and rooms at leaves 0, 1..., all in epoch 1, sending, and known to the relay."""
    relay = await Relay.start("127.0.0.1", capture=capture)
    rooms = [Room(leaf) for leaf in range(count)]
    members = frozenset(range(count))
    try:
        for room in rooms:
            room.advance(1, members)
            room.engine.set_sending(True)
            await room.engine.start(way(relay.add_client(MEETING, room.leaf)))
        await until(lambda: sum(s.has_address for _, s in relay.stats(MEETING).clients) == count)
        await until(lambda: all(room.camera.keyframes_requested for room in rooms))
        yield relay, rooms
    finally:
        for room in rooms:
            await room.engine.stop()
        await relay.close()
