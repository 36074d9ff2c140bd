"""The room's hardware as one: open, run, mute, and the panel's one writer.

Hardware and software mute are two things; what leaves is decided by either. Nothing from outside
the room unmutes: only a press on the panel does.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import fields, replace

from conclave_hal.config import RoomHardware
from conclave_hal.device import AnyDevice
from conclave_hal.errors import HalError
from conclave_hal.panel import PanelAction, PanelView
from conclave_hal.switches import SwitchPosition
from conclaved.meeting import CameraState, MediaState, MicrophoneState

log = logging.getLogger(__name__)


class Hardware:
    """Owns the devices and the software mutes."""

    def __init__(self, devices: RoomHardware, changed: Callable[[], None], drawn: Callable[[], None]) -> None:
        """`changed` is called when a device or a mute is different, `drawn` at each view on the panel."""
        self.devices = devices
        self._changed = changed
        self._drawn = drawn
        self.camera_muted = False
        self.microphone_muted = False

    def states(self) -> tuple[tuple[str, str, str], ...]:
        """(slot, health, reason) of every device."""
        named = [
            (field.name, getattr(self.devices, field.name).state())
            for field in fields(self.devices)
            if field.init
        ]
        return tuple((name, state.health.value, state.reason) for name, state in named)

    @property
    def shutter(self) -> SwitchPosition:
        """Where the shutter before the lens stands."""
        return self.devices.privacy_switch.state().position

    @property
    def mute_switch(self) -> SwitchPosition:
        """Where the switch in the microphone's line stands."""
        return self.devices.mute_switch.state().position

    @property
    def is_camera_off(self) -> bool:
        """Whether the camera must capture nothing: software or shutter."""
        return self.camera_muted or self.shutter is SwitchPosition.BLOCKING

    @property
    def is_microphone_off(self) -> bool:
        """Whether the microphone must capture nothing: software or switch."""
        return self.microphone_muted or self.mute_switch is SwitchPosition.BLOCKING

    def media_state(self) -> MediaState:
        """What the others in a meeting are told. What cannot be read for sure is not called muted."""
        camera = CameraState.MUTED if self.camera_muted else CameraState.LIVE
        if self.shutter is SwitchPosition.BLOCKING:
            camera = CameraState.CLOSED
        return MediaState(
            MicrophoneState.MUTED if self.is_microphone_off else MicrophoneState.LIVE,
            camera,
        )

    async def run(
        self, view: Callable[[int], PanelView], wake: asyncio.Event, act: Callable[[PanelAction], None]
    ) -> None:
        """Run the devices, keep the panel at the newest view, and hand on what people press.

        `view` makes the view with a given serial; `wake` is set when there may be a new one.
        """
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.devices.run())
            tasks.create_task(self._draw(view, wake))
            tasks.create_task(self._listen(act))
            for device in self.devices.devices:
                tasks.create_task(self._watch(device))

    async def _draw(self, view: Callable[[int], PanelView], wake: asyncio.Event) -> None:
        serial = 0
        shown: PanelView | None = None
        while True:
            wake.clear()
            next_view = view(serial + 1)
            if shown is None or replace(next_view, serial=serial) != shown:
                serial += 1
                shown = next_view
                try:
                    await self.devices.panel.show(next_view)
                except HalError as error:
                    log.warning("the panel cannot be drawn: %s", error)
                self._drawn()
            await wake.wait()

    async def _listen(self, act: Callable[[PanelAction], None]) -> None:
        async for action in self.devices.panel.actions():
            act(action)

    async def _watch(self, device: AnyDevice) -> None:
        async for _ in device.watch():
            self._changed()
