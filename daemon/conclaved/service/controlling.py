"""A room controller on a wire: what it asks for is done or refused, and what it may know is told.

A controller is outside of the room (DESIGN §4, HAL): whoever reaches its wire speaks with its voice. A join
that it asks for is announced on the panel, can be refused there, and begins muted; it may mute and never
unmute. It is told what anybody at the door could see: whether there is a meeting, how many are in, whether
it is locked, what is muted. It never hears the security code, a name, a title, or who waits in the lobby.
"""

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

from conclave_hal.camera_control import Power
from conclave_hal.codec_control import ControlAnswer, ControlKind, ControlRequest
from conclave_hal.config import RoomHardware
from conclave_hal.errors import HalError
from conclaved.bus.record import DONE, Record, Recorder
from conclaved.bus.room import HardwareStatus, MeetingStatus, RoomError, RoomErrorKind, Topic

log = logging.getLogger(__name__)

ASKED_BY = "the room controller"
REFUSED_JOIN = "the room does not follow this invitation; its record says why"
"""In place of the reason, which names who signed it."""
REQUEST_DEADLINE_S = 25.0
"""A controller is told that nothing came of it before it gives up by itself."""
PRESET = re.compile("[0-9]{1,4}")


@dataclass(frozen=True, slots=True)
class Asked:
    """What a controller may ask of the room; each raises RoomError where it cannot be done."""

    join: Callable[[str], Awaitable[None]]
    """By an invitation's link: announced, refusable, muted."""
    leave: Callable[[], Awaitable[None]]
    mute_microphone: Callable[[], Awaitable[None]]
    mute_camera: Callable[[], Awaitable[None]]


async def serve(devices: RoomHardware, asked: Asked, record: Recorder) -> None:
    """Do what the controller asks for, one after another, until its port is closed; all is recorded."""
    async for request in devices.codec_control.requests():
        reason, said = await _failure(request, devices, asked)
        answer = ControlAnswer(request.request_id, not reason, said)
        record(_record(request, reason))
        try:
            await devices.codec_control.answer(answer)
        except HalError as error:
            log.warning("the room controller could not be answered: %s", error)


async def report(
    devices: RoomHardware,
    changes: AsyncIterator[frozenset[Topic]],
    status: Callable[[], dict[str, str]],
) -> None:
    """Tell the controller whenever what it may know is different."""
    told = status()
    await _tell(devices, told)
    async for _ in changes:
        now = status()
        if now != told:
            told = now
            await _tell(devices, told)


def room_status(meeting: MeetingStatus, hardware: HardwareStatus) -> dict[str, str]:
    """What a controller may know, by path."""
    is_in = meeting.state == "in_meeting"
    others = sum(person.assurance != "verified" for person in meeting.participants)
    health = {slot.slot: slot.health for slot in hardware.devices}
    status = {
        "meeting/state": meeting.state,
        "meeting/lock": meeting.lock,
        "meeting/people": str(len(meeting.participants) if is_in else 0),
        "meeting/not-verified": str(others if is_in else 0),
        "meeting/joining-in": str(meeting.joining_in_s),
        "microphone/muted": _yes(hardware.microphone_muted),
        "microphone/switch": hardware.mute_switch,
        "camera/muted": _yes(hardware.camera_muted),
        "camera/shutter": hardware.shutter,
    }
    return status | {f"device/{slot}/health": each for slot, each in health.items()}


async def _tell(devices: RoomHardware, status: dict[str, str]) -> None:
    try:
        await devices.codec_control.tell(status)
    except HalError as error:
        log.warning("the room controller could not be told: %s", error)


async def _failure(request: ControlRequest, devices: RoomHardware, asked: Asked) -> tuple[str, str]:
    """Why it was not done, for the record and for the controller; both are empty where it was."""
    try:
        async with asyncio.timeout(REQUEST_DEADLINE_S):
            await _do(request, devices, asked)
    except TimeoutError:
        reason = "it took too long"
    except (RoomError, HalError) as error:
        reason = str(error) or "it was not done"
        if isinstance(error, RoomError) and error.kind is RoomErrorKind.REFUSED:
            return reason, REFUSED_JOIN
    else:
        reason = ""
    return reason, reason


async def _do(request: ControlRequest, devices: RoomHardware, asked: Asked) -> None:
    match request.kind:
        case ControlKind.JOIN:
            await asked.join(request.argument)
        case ControlKind.LEAVE:
            await asked.leave()
        case ControlKind.MUTE_MICROPHONE:
            await asked.mute_microphone()
        case ControlKind.MUTE_CAMERA:
            await asked.mute_camera()
        case ControlKind.CAMERA_HOME:
            await devices.camera_control.home()
        case ControlKind.CAMERA_PRESET if PRESET.fullmatch(request.argument):
            await devices.camera_control.recall_preset(int(request.argument))
        case ControlKind.DISPLAY_POWER if request.argument == Power.ON.value:
            await devices.display.show_us()
        case ControlKind.DISPLAY_POWER if request.argument == Power.STANDBY.value:
            await devices.display.set_power(Power.STANDBY)
        case _:
            # A driver checks what comes over its wire; another's driver may not.
            raise RoomError(RoomErrorKind.INVALID_ARGUMENT, f"no such argument of {request.kind.value}")


def _record(request: ControlRequest, reason: str) -> Record:
    """What was asked, without the link of a meeting."""
    argument = "" if request.kind is ControlKind.JOIN else request.argument
    return Record(
        uid=None,
        origin="the control port",
        verb=f"Control.{request.kind.value}",
        arguments=(("argument", argument),) if argument else (),
        outcome=RoomErrorKind.FAILED.value if reason else DONE,
        reason=reason,
        changed=None,
        who=ASKED_BY,
    )


def _yes(value: bool) -> str:
    return "true" if value else "false"
