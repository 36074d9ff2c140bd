"""Hardware that comes and goes."""

import asyncio

from conclave_hal.device import DeviceState, Health
from conclave_hal.errors import DeviceGoneError
from conclave_hal.hot_plug import LONGEST_PAUSE_S, HotPlugDevice


class Lamp(HotPlugDevice[DeviceState]):
    """Works in every session until it is unplugged."""

    def __init__(self, sessions: int) -> None:
        self.pauses: list[float] = []
        self.unplugged = asyncio.Event()
        self.absent_sessions = sessions
        self.released = 0
        super().__init__(pause=self._note_pause)

    def _unknown(self) -> DeviceState:
        return DeviceState()

    async def _note_pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        await asyncio.sleep(0)

    async def _session(self) -> None:
        try:
            if self.absent_sessions:
                self.absent_sessions -= 1
                raise DeviceGoneError("not there")
            await self._publish(DeviceState(Health.READY))
            await self.unplugged.wait()
            self.unplugged.clear()
            raise OSError(5, "Input/output error")
        finally:
            self.released += 1

    async def close(self) -> None:
        """Nothing is kept between sessions."""


async def until(lamp: Lamp, health: Health) -> DeviceState:
    async for state in lamp.watch():
        if state.health is health:
            return state
    raise AssertionError


async def test_it_is_found_when_it_comes_and_again_when_it_comes_back() -> None:
    lamp = Lamp(sessions=3)
    await lamp.open()
    running = asyncio.create_task(lamp.supervise())
    assert (await until(lamp, Health.FAILED)).reason == "not there"
    await until(lamp, Health.READY)
    lamp.unplugged.set()
    assert (await until(lamp, Health.FAILED)).reason == "Input/output error"
    await until(lamp, Health.READY)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert lamp.released == 5


async def test_the_pause_grows_to_a_second_and_no_further() -> None:
    lamp = Lamp(sessions=8)
    running = asyncio.create_task(lamp.supervise())
    await until(lamp, Health.READY)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert lamp.pauses == sorted(lamp.pauses)
    assert max(lamp.pauses) == LONGEST_PAUSE_S
