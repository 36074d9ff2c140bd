"""A device's own thread."""

import asyncio
import threading

import pytest

from conclave_hal.errors import DeviceGoneError
from conclave_hal.worker import Worker


async def test_calls_run_one_after_the_other_in_one_thread_that_is_not_this_one() -> None:
    worker = Worker("a device")
    seen: list[int] = []

    def note(number: int) -> threading.Thread:
        seen.append(number)
        return threading.current_thread()

    threads = await asyncio.gather(*(worker.call(note, number) for number in range(5)))
    assert seen == list(range(5))
    assert len(set(threads)) == 1
    assert threads[0] is not threading.current_thread()
    assert threads[0].daemon, "one that hangs keeps the program from nothing"
    await worker.close()
    threads[0].join(10)
    assert not threads[0].is_alive()


async def test_what_a_call_raises_reaches_who_called() -> None:
    worker = Worker("a device")
    with pytest.raises(ZeroDivisionError):
        await worker.call(lambda: 1 // 0)
    assert await worker.call(lambda: 7) == 7
    await worker.close()


async def test_a_call_that_was_cancelled_before_its_turn_is_never_made() -> None:
    worker = Worker("a device")
    lets_go = threading.Event()
    made: list[int] = []
    first = asyncio.ensure_future(worker.call(lets_go.wait))
    second = asyncio.ensure_future(worker.call(made.append, 1))
    await asyncio.sleep(0)
    second.cancel()
    with pytest.raises(asyncio.CancelledError):
        await second
    lets_go.set()
    await first
    await worker.close()
    assert made == []


async def test_a_closed_worker_takes_no_call() -> None:
    worker = Worker("a device")
    await worker.close()
    await worker.close()
    with pytest.raises(DeviceGoneError, match="a device is closed"):
        await worker.call(lambda: None)


async def test_an_abandoned_worker_ends_when_its_call_does() -> None:
    worker = Worker("a device")
    lets_go = threading.Event()
    found: list[threading.Thread] = []

    def hang() -> None:
        found.append(threading.current_thread())
        lets_go.wait()

    hanging = asyncio.ensure_future(worker.call(hang))
    while not found:  # noqa: ASYNC110 - a thread fills it
        await asyncio.sleep(0)
    worker.abandon()
    with pytest.raises(DeviceGoneError):
        await worker.call(lambda: None)
    lets_go.set()
    await hanging
    found[0].join(10)
    assert not found[0].is_alive()


async def test_closing_waits_for_a_call_that_hangs_only_so_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("conclave_hal.worker.CLOSING_DEADLINE_S", 0.01)
    worker = Worker("a device")
    lets_go = threading.Event()
    hanging = asyncio.ensure_future(worker.call(lets_go.wait))
    await asyncio.sleep(0)
    await worker.close()
    lets_go.set()
    await hanging
