"""Simulated lamps: they are lit in the state only, where the page around the panel and tests see them."""

from conclave_hal.device import Health
from conclave_hal.drivers import Driver
from conclave_hal.errors import UsageError
from conclave_hal.indicator import Indicator, IndicatorState, Shown
from conclave_hal.options import NoOptions


class SimulatedIndicator(Indicator):
    """A ring, the lamp of the microphone, and the lamp of the camera. All dark until the first `show`."""

    def __init__(self) -> None:
        super().__init__()
        self._is_open = False

    async def open(self) -> None:
        """All lamps are dark."""
        self._is_open = True
        await self._publish(IndicatorState(Health.READY, "", Shown()))

    async def close(self) -> None:
        """The lamps go out."""
        self._is_open = False
        await self._publish(IndicatorState(Health.FAILED, "closed"))

    async def show(self, shown: Shown) -> None:
        """Light exactly these. Raises UsageError before `open` and after `close`."""
        if not self._is_open:
            raise UsageError("the lamps are not open")
        await self._publish(IndicatorState(Health.READY, "", shown))


DRIVER = Driver(NoOptions, lambda options, made: SimulatedIndicator())
