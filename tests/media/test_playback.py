"""One stream's player."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from conclave_hal.errors import DeviceGoneError
from conclaved.media.playback import QUEUE_FRAMES, StreamPlayer
from tests.media.rooms import FakeScreen, delta_picture, key_picture, until


@contextlib.asynccontextmanager
async def running(player: StreamPlayer) -> AsyncIterator[None]:
    task = asyncio.create_task(player.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


async def test_frames_are_played_in_order() -> None:
    screen = FakeScreen()
    player = StreamPlayer("1/1", screen, lambda: None)
    async with running(player):
        for n in range(5):
            player.play(key_picture(bytes((n,))))
        await until(lambda: player.frames_played == 5)
    assert screen.data("1/1") == [key_picture(bytes((n,))).data for n in range(5)]


async def test_an_undecodable_frame_is_counted_and_told() -> None:
    screen, told = FakeScreen(), list[int]()
    screen.refuse = 1
    player = StreamPlayer("1/1", screen, lambda: told.append(1))
    async with running(player):
        player.play(key_picture(b"bad"))
        player.play(key_picture(b"good"))
        await until(lambda: player.frames_played == 1)
    assert (player.frames_failed, told) == (1, [1])


async def test_a_full_queue_is_dropped_whole_and_a_keyframe_asked_for() -> None:
    told = list[int]()
    player = StreamPlayer("1/1", FakeScreen(), lambda: told.append(1))
    for _ in range(QUEUE_FRAMES):
        player.play(delta_picture(b""))
    player.play(delta_picture(b"one too many"))
    assert (player.frames_overrun, told) == (QUEUE_FRAMES + 1, [1])


async def test_a_sink_that_fails_is_a_fault_until_it_works_again() -> None:
    for error in (DeviceGoneError("unplugged"), ZeroDivisionError()):
        screen = FakeScreen()
        screen.error = error
        player = StreamPlayer("1/1", screen, lambda: None)
        async with running(player):
            player.play(key_picture(b"lost"))
            await until(lambda player=player: player.fault)  # type: ignore[misc]
            screen.error = None
            player.play(key_picture(b"seen"))
            await until(lambda player=player: player.frames_played == 1)  # type: ignore[misc]
        assert player.fault == ""


async def test_a_successor_plays_only_when_its_predecessor_has_let_go() -> None:
    screen = FakeScreen()
    old = StreamPlayer("1/1", screen, lambda: None)
    new = StreamPlayer("1/1", screen, lambda: None, old)
    async with running(new):
        new.play(key_picture(b"new"))
        async with running(old):
            old.play(key_picture(b"old"))
            await until(lambda: old.frames_played)
            old.stop()
            await until(lambda: new.frames_played)
    assert screen.stopped == ["1/1"]
    assert [frame.data[-3:] for _, frame in screen.played] == [b"old", b"new"]
