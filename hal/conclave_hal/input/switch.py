"""A hardware switch that is an input device: what the drivers of shutter and mute switch have in common.

The state is asked for after the device was opened, when every later change waits to be read: a switch that
was closed before the daemon started is known as closed, and no change falls between.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated

from conclave_hal.device import Health
from conclave_hal.errors import DeviceError
from conclave_hal.hot_plug import HotPlugDevice
from conclave_hal.input.events import EV_SW, EV_SYN, SYN_DROPPED, InputEvent
from conclave_hal.input.node import InputNode, OpensNode
from conclave_hal.options import Option, device_path, flag
from conclave_hal.switches import HardwareSwitch, SwitchPosition, SwitchState


@dataclass(frozen=True, slots=True)
class InputSwitchOptions:
    """Options of a switch that is an input device."""

    device: Annotated[str, Option(device_path(), "the input device, best a name in /dev/input/by-path")]
    inverted: Annotated[bool, Option(flag(), "the switch says 1 where others say 0")] = False


class InputSwitch(HotPlugDevice[SwitchState], HardwareSwitch):
    """A switch with one bit; the subclass says which."""

    code: int
    """SW_..."""
    meaning: str
    """What the switch is, in words."""

    def __init__(
        self,
        options: InputSwitchOptions,
        *,
        open_node: OpensNode = InputNode,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        super().__init__(pause=pause)
        self._options = options
        self._open_node = open_node

    async def close(self) -> None:
        """Nothing is kept between sessions; the switch cannot be read any more."""
        await self._publish(self._lost("closed"))

    async def _session(self) -> None:
        node = self._open_node(self._options.device)
        try:
            if not node.has(EV_SW, self.code):
                raise DeviceError(
                    f"{self._options.device} is no {self.meaning}",
                    hint="the kernel's list is in /proc/bus/input/devices",
                )
            await self._show(is_set=node.switch(self.code))
            while True:
                for event in await node.read():
                    await self._take(node, event)
        finally:
            node.close()

    async def _take(self, node: InputNode, event: InputEvent) -> None:
        if (event.type, event.code) == (EV_SW, self.code):
            await self._show(is_set=bool(event.value))
        elif (event.type, event.code) == (EV_SYN, SYN_DROPPED):
            await self._show(is_set=node.switch(self.code))

    async def _show(self, *, is_set: bool) -> None:
        is_blocking = is_set is not self._options.inverted
        position = SwitchPosition.BLOCKING if is_blocking else SwitchPosition.PASSING
        shown = SwitchState(Health.READY, "", position)
        if shown != self._state:
            await self._publish(shown)
