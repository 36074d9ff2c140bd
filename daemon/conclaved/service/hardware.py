"""The room's hardware as one: run it, mute it, be the panel's one writer, and say how all of it is.

Hardware and software mute are two things; what leaves is decided by either. The software ones are in `mutes`;
where shutter and switch stand is asked of them each time.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from dataclasses import fields, replace

from conclave_hal.config import RoomHardware
from conclave_hal.device import AnyDevice
from conclave_hal.errors import HalError
from conclave_hal.none import NoPanel
from conclave_hal.panel import PanelAction, PanelView
from conclave_hal.switches import SwitchPosition
from conclaved.meeting import CameraState, MediaState, MicrophoneState
from conclaved.service.mutes import Mutes, Switch
from conclaved.service.panel_watch import PanelWatch
from conclaved.service.rounds import Rounds

log = logging.getLogger(__name__)

DRAW_DEADLINE_S = 5.0
"""For a panel to take a view. One that does not is given the newest again."""
DRAW_AGAIN_S = 1.0


class Hardware:
    """Owns the devices and the software mutes."""

    def __init__(self, devices: RoomHardware, changed: Callable[[], None], drawn: Callable[[], None]) -> None:
        """`changed` is called when a device or a mute is different, `drawn` at each view on the panel."""
        self.devices = devices
        self._changed = changed
        self._drawn = drawn
        self.mutes = Mutes()
        self.panel_watch = PanelWatch()
        self._panel_news = asyncio.Event()
        self.drawing = Rounds()
        """Turns of the loop that keeps the panel at the newest view."""
        self._stood = {Switch.SHUTTER: self.shutter, Switch.MUTE_SWITCH: self.mute_switch}

    def states(self) -> tuple[tuple[str, str, str], ...]:
        """(slot, health, reason) of every device."""
        named = [
            (field.name, getattr(self.devices, field.name).state())
            for field in fields(self.devices)
            if field.init
        ]
        return tuple((name, state.health.value, state.reason) for name, state in named)

    @property
    def camera_muted(self) -> bool:
        """Whether software mutes the camera."""
        return self.mutes.camera.is_muted

    @property
    def microphone_muted(self) -> bool:
        """Whether software mutes the microphone."""
        return self.mutes.microphone.is_muted

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

    def note_switches(self) -> None:
        """Look where shutter and switch stand now; to be called before anything is decided by that.

        One that blocked and cannot be read any more leaves a software mute behind: who pulls a cable, or a
        driver that fails, has unmuted nothing. A first reading is no change.
        """
        devices = self.devices
        switches = ((Switch.SHUTTER, devices.privacy_switch), (Switch.MUTE_SWITCH, devices.mute_switch))
        for which, device in switches:
            stood, stands = self._stood[which], device.state().position
            self._stood[which] = stands
            if stood is stands or stood is SwitchPosition.UNKNOWN:
                continue
            # Moved and lost in one moment: then only the device knows that it blocked.
            was_blocking = SwitchPosition.BLOCKING in (stood, device.last_read)
            if was_blocking and stands is SwitchPosition.UNKNOWN:
                self.mutes.lost(which)
            else:
                self.mutes.switched(which)

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
            tasks.create_task(self._watch_panel())
            for device in self.devices.devices:
                tasks.create_task(self._watch(device))

    async def _draw(self, view: Callable[[int], PanelView], wake: asyncio.Event) -> None:
        serial = 0
        shown: PanelView | None = None
        failure = ""
        while True:
            wake.clear()
            next_view = view(serial + 1)
            if failure or shown is None or replace(next_view, serial=serial) != shown:
                serial += 1
                shown = next_view
                self.panel_watch.wants(next_view)
                self._panel_news.set()
                before, failure = failure, await self._drawing_failed(next_view)
                if failure not in ("", before):
                    log.warning("the panel cannot be drawn: %s", failure)
                self._panel_news.set()
                self._drawn()
                # The watch sees this one before the next: many views in a row are no panel that is late.
                await asyncio.sleep(0)
            self.drawing.turn()
            # An older view may stand there, with a lock, and nothing else may change for hours.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(DRAW_AGAIN_S if failure else None):
                    await wake.wait()

    async def _drawing_failed(self, view: PanelView) -> str:
        """Why the panel has not taken the view; empty where it has."""
        try:
            async with asyncio.timeout(DRAW_DEADLINE_S):
                await self.devices.panel.show(view)
        except (HalError, TimeoutError) as error:
            return str(error) or "it does not answer"
        except Exception as error:  # the task's root: a driver's bug costs the panel, not the room
            log.exception("the panel failed")
            return f"a fault in its driver: {type(error).__name__}"
        return ""

    async def _listen(self, act: Callable[[PanelAction], None]) -> None:
        async for action in self.devices.panel.actions():
            act(action)

    async def _watch(self, device: AnyDevice) -> None:
        async for _ in device.watch():
            self._panel_news.set()
            self._changed()

    async def _watch_panel(self) -> None:
        panel, watch, loop = self.devices.panel, self.panel_watch, asyncio.get_running_loop()
        while not isinstance(panel, NoPanel):
            self._panel_news.clear()
            before = watch.problem
            again_at = watch.look(panel.drawn(), panel.state(), loop.time())
            if watch.problem != before:
                if watch.problem:
                    log.error("people in the room cannot read the panel: %s", watch.problem)
                self._changed()
            try:
                async with asyncio.timeout_at(again_at):
                    await self._panel_news.wait()
            except TimeoutError:
                pass
