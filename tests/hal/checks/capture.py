"""Checks of what captures: cameras and microphones. They capture while they are enabled, and only then."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from itertools import pairwise
from typing import Any, TypeVar

from conclave_hal.camera import Camera, Picture
from conclave_hal.drivers import Slot
from conclave_hal.errors import DeviceGoneError
from conclave_hal.media import AudioSource, Codec, EncodedFrame
from tests.hal.checks import streams
from tests.hal.checks.bench import Bench
from tests.hal.checks.check import Checks, require

CHECKS = Checks()
CAMERA = frozenset({Slot.CAMERA})
MICROPHONE = frozenset({Slot.MICROPHONE})
SILENT_FOR_S = 0.5
"""Longer than several pictures or packets take."""
T = TypeVar("T")


@CHECKS.claim(
    "says which pictures it delivers, in even sizes",
    mend="ask the hardware for its formats when the session begins; best first",
    slots=CAMERA,
)
async def says_its_formats(bench: Bench) -> None:
    async with bench.running(Camera) as device:
        formats = device.formats()
        require(formats, "it is ready, and has no format")
        for each in formats:
            require(each.width % 2 == 0 and each.height % 2 == 0, f"{each} has an odd size")
            require(each.fps > 0, f"{each} has no pictures in a second")


@CHECKS.claim(
    "delivers whole pictures of the size that it declares, each later than the one before",
    mend="take the padding out of each line, and count time in units of 90 kHz modulo 2^32",
    slots=CAMERA,
)
async def delivers_pictures(bench: Bench) -> None:
    async with bench.running(Camera) as device:
        await device.set_enabled(True)
        pictures = await _take(bench, device.pictures(), 5)
        _require_later([picture.timestamp for picture in pictures])
        declared = device.state().format
        require(declared is not None, "it delivers, and its state has no format")
        assert declared is not None
        encoded = [each for each in pictures if isinstance(each, EncodedFrame)]
        for each in pictures:
            if isinstance(each, Picture):
                size = (each.width, each.height)
                require(size == (declared.width, declared.height), f"a picture is {size}, not {declared}")
                whole = each.width * each.height * 3 // 2
                require(len(each.data) == whole, f"a picture has {len(each.data)} bytes, not {whole}")
        if encoded:
            require(declared.is_encoded, "it delivers H.264, and its format does not say so")
            require(encoded[0].is_keyframe, "the first frame is no keyframe")
            sizes = set(streams.decoded_pictures(encoded))
            require(sizes == {(declared.width, declared.height)}, f"decoded pictures are {sizes}")


@CHECKS.claim(
    "captures nothing while it is disabled",
    mend="stop the sensor (its lamp goes out) before `set_enabled` returns; never send black instead",
    slots=CAMERA,
)
async def films_nothing_while_disabled(bench: Bench) -> None:
    async with bench.running(Camera) as device:
        await device.set_enabled(True)
        await _take(bench, device.pictures(), 1)
        await device.set_enabled(False)
        require(not device.state().is_capturing, "it is disabled, and its state says that it captures")
        await _require_silence(device.pictures(), "a picture")
        await device.set_enabled(True)
        await _take(bench, device.pictures(), 1)


@CHECKS.claim(
    "ends its pictures when it is closed",
    mend="wake whoever waits for a picture in `close`",
    slots=CAMERA,
)
async def ends_its_pictures(bench: Bench) -> None:
    async with bench.running(Camera) as device:
        await device.set_enabled(True)
        reading = asyncio.create_task(_to_the_end(device.pictures()))
        await asyncio.sleep(0)
        await bench.stop(device)
        await bench.soon(reading, "whoever waits for pictures is not let go")


@CHECKS.claim(
    "delivers Opus packets of 20 ms that can be decoded",
    mend="encode 960 samples of 48 kHz a packet, and count them in the time stamp",
    slots=MICROPHONE,
)
async def delivers_sound(bench: Bench) -> None:
    async with bench.running(AudioSource) as device:
        await device.set_enabled(True)
        packets = await _take(bench, device.frames(), 5)
        require({p.codec for p in packets} == {Codec.OPUS}, "it delivers something else than Opus")
        _require_later([packet.timestamp for packet in packets])
        samples = streams.decoded_samples(packets)
        require(samples == 5 * streams.SAMPLES_A_PACKET, f"five packets are {samples} samples, not 4800")


@CHECKS.claim(
    "hears nothing while it is disabled",
    mend="stop capturing before `set_enabled` returns; never send silence instead",
    slots=MICROPHONE,
)
async def hears_nothing_while_disabled(bench: Bench) -> None:
    async with bench.running(AudioSource) as device:
        await device.set_enabled(True)
        await _take(bench, device.frames(), 1)
        await device.set_enabled(False)
        await _require_silence(device.frames(), "a packet")
        await device.set_enabled(True)
        await _take(bench, device.frames(), 1)


@CHECKS.claim(
    "ends its sound when it is closed",
    mend="wake whoever waits for a packet in `close`",
    slots=MICROPHONE,
)
async def ends_its_sound(bench: Bench) -> None:
    async with bench.running(AudioSource) as device:
        await device.set_enabled(True)
        reading = asyncio.create_task(_to_the_end(device.frames()))
        await asyncio.sleep(0)
        await bench.stop(device)
        await bench.soon(reading, "whoever waits for sound is not let go")


async def _take(bench: Bench, source: AsyncIterator[T], count: int) -> list[T]:
    """So many of what a source delivers."""
    found: list[T] = []

    async def take() -> None:
        iterator: Any = source
        async with aclosing(iterator):
            async for each in iterator:
                found.append(each)
                if len(found) == count:
                    return

    await bench.soon(take(), f"delivers {len(found)} of {count}")
    require(len(found) == count, f"its stream ends after {len(found)}")
    return found


async def _to_the_end(source: AsyncIterator[object]) -> None:
    try:
        async for _ in source:
            pass
    except DeviceGoneError:
        return


async def _require_silence(source: AsyncIterator[object], what: str) -> None:
    """Nothing comes. One that was on its way already may."""
    iterator: Any = source
    late = 0
    try:
        async with asyncio.timeout(SILENT_FOR_S), aclosing(iterator):
            async for _ in iterator:
                late += 1
    except TimeoutError:
        pass
    require(late <= 1, f"{what} comes though it is disabled")


def _require_later(stamps: list[int]) -> None:
    for older, newer in pairwise(stamps):
        require(0 < (newer - older) % 2**32 < 2**31, f"time stamps do not grow: {stamps}")
