"""When the watchdog is fed, and when it is not."""

import asyncio
from collections.abc import Callable

import pytest

from conclaved.service.liveness import Liveness

ALLOWED_S = 0.02
DEADLINE_S = 20.0


async def answers() -> None:
    """A part that lives."""


async def hangs() -> None:
    await asyncio.Event().wait()


def of(feed: Callable[[], None] = lambda: None, **questions: Callable[[], object]) -> Liveness:
    return Liveness(questions, feed, ALLOWED_S)  # type: ignore[arg-type]


async def test_the_watchdog_is_fed_again_and_again_while_all_parts_answer() -> None:
    fed = 0
    enough = asyncio.Event()

    def feed() -> None:
        nonlocal fed
        fed += 1
        if fed == 3:
            enough.set()

    running = asyncio.create_task(of(feed, room=answers, bus=answers).run())
    async with asyncio.timeout(DEADLINE_S):
        await enough.wait()
    running.cancel()
    await asyncio.wait({running})


async def test_one_part_that_hangs_is_named_and_the_watchdog_starves(
    caplog: pytest.LogCaptureFixture,
) -> None:
    fed, rests = [], 0

    async def pause(seconds: float) -> None:
        nonlocal rests
        rests += 1
        if rests == 2:
            raise asyncio.CancelledError

    liveness = Liveness(
        {"the room": answers, "the bus": hangs}, lambda: fed.append(1), ALLOWED_S, pause=pause
    )
    with pytest.raises(asyncio.CancelledError):
        await liveness.run()
    assert fed == []
    assert "no sign of life from: the bus" in caplog.text


async def test_a_part_that_hangs_is_asked_once_however_long_it_hangs() -> None:
    asked = 0

    async def count() -> None:
        nonlocal asked
        asked += 1
        await asyncio.Event().wait()

    liveness = of(part=count)
    for _ in range(3):
        assert await liveness.ask() == ("part",)
    assert asked == 1


async def test_a_part_that_answers_late_is_alive_again() -> None:
    may_go_on = asyncio.Event()

    async def slow() -> None:
        await may_go_on.wait()

    liveness = of(part=slow)
    assert await liveness.ask() == ("part",)
    may_go_on.set()
    assert await liveness.ask() == ()


async def test_a_part_that_fails_has_not_answered(caplog: pytest.LogCaptureFixture) -> None:
    async def fails() -> None:
        raise OSError(5, "Input/output error")

    assert await of(part=fails).ask() == ("part",)
    assert "Input/output error" in caplog.text
