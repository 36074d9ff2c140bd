"""The lifecycle that all devices share."""

from conclave_hal.device import Device, DeviceState, Health
from conclave_hal.errors import DeviceGoneError


class Fragile(Device[DeviceState]):
    def _unknown(self) -> DeviceState:
        return DeviceState()

    async def open(self) -> None:
        await self._publish(DeviceState(Health.READY))

    async def run(self) -> None:
        raise DeviceGoneError("unplugged")

    async def close(self) -> None:
        pass


async def test_a_device_that_fails_turns_failed_and_raises_nothing() -> None:
    device = Fragile()
    await device.open()
    await device.supervise()
    assert device.state() == DeviceState(Health.FAILED, "unplugged")


async def test_watch_yields_the_present_state_first_and_then_the_newest() -> None:
    device = Fragile()
    seen = device.watch()
    assert await anext(seen) == DeviceState()
    await device.open()
    await device.supervise()
    assert (await anext(seen)).health is Health.FAILED
