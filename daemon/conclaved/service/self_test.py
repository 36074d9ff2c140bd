"""`hardware test`: each slot tries itself, so that an admin far away knows what somebody there would see.

Nothing here looks or listens: cameras and microphones are asked how they are, and capture nothing. What
people would see or hear (a camera that turns, lamps, a chime) is not tried in a meeting, and ends when one
begins: so does every test that nobody asked for in a meeting. The panel's test is
a line among its notices, drawn by the room's one writer: whatever it says of the lock stays true meanwhile.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

from conclave_hal.camera_control import Limits, Position, Power
from conclave_hal.config import RoomHardware
from conclave_hal.device import AnyDevice, Health
from conclave_hal.drivers import Slot
from conclave_hal.errors import HalError
from conclave_hal.indicator import Light, Shown
from conclave_hal.panel import PanelView
from conclave_hal.switches import SwitchPosition, TamperStatus
from conclaved.bus.room import CheckStatus, RoomError, RoomErrorKind
from conclaved.service.chime import chime
from conclaved.service.slots import NOT_FITTED, details

DEADLINE_S = 40.0
"""For one slot; the longest is a camera that turns and turns back."""
SHOWN_FOR_S = 1.5
LOOK_EVERY_S = 0.05
PANEL_NOTICE = "this is a test of the panel, asked for by an admin"
SEEN_OR_HEARD = frozenset({Slot.CAMERA_CONTROL, Slot.SPEAKER, Slot.INDICATOR})
"""What people in a meeting would be disturbed by, or deceived."""


class _FailedError(Exception):
    """A test found something wrong; the message says what."""


class _SkippedError(Exception):
    """A test cannot say anything; the message says why."""


class SelfTest:
    """Owned by the event loop of the room. One test at a time."""

    def __init__(
        self,
        devices: RoomHardware,
        is_in_meeting: Callable[[], bool],
        changed: Callable[[], None],
        *,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """`changed` is called when `notice` or what `lamps` returns is another; `pause` waits seconds."""
        self._devices = devices
        self._is_in_meeting = is_in_meeting
        self._changed = changed
        self._pause = pause
        self._is_running = False
        self._trying: asyncio.Future[str] | None = None
        """What a meeting ends, if one begins."""
        self._light: Light | None = None
        self.notice = ""
        """What the panel is to say among its notices; empty for nothing."""
        self._tests: dict[Slot, Callable[[], Awaitable[str]]] = {
            Slot.PRIVACY_SWITCH: lambda: self._switch(devices.privacy_switch.state().position),
            Slot.MUTE_SWITCH: lambda: self._switch(devices.mute_switch.state().position),
            Slot.TAMPER: self._tamper,
            Slot.CAMERA_CONTROL: self._camera_control,
            Slot.SPEAKER: self._speaker,
            Slot.INDICATOR: self._indicator,
            Slot.DISPLAY: self._display,
            Slot.PANEL: self._panel,
        }

    def lamps(self, wanted: Shown) -> Shown:
        """What the lamps show: the test's light in place of none, and never of one that means something."""
        if self._light is None or wanted.ring is not Light.OFF:
            return wanted
        return replace(wanted, ring=self._light)

    async def run(self, slot: str, *, in_meeting: bool = False) -> tuple[CheckStatus, ...]:
        """Test one slot. In a meeting only on demand, and only what nobody there sees or hears.

        Raises RoomError: INVALID_ARGUMENT for no such slot, BUSY in a meeting or while another test runs.
        """
        if slot not in {each.value for each in Slot}:
            known = ", ".join(each.value for each in Slot)
            raise RoomError(
                RoomErrorKind.INVALID_ARGUMENT, f"there is no slot {slot!r}", hint=f"one of: {known}"
            )
        if self._is_in_meeting() and not in_meeting:
            raise RoomError(
                RoomErrorKind.BUSY,
                "the room is in a meeting",
                hint="wait for its end, or test what nobody there notices: --in-meeting",
            )
        if self._is_running:
            raise RoomError(RoomErrorKind.BUSY, "another test runs", hint="wait for its end")
        self._is_running = True
        try:
            goes_on = in_meeting and Slot(slot) not in SEEN_OR_HEARD
            return (await self._outcome(Slot(slot), goes_on=goes_on),)
        finally:
            self._is_running = False

    def meeting_began(self) -> None:
        """The room is in a meeting, or counts down to one: what was begun before ends."""
        if self._trying is not None:
            self._trying.cancel()

    async def _outcome(self, slot: Slot, *, goes_on: bool) -> CheckStatus:
        device: AnyDevice = getattr(self._devices, slot.value)
        trying = asyncio.ensure_future(self._try(slot, device))
        self._trying = None if goes_on else trying
        try:
            async with asyncio.timeout(DEADLINE_S):
                return CheckStatus(slot.value, "ok", await trying)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            return CheckStatus(slot.value, "skipped", "a meeting began", "try again after it")
        except _SkippedError as why:
            return CheckStatus(slot.value, "skipped", str(why))
        except _FailedError as found:
            return CheckStatus(slot.value, "failed", str(found), "conclavectl hardware watch")
        except HalError as error:
            hint = f"; {error.hint}" if error.hint else ""
            return CheckStatus(slot.value, "failed", f"{error}{hint}", "conclavectl logs")
        except TimeoutError:
            return CheckStatus(slot.value, "failed", f"no answer within {DEADLINE_S:g} s", "conclavectl logs")
        finally:
            self._trying = None

    async def _try(self, slot: Slot, device: AnyDevice) -> str:
        if device.driver == NOT_FITTED:
            raise _SkippedError("not fitted")
        state = device.state()
        if state.health is Health.FAILED:
            raise _FailedError(state.reason or "it does not work")
        if slot in SEEN_OR_HEARD and self._is_in_meeting():
            raise _SkippedError("not in a meeting: people would see or hear it")
        test = self._tests.get(slot)
        if test is not None:
            return await test()
        # A boolean that is false says nothing here: `is_capturing` least of all.
        said = [
            f"{name.replace('_', ' ')} {value}"
            for name, value in details(state).items()
            if not isinstance(value, bool)
        ]
        return ", ".join(filter(None, [state.health.value, state.reason, *said]))

    async def _switch(self, position: SwitchPosition) -> str:
        if position is SwitchPosition.UNKNOWN:
            raise _FailedError("it cannot be read")
        return f"it is {position.value}; move it and look: conclavectl hardware watch"

    async def _tamper(self) -> str:
        tamper = self._devices.tamper.state().tamper
        if tamper is TamperStatus.UNKNOWN:
            raise _FailedError("it cannot be read")
        return f"the case is {tamper.value}"

    async def _camera_control(self) -> str:
        device = self._devices.camera_control
        state = device.state()
        start, can = state.position, state.capabilities
        if state.power is Power.STANDBY:
            raise _SkippedError("in standby")
        axes = (("pan", can.pan), ("tilt", can.tilt), ("zoom", can.zoom))
        axis, limits = next(((name, found) for name, found in axes if found is not None), ("", None))
        if start is None or limits is None:
            raise _SkippedError("it does not say where it looks")
        there = _a_little_further(start, axis, limits)
        try:
            await device.move_to(there)
            arrived = device.state().position
        finally:
            await device.move_to(start)
        if arrived == start:
            raise _FailedError(f"it was told to turn, and still says {axis} {getattr(start, axis)}")
        return f"it turned from {axis} {getattr(start, axis)} to {getattr(there, axis)} and back"

    async def _speaker(self) -> str:
        await self._devices.speaker.announce(chime())
        return "it chimed; ask somebody there whether they heard it"

    async def _indicator(self) -> str:
        device = self._devices.indicator
        try:
            self._light = Light.JOINING
            self._changed()
            await self._until(lambda: (shown := device.state().shown) is None or shown.ring is not Light.OFF)
            await self._pause(SHOWN_FOR_S)
        finally:
            self._light = None
            self._changed()
        if device.state().shown is None:
            raise _FailedError("it does not say what it shows")
        return "the ring pulsed green and is as it was"

    async def _display(self) -> str:
        device = self._devices.display
        await device.refresh()
        state = device.state()
        if state.power is Power.UNKNOWN:
            raise _FailedError("it does not say whether it is on")
        return ", ".join(filter(None, [state.model, state.power.value, state.input]))

    async def _panel(self) -> str:
        panel = self._devices.panel
        try:
            self.notice = PANEL_NOTICE
            self._changed()
            await self._until(lambda: _says(panel.drawn(), PANEL_NOTICE))
            await self._pause(SHOWN_FOR_S)
        finally:
            self.notice = ""
            self._changed()
        await self._until(lambda: not _says(panel.drawn(), PANEL_NOTICE))
        return "it drew a notice and took it away again"

    async def _until(self, holds: Callable[[], bool]) -> None:
        while not holds():
            await self._pause(LOOK_EVERY_S)


def _a_little_further(start: Position, axis: str, limits: Limits) -> Position:
    step = max(1, (limits.most - limits.least) // 50)
    at = getattr(start, axis)
    return replace(start, **{axis: at + step if at + step <= limits.most else at - step})


def _says(view: PanelView | None, notice: str) -> bool:
    return view is not None and notice in view.notices
