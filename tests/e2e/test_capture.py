"""Everything that a hub sees of a meeting, searched for what it must not see."""

import asyncio
import contextlib
import struct
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from conclave_hal.device import DeviceState, Health
from conclave_hal.media import Codec, EncodedFrame, VideoSource
from conclaved.conference.hub_client import HubClient, client_context
from conclaved.media import MediaEngine
from conclaved.sframe import CipherSuite, EpochKeys, MediaKeyring
from tests.demo.stage import Stage, until
from tests.e2e.rooms import ATRIUM, BERLIN, enrolled, until_with

pytestmark = pytest.mark.e2e

ENCODER = b"x264 - core"
"""libx264 writes its name and options in clear into every stream: a plaintext known without looking."""
TITLE = "Quarterly review of the Osprey"


def messages(data: bytes) -> list[bytes]:
    """What the hub wrote down, message by message."""
    found, at = [], 0
    while at + 4 <= len(data):
        (length,) = struct.unpack_from(">I", data, at)
        found.append(data[at + 4 : at + 4 + length])
        at += 4 + length
    return found


def seen(capture: Path, needles: list[bytes]) -> set[bytes]:
    """Which of these the hub has seen, in any message."""
    data = messages(capture.read_bytes())
    return {needle for needle in needles if any(needle in message for message in data)}


class Film(VideoSource):
    """A camera that shows one known frame again and again."""

    def __init__(self) -> None:
        super().__init__()
        self.frame = b"\0\0\0\1\x06" + ENCODER + bytes(range(200))
        self._enabled = asyncio.Event()

    async def open(self) -> None:
        await self._publish(DeviceState(Health.READY))

    async def close(self) -> None: ...

    async def frames(self) -> AsyncIterator[EncodedFrame]:
        timestamp = 0
        while True:
            await self._enabled.wait()
            yield EncodedFrame(Codec.H264, self.frame, timestamp)
            timestamp += 6000
            await asyncio.sleep(0.02)

    async def set_enabled(self, is_enabled: bool) -> None:
        if is_enabled:
            self._enabled.set()
        else:
            self._enabled.clear()

    async def request_keyframe(self) -> None: ...


class NoEncryption(MediaKeyring):
    """What must never be: frames as they are. Only this test has one."""

    def protect(self, context_id: int, frame: bytes, metadata: bytes, now: float) -> bytes:
        """The frame itself."""
        return frame


async def send_film(it: Stage, keyring: MediaKeyring, address: bytes) -> None:
    """Send the film through the hub's relay, at some address, until the hub has seen a hundred packets."""
    carrier = HubClient(it.hub_url, address, client_context(it.folder / "hub-ca.pem"))
    running = asyncio.create_task(carrier.run(lambda event: None))
    camera = Film()
    await camera.open()
    engine = MediaEngine(keyring, camera=camera)
    engine.advance(EpochKeys(0, bytes(range(16)), 1, 0, frozenset({0})))
    before = len(messages(it.capture.read_bytes()))
    try:
        await engine.start(await carrier.open_media())
        engine.set_sending(True)
        await until(lambda: captured(it, before + 100), "the hub to see the film")
    finally:
        await engine.stop()
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running


async def captured(it: Stage, count: int) -> bool:
    return len(messages(it.capture.read_bytes())) >= count


async def test_the_relay_sees_no_name_no_title_and_no_frame(it: Stage, report: list[str]) -> None:
    atrium, berlin = await asyncio.gather(enrolled(it, ATRIUM), enrolled(it, BERLIN))
    created = await atrium.ctl(
        "meeting", "create", "--title", TITLE, "--invite", berlin.name, "--conference", it.hub_url
    )
    link = str(created["link"])
    await asyncio.gather(*(room.ctl("meeting", "join", link, "--wait-admitted") for room in (atrium, berlin)))
    view = await until_with(atrium, 2)

    async def both_see() -> bool:
        streams = [s for room in (atrium, berlin) for s in await room.streams() if not s["is_self"]]
        return len(streams) == 4 and all(s["frames_decoded"] >= 10 for s in streams)

    await until(both_see, "each room to decode the other's picture and sound")
    code = str(view["security_code"])
    needles = [
        ENCODER,
        TITLE.encode(),
        atrium.name.encode(),
        berlin.name.encode(),
        link.partition("#")[2].encode(),
        code.encode(),
        code.replace(" ", "").encode(),
    ]
    assert seen(it.capture, needles) == set()
    count = len(messages(it.capture.read_bytes()))
    assert count > 200
    report.append(
        f"the hub's capture: {count} messages and packets of two rooms, none of {len(needles)} needles"
    )


async def test_the_search_finds_a_frame_that_is_not_encrypted(it: Stage) -> None:
    await send_film(it, MediaKeyring(CipherSuite.AES_128_GCM_SHA256_128), bytes(32))
    assert seen(it.capture, [ENCODER]) == set()
    await send_film(it, NoEncryption(CipherSuite.AES_128_GCM_SHA256_128), bytes(32))
    assert seen(it.capture, [ENCODER]) == {ENCODER}
