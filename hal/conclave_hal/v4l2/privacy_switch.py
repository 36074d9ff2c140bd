"""Driver `v4l2` of the slot privacy_switch: a camera that tells whether its lens is covered.

`V4L2_CID_PRIVACY` is a read-only control of USB cameras with a shutter or a slider (kernel documentation,
"Camera Control Reference"). The kernel tells of a change by an event; where it does not, the control is
read again and again. The node is open all the time and streams nothing.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated

from conclave_hal.device import Health
from conclave_hal.drivers import Driver
from conclave_hal.errors import DeviceError
from conclave_hal.hot_plug import HotPlugDevice
from conclave_hal.options import Option, device_path
from conclave_hal.switches import PrivacySwitch, SwitchPosition, SwitchState
from conclave_hal.v4l2.abi import ControlId
from conclave_hal.v4l2.asking import AskedNode, opened
from conclave_hal.v4l2.node import Node
from conclave_hal.waiting import either

POLL_S = 0.2
"""Between two looks at a control whose changes are not told."""
WATCH_S = 2.0
"""Between two looks at one whose changes are told: not every kernel tells that a camera went."""
MAX_EMPTY_WAKES = 16
"""Wakes without an event after which a node is looked at by the clock instead."""


@dataclass(frozen=True, slots=True)
class PrivacyOptions:
    """Options of the shutter that a camera tells of."""

    device: Annotated[str, Option(device_path(), "the camera's node, best a name in /dev/v4l/by-path")]


class V4l2PrivacySwitch(HotPlugDevice[SwitchState], PrivacySwitch):
    """Reads the shutter off the camera's control. UNKNOWN whenever the camera does not answer."""

    def __init__(
        self,
        options: PrivacyOptions,
        *,
        open_node: Callable[[str], Node] = Node,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        super().__init__(pause=pause)
        self._path = options.device
        self._open_node = open_node

    async def close(self) -> None:
        """Nothing to release: a session does. The shutter cannot be read any more."""
        await self._publish(self._lost("closed"))

    async def _session(self) -> None:
        async with opened(self._path, self._open_node) as node:
            if await node.ask(lambda asked: asked.control(ControlId.PRIVACY)) is None:
                raise DeviceError(
                    f"{self._path} does not tell whether its lens is covered",
                    hint="[privacy_switch] needs another driver, or none",
                )
            tells = await node.ask(lambda asked: asked.subscribe(ControlId.PRIVACY))
            # Read after the subscription: what changes in between is told.
            await self._look(node)
            if tells:
                await self._listen(node)
            while True:
                await self._pause(POLL_S)
                await self._look(node)

    async def _listen(self, node: AskedNode) -> None:
        """Follow the node's events. Returns if it wakes without any; raises HalError when it goes."""
        empty = 0
        with node.urgent() as woken:
            while empty < MAX_EMPTY_WAKES:
                if not await either(woken.wait(), self._pause(WATCH_S)):
                    await self._look(node)
                    continue
                woken.clear()
                empty += 1
                while (event := node.next_event()) is not None:
                    empty = 0
                    control, value = event
                    if control == ControlId.PRIVACY:
                        await self._show(value)

    async def _look(self, node: AskedNode) -> None:
        await self._show(await node.ask(lambda asked: asked.get(ControlId.PRIVACY)))

    async def _show(self, value: int) -> None:
        position = SwitchPosition.BLOCKING if value else SwitchPosition.PASSING
        shown = SwitchState(Health.READY, "", position)
        if self._state != shown:
            await self._publish(shown)


DRIVER = Driver(PrivacyOptions, lambda options, made: V4l2PrivacySwitch(options))
