"""A thread that reads what blocks: what it hands to the loop, and how it ends."""

import asyncio
import threading
from collections.abc import Generator

import pytest
from av.error import ArgumentError

from conclave_hal.capture_thread import CaptureThread
from conclave_hal.errors import DeviceError, DeviceGoneError, DeviceTimeoutError

DEADLINE_S = 20.0


def numbers(*items: int | None) -> Generator[int | None, None, None]:
    yield from items


def failing(error: Exception) -> Generator[int | None, None, None]:
    yield 1
    raise error


async def test_items_come_in_their_order_and_then_the_end() -> None:
    async with CaptureThread("a device", lambda: numbers(1, None, 2), keeps=8) as thread:
        assert [await thread.next(DEADLINE_S), await thread.next(DEADLINE_S)] == [1, 2]
        with pytest.raises(DeviceGoneError, match="a device delivers nothing any more"):
            await thread.next(DEADLINE_S)
        assert thread.has_ended


async def test_what_nobody_takes_is_bounded_and_the_oldest_is_lost() -> None:
    thread: CaptureThread[int] = CaptureThread("a device", lambda: numbers(*range(100)), keeps=3)
    async with thread:
        while not thread.has_ended:  # noqa: ASYNC110 - a thread sets it
            await asyncio.sleep(0)
        assert [await thread.next(DEADLINE_S) for _ in range(3)] == [97, 98, 99]
        assert thread.lost == 97


@pytest.mark.parametrize(
    ("error", "seen", "said"),
    [
        (OSError(19, "No such device"), DeviceGoneError, "a device: No such device"),
        # FFmpeg's is no OSError, and comes when a camera is pulled out while it is being asked.
        (ArgumentError(22, "Invalid argument", "/dev/video0"), DeviceGoneError, "a device: Invalid argument"),
        (DeviceError("refused"), DeviceError, "refused"),
        (ZeroDivisionError("a bug"), ZeroDivisionError, "a bug"),
    ],
)
async def test_what_ends_the_capture_is_raised_where_it_is_read(
    error: Exception, seen: type[Exception], said: str
) -> None:
    async with CaptureThread("a device", lambda: failing(error), keeps=1) as thread:
        assert await thread.next(DEADLINE_S) == 1
        with pytest.raises(seen, match=said):
            await thread.next(DEADLINE_S)


async def test_who_waits_can_be_woken() -> None:
    lets_go = threading.Event()

    def waiting() -> Generator[int, None, None]:
        lets_go.wait()
        yield 1

    async with CaptureThread("a device", waiting, keeps=1) as thread:
        waiter = asyncio.ensure_future(thread.next(DEADLINE_S))
        await asyncio.sleep(0)
        thread.wake()
        assert await waiter is None
        lets_go.set()
        assert await thread.next(DEADLINE_S) == 1


async def test_a_device_that_hangs_is_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("conclave_hal.capture_thread.ENDING_S", 0.01)
    lets_go = threading.Event()

    def hanging() -> Generator[int, None, None]:
        lets_go.wait()
        yield 1

    async with CaptureThread("a device", hanging, keeps=1) as thread:
        with pytest.raises(DeviceTimeoutError, match="a device delivers nothing"):
            await thread.next(0.01)
    assert not thread.has_ended
    lets_go.set()
    while not thread.has_ended:  # noqa: ASYNC110 - a thread sets it
        await asyncio.sleep(0)


async def test_the_device_is_closed_in_its_own_thread() -> None:
    closed_in: list[threading.Thread] = []

    def endless() -> Generator[int, None, None]:
        try:
            while True:
                yield 1
        finally:
            closed_in.append(threading.current_thread())

    async with CaptureThread("a device", endless, keeps=1) as thread:
        await thread.next(DEADLINE_S)
    assert [each.name for each in closed_in] == ["a device"]
