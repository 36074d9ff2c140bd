"""From `hal.toml` to a room's hardware.

One table for each slot names its driver and the driver's options; a slot left out is not fitted:

    [camera]
    driver = "simulated"
    name = "room-a.example"
"""

import asyncio
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TypeVar, cast

from conclave_hal.buttons import Buttons
from conclave_hal.camera import Camera, VideoEncoder
from conclave_hal.camera_control import CameraControl
from conclave_hal.codec_control import CodecControl
from conclave_hal.device import AnyDevice
from conclave_hal.display import Display
from conclave_hal.drivers import DEFAULT_DRIVERS, Slot, driver_names, find_driver, named_elsewhere
from conclave_hal.errors import ConfigurationError, HalError
from conclave_hal.indicator import Indicator
from conclave_hal.media import AudioSink, AudioSource, VideoSink, VideoSource
from conclave_hal.options import TableName, read_options
from conclave_hal.panel import Panel
from conclave_hal.switches import MuteSwitch, PrivacySwitch, Tamper
from conclave_hal.video_source import GatedAudioSource, GatedVideoSource

D = TypeVar("D", bound=AnyDevice)


@dataclass(frozen=True, slots=True)
class RoomHardware:
    """Everything that a room has, each slot filled, with one lifecycle for all.

    Who sends pictures and sound reads `video` and `audio`, never camera and microphone: the gate of
    shutter and mute switch is in them.
    """

    privacy_switch: PrivacySwitch
    mute_switch: MuteSwitch
    tamper: Tamper
    video_encoder: VideoEncoder
    camera: Camera
    camera_control: CameraControl
    microphone: AudioSource
    screen: VideoSink
    speaker: AudioSink
    indicator: Indicator
    buttons: Buttons
    display: Display
    codec_control: CodecControl
    panel: Panel
    video: VideoSource = field(init=False)
    """The camera, encoded, behind the shutter."""
    audio: AudioSource = field(init=False)
    """The microphone behind its switch."""

    def __post_init__(self) -> None:
        video = GatedVideoSource(self.camera, self.video_encoder, self.privacy_switch)
        object.__setattr__(self, "video", video)
        object.__setattr__(self, "audio", GatedAudioSource(self.microphone, self.mute_switch))

    @property
    def devices(self) -> tuple[AnyDevice, ...]:
        """All devices, one of each slot, those that others look at first."""
        return tuple(getattr(self, each.name) for each in fields(self) if each.init)

    async def open(self) -> None:
        """Open all devices at once. If one fails, closes all and raises its HalError."""
        try:
            async with asyncio.TaskGroup() as group:
                for device in self.devices:
                    group.create_task(device.open())
            await self.video.open()
            await self.audio.open()
        except BaseExceptionGroup as failures:
            await self.close()
            first = failures.exceptions[0]
            if isinstance(first, HalError):
                raise first from None
            raise
        except asyncio.CancelledError:
            await self.close()
            raise

    async def run(self) -> None:
        """Run all devices until cancelled. One that fails turns FAILED; the others go on."""
        async with asyncio.TaskGroup() as group:
            for device in (*self.devices, self.video, self.audio):
                group.create_task(device.supervise())

    async def close(self) -> None:
        """Close all devices, the last made first, whatever each of them says. Safe to call twice."""
        failures: list[HalError] = []
        for device in reversed(self.devices):
            try:
                await device.close()
            except HalError as error:
                failures.append(error)
        if failures:
            raise failures[0]


def load(path: Path | str) -> RoomHardware:
    """Read `hal.toml` and make the devices it names; opens none of them.

    Raises ConfigurationError: one line that names file, key and allowed values.
    """
    file = Path(path)
    made = make_devices(file)
    return RoomHardware(
        privacy_switch=_checked(file, made, Slot.PRIVACY_SWITCH, PrivacySwitch),
        mute_switch=_checked(file, made, Slot.MUTE_SWITCH, MuteSwitch),
        tamper=_checked(file, made, Slot.TAMPER, Tamper),
        video_encoder=_checked(file, made, Slot.VIDEO_ENCODER, VideoEncoder),
        camera=_checked(file, made, Slot.CAMERA, Camera),
        camera_control=_checked(file, made, Slot.CAMERA_CONTROL, CameraControl),
        microphone=_checked(file, made, Slot.MICROPHONE, AudioSource),
        screen=_checked(file, made, Slot.SCREEN, VideoSink),
        speaker=_checked(file, made, Slot.SPEAKER, AudioSink),
        indicator=_checked(file, made, Slot.INDICATOR, Indicator),
        buttons=_checked(file, made, Slot.BUTTONS, Buttons),
        display=_checked(file, made, Slot.DISPLAY, Display),
        codec_control=_checked(file, made, Slot.CODEC_CONTROL, CodecControl),
        panel=_checked(file, made, Slot.PANEL, Panel),
    )


def make_devices(file: Path) -> dict[Slot, AnyDevice]:
    """The device of each slot, as its driver makes it; opens none of them. Raises ConfigurationError."""
    try:
        document = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"{file}: cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{file}: is not TOML: {error}") from error
    allowed = [slot.value for slot in Slot]
    for key in document:
        if key not in allowed:
            raise ConfigurationError(f"{file}: [{key}]: unknown table; tables: {', '.join(sorted(allowed))}")
    made: dict[Slot, AnyDevice] = {}
    for slot in Slot:
        table = document.get(slot.value, {"driver": DEFAULT_DRIVERS.get(slot, "none")})
        made[slot] = _make(file, slot, table, made)
    return made


def _make(file: Path, slot: Slot, table: object, made: Mapping[Slot, AnyDevice]) -> AnyDevice:
    where = TableName(file, slot.value, "")
    if not isinstance(table, dict):
        raise ConfigurationError(f"{file}: {slot.value}: must be a table, [{slot.value}]")
    options = {key: value for key, value in table.items() if key != "driver"}
    name = table.get("driver")
    known = ", ".join(driver_names(slot))
    if name is None:
        raise where.error("driver", f"is required; drivers: {known}")
    if not isinstance(name, str):
        raise where.error("driver", f"must be the name of a driver, not {name!r}; drivers: {known}")
    if name not in driver_names(slot):
        elsewhere = named_elsewhere(slot, name)
        raise where.error(
            "driver", f"unknown driver {name!r}; drivers: {known}{f' ({elsewhere})' if elsewhere else ''}"
        )
    try:
        driver = find_driver(slot, name)
        where = TableName(file, slot.value, name)
        device = driver.make(read_options(driver.options, options, where), made)
    except ConfigurationError as error:
        message = str(error)
        if message.startswith(str(file)):
            raise
        raise ConfigurationError(f"{file}: [{slot.value}] {message}", hint=error.hint) from error
    device.driver = name
    return device


def _checked(file: Path, made: Mapping[Slot, AnyDevice], slot: Slot, interface: Callable[..., D]) -> D:
    device = made[slot]
    # Seen as a callable because mypy wants a concrete class wherever `type[D]` is asked for.
    wanted = cast("type[D]", interface)
    if not isinstance(device, wanted):
        raise ConfigurationError(
            f"{file}: [{slot.value}] driver: {type(device).__name__} is not a {wanted.__name__}"
        )
    return device
