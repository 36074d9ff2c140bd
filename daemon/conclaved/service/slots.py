"""What each slot holds, as the API tells it: driver, health, and what the device says of itself. Pure.

The words are those of the API's source. What a device has not said, or cannot say while it is away, is
left out: no value stands for "unknown" that somebody could take for a fact.
"""

from dataclasses import fields

from conclave_hal.camera import CameraState, VideoEncoderState
from conclave_hal.camera_control import CameraControlState, Power
from conclave_hal.codec_control import CodecControlState
from conclave_hal.config import RoomHardware
from conclave_hal.device import AnyDevice, DeviceState
from conclave_hal.display import DisplayState
from conclave_hal.indicator import IndicatorState
from conclave_hal.switches import SwitchState, TamperState
from conclaved.bus.room import SlotStatus

NOT_FITTED = "none"
"""The driver of a slot in which nothing is."""

Detail = str | int | float | bool


def slot_statuses(devices: RoomHardware) -> tuple[SlotStatus, ...]:
    """Every slot, in the order of `hal.toml`'s slots."""
    named = ((field.name, getattr(devices, field.name)) for field in fields(devices) if field.init)
    return tuple(slot_status(slot, device) for slot, device in named)


def slot_status(slot: str, device: AnyDevice) -> SlotStatus:
    """One slot."""
    state = device.state()
    # An empty slot says nothing of itself: a switch that is not there stands nowhere.
    said = {} if device.driver == NOT_FITTED else details(state)
    return SlotStatus(slot, state.health.value, state.reason, device.driver, said)


def details(state: DeviceState) -> dict[str, Detail]:
    """What a device says of itself; empty for one that says nothing but its health."""
    match state:
        case SwitchState():
            return {"position": state.position.value}
        case TamperState():
            since: dict[str, Detail] = {"tripped_at": state.tripped_at} if state.tripped_at else {}
            return {"tamper": state.tamper.value, **since}
        case CameraControlState():
            return _camera_control(state)
        case CameraState():
            delivers = state.format
            form: dict[str, Detail] = {}
            if delivers is not None:
                form = {"width": delivers.width, "height": delivers.height, "fps": delivers.fps}
                form |= {"is_encoded": delivers.is_encoded}
            return {**form, "is_capturing": state.is_capturing}
        case VideoEncoderState():
            return {"encoder": state.name, "is_hardware": state.is_hardware} if state.name else {}
        case IndicatorState(shown=shown) if shown is not None:
            return {
                "ring": shown.ring.value,
                "is_mute_lamp_lit": shown.is_microphone_muted,
                "is_camera_lamp_lit": shown.is_camera_live,
            }
        case DisplayState():
            return _said(model=state.model, power=_power(state.power), input=state.input)
        case CodecControlState():
            return {"is_logged_in": state.is_logged_in, "refused_logins": state.refused_logins}
    return {}


def _camera_control(state: CameraControlState) -> dict[str, Detail]:
    found = _said(model=state.capabilities.model, power=_power(state.power))
    at = state.position
    if at is not None:
        found |= {"pan": at.pan, "tilt": at.tilt, "zoom": at.zoom, "is_moving": state.is_moving}
    if state.capabilities.has_tally:
        found["tally"] = state.tally.value
    return found


def _power(power: Power) -> str:
    return "" if power is Power.UNKNOWN else power.value


def _said(**words: str) -> dict[str, Detail]:
    return {name: word for name, word in words.items() if word}
