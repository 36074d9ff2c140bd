"""What a camera is and can do, found by asking it.

A camera refuses what it does not know, or says nothing; the link tells that from a dead wire. What is not
answered here is not asked again while the camera is polled: a question that nobody answers clears the link.
"""

from dataclasses import dataclass, field
from typing import TypeVar

from conclave_hal.camera_control import CameraCapabilities, Limits, Position, Power, Tally
from conclave_hal.errors import DeviceError, DeviceTimeoutError
from conclave_hal.visca import commands, inquiries
from conclave_hal.visca.client import ViscaClient
from conclave_hal.visca.commands import Command
from conclave_hal.visca.inquiries import Inquiry, MaxSpeeds

T = TypeVar("T")

VENDORS = {0x0001: "Sony", 0x0020: "Sony"}
FASTEST = MaxSpeeds(commands.MAX_PAN_SPEED, commands.MAX_TILT_SPEED)


@dataclass(frozen=True, slots=True)
class Ranges:
    """What no inquiry tells: it stands in the camera's manual."""

    pan: Limits
    tilt: Limits
    zoom: Limits
    presets: int


@dataclass(frozen=True, slots=True)
class Survey:
    """What was found."""

    capabilities: CameraCapabilities = field(default_factory=CameraCapabilities)
    speeds: MaxSpeeds = FASTEST
    pan_nibbles: int = 4
    tells_power: bool = False
    tells_pan_tilt: bool = False
    tells_zoom: bool = False


@dataclass(frozen=True, slots=True)
class Looks:
    """What a camera says of itself at one time."""

    power: Power
    position: Position | None
    tally: Tally


async def if_told(client: ViscaClient, inquiry: Inquiry[T]) -> T | None:
    """The answer, or None from a camera that does not answer this. Raises what ended the link."""
    try:
        return await client.ask(inquiry)
    except (DeviceError, DeviceTimeoutError):
        client.check()
        return None


async def if_possible(client: ViscaClient, command: Command) -> None:
    """Have it done, if the camera can. Raises what ended the link."""
    try:
        await client.execute(command)
    except (DeviceError, DeviceTimeoutError):
        client.check()


async def survey(client: ViscaClient, ranges: Ranges) -> Survey:
    """Ask everything once. Raises what ended the link, DeviceTimeoutError if nothing at all is answered."""
    version = await if_told(client, inquiries.VERSION)
    power = await if_told(client, inquiries.POWER)
    pan_tilt = await if_told(client, inquiries.PAN_TILT)
    zoom = await if_told(client, inquiries.ZOOM)
    if version is None and power is None and pan_tilt is None and zoom is None:
        raise DeviceTimeoutError("the camera answers no question", hint="is it a VISCA camera?")
    is_awake = power is not Power.STANDBY
    speeds = await if_told(client, inquiries.MAX_SPEEDS) if is_awake else None
    model = ""
    if version is not None:
        vendor = VENDORS.get(version.vendor, f"vendor {version.vendor:04x}")
        model = f"{vendor}, model {version.model:04x}"
    capabilities = CameraCapabilities(
        model=model,
        pan=None if pan_tilt is None else ranges.pan,
        tilt=None if pan_tilt is None else ranges.tilt,
        zoom=None if zoom is None else ranges.zoom,
        presets=ranges.presets,
        has_focus=is_awake and await if_told(client, inquiries.FOCUS_MODE) is not None,
        has_exposure=is_awake and await if_told(client, inquiries.EXPOSURE_MODE) is not None,
        has_white_balance=is_awake and await _has_white_balance(client),
        has_tally=is_awake and await if_told(client, inquiries.TALLY) is not None,
        has_power=power is not None,
    )
    return Survey(
        capabilities,
        _within(speeds or FASTEST),
        4 if pan_tilt is None else pan_tilt.pan_nibbles,
        power is not None,
        pan_tilt is not None,
        zoom is not None,
    )


async def look(client: ViscaClient, known: Survey) -> Looks:
    """Ask what can change. Raises what ended the link."""
    power = await if_told(client, inquiries.POWER) if known.tells_power else None
    power = power or Power.UNKNOWN
    if power is Power.STANDBY:
        return Looks(power, None, Tally.OFF)
    pan_tilt = await if_told(client, inquiries.PAN_TILT) if known.tells_pan_tilt else None
    zoom = await if_told(client, inquiries.ZOOM) if known.tells_zoom else None
    tally = await if_told(client, inquiries.TALLY) if known.capabilities.has_tally else None
    position = None
    is_whole = (pan_tilt is not None) == known.tells_pan_tilt and (zoom is not None) == known.tells_zoom
    if is_whole and (pan_tilt is not None or zoom is not None):
        position = Position(
            0 if pan_tilt is None else pan_tilt.pan, 0 if pan_tilt is None else pan_tilt.tilt, zoom or 0
        )
    return Looks(power, position, tally or Tally.OFF)


async def _has_white_balance(client: ViscaClient) -> bool:
    try:
        await client.ask(inquiries.WHITE_BALANCE)
    except (DeviceError, DeviceTimeoutError):
        client.check()
        return False
    return True


def _within(speeds: MaxSpeeds) -> MaxSpeeds:
    return MaxSpeeds(min(speeds.pan, FASTEST.pan), min(speeds.tilt, FASTEST.tilt))
