"""The driver `visca`: a camera on a serial port, or in the network by VISCA over IP.

A session is one life of the wire: it clears the link, stops what still turns, shuts out infrared remotes,
asks the camera what it is, and then looks every second where it looks. Silence ends the session.
"""

import asyncio
import contextlib
from abc import abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Annotated

from conclave_hal.camera_control import (
    STILL,
    CameraControl,
    CameraControlState,
    ExposureMode,
    FocusAt,
    FocusMode,
    Limits,
    Position,
    Power,
    Speed,
    Tally,
    WhiteBalance,
)
from conclave_hal.device import AnyDevice, Health
from conclave_hal.drivers import Driver, Slot
from conclave_hal.errors import ConfigurationError, DeviceError, DeviceGoneError, HalError, UsageError
from conclave_hal.hot_plug import HotPlugDevice
from conclave_hal.options import HostPort, Option, device_path, host_port, integer, one_of
from conclave_hal.visca import commands, inquiries
from conclave_hal.visca.client import CancelledCommandError, RefusedError, ViscaClient
from conclave_hal.visca.commands import Command
from conclave_hal.visca.link import Link
from conclave_hal.visca.packet import MAX_CAMERAS
from conclave_hal.visca.replies import ErrorCode
from conclave_hal.visca.survey import Ranges, Survey, if_possible, look, survey
from conclave_hal.visca.transport import Transport, open_serial_transport, open_udp_transport

LOOK_S = 1.0
LOOK_WHILE_MOVING_S = 0.25
STOPS = (commands.pan_tilt_drive(0, 0), commands.zoom_drive(0))
LAST_STOP_S = 1.0
"""For stopping a camera that turns while we close."""


class ViscaCamera(HotPlugDevice[CameraControlState], CameraControl):
    """A camera that speaks VISCA, whatever carries it."""

    def __init__(
        self,
        name: str,
        ranges: Ranges,
        camera: int,
        *,
        is_network: bool,
        advice: str = "",
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """`name` stands in messages; `advice` is for whom the camera does not answer."""
        super().__init__(pause=pause)
        self._name = name
        self._advice = advice
        self._ranges = ranges
        self._camera = camera
        self._is_network = is_network
        self._client: ViscaClient | None = None
        """While the camera can be spoken to."""
        self._survey = Survey()
        self._mover: asyncio.Task[None] | None = None
        self._is_driven = True
        """It may be turning until it is stopped; so it may after a start without a proper end before."""
        self._steering = asyncio.Lock()
        self._looking = asyncio.Lock()
        self._poke = asyncio.Event()

    @abstractmethod
    async def _connect(self) -> Transport:
        """Open the wire. Raises DeviceGoneError if it is not there."""

    async def close(self) -> None:
        """Nothing is kept between sessions."""
        await self._publish(self._lost("closed"))

    # The session

    async def _session(self) -> None:
        transport = await self._connect()
        link = Link(self._camera, is_network=self._is_network)
        client = ViscaClient(self._name, link, transport, advice=self._advice)
        running = asyncio.create_task(client.run())
        serving = asyncio.create_task(self._serve(client))
        try:
            await asyncio.wait({running, serving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            was_at_hand, self._client = self._client is client, None
            if was_at_hand and self._is_driven and not running.done():
                with contextlib.suppress(HalError, TimeoutError):
                    async with asyncio.timeout(LAST_STOP_S):
                        await self._stop(client)
            for task in (serving, running):
                task.cancel()
            # The link's end says more than what its users saw of it.
            results = await asyncio.gather(running, serving, return_exceptions=True)
            transport.close()
        for result in results:
            if isinstance(result, Exception):
                raise result

    async def _serve(self, client: ViscaClient) -> None:
        await client.ready()
        changes = clearings = -1
        while True:
            if (changes, clearings) != (client.changes, client.clearings):
                changes = client.changes
                await self._greet(client)
                # A question of the greeting that nobody answered has cleared the link too; once is enough.
                clearings = client.clearings
            self._client = client
            await self._look(client)
            self._poke.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_WHILE_MOVING_S if self._is_moving else LOOK_S):
                    await self._poke.wait()

    async def _greet(self, client: ViscaClient) -> None:
        if self._is_driven:
            for stop in STOPS:
                await if_possible(client, stop)
            self._is_driven = False
        # Anybody can hold a remote. A camera without a receiver refuses, which is as good.
        await if_possible(client, commands.set_remote_reception(False))
        self._survey = await survey(client, self._ranges)

    async def _look(self, client: ViscaClient) -> None:
        async with self._looking:
            seen = await look(client, self._survey)
            if seen.power is Power.ON and self._state.power is Power.STANDBY:
                # Asleep it told less of itself, and awake it may have forgotten what it was told.
                await self._greet(client)
            if self._client is not client:
                return
            await self._publish(
                CameraControlState(
                    Health.READY,
                    "",
                    self._survey.capabilities,
                    seen.power,
                    seen.position,
                    self._is_moving,
                    seen.tally,
                )
            )

    async def _look_again(self, client: ViscaClient) -> None:
        """What was commanded is done, whatever becomes of the link now."""
        with contextlib.suppress(HalError):
            await self._look(client)

    async def _stop(self, client: ViscaClient) -> None:
        for stop in STOPS:
            await client.execute(stop)
        self._is_driven = False

    # Commands

    async def set_power(self, power: Power) -> None:
        """Switch on or to standby; not an error where it is so already."""
        client = self._at_hand()
        command = commands.set_power(power)
        async with self._steering:
            await self._give_way()
            try:
                await client.execute(command)
            except RefusedError as error:
                if (
                    error.code is not ErrorCode.NOT_EXECUTABLE
                    or await client.ask(inquiries.POWER) is not power
                ):
                    raise
        await self._look(client)

    async def move_to(self, position: Position, speed: float = 1.0) -> None:
        """Turn and zoom at the same time."""
        client = self._at_hand()
        can = self._survey.capabilities
        pan_speed, tilt_speed = self._speeds(speed)
        _check_limits("pan", can.pan, position.pan)
        _check_limits("tilt", can.tilt, position.tilt)
        _check_limits("zoom", can.zoom, position.zoom)
        steps = []
        if can.pan is not None:
            steps.append(
                commands.pan_tilt_to(
                    position.pan, position.tilt, pan_speed, tilt_speed, pan_nibbles=self._survey.pan_nibbles
                )
            )
        if can.zoom is not None:
            steps.append(commands.zoom_to(position.zoom))
        await self._move(client, *steps)

    async def move_by(self, pan: int, tilt: int, zoom: int = 0, speed: float = 1.0) -> None:
        """Turn so many steps. VISCA has no relative zoom: the camera is asked for its zoom first."""
        client = self._at_hand()
        can = self._survey.capabilities
        pan_speed, tilt_speed = self._speeds(speed)
        steps = []
        if pan or tilt:
            if can.pan is None or can.tilt is None:
                raise DeviceError(f"{self._name} cannot turn")
            _check_limits("pan", _span(can.pan), pan)
            _check_limits("tilt", _span(can.tilt), tilt)
            steps.append(
                commands.pan_tilt_by(pan, tilt, pan_speed, tilt_speed, pan_nibbles=self._survey.pan_nibbles)
            )
        if zoom:
            if can.zoom is None:
                raise DeviceError(f"{self._name} cannot zoom")
            target = await client.ask(inquiries.ZOOM) + zoom
            _check_limits("zoom", can.zoom, target)
            steps.append(commands.zoom_to(target))
        await self._move(client, *steps)

    async def drive(self, speed: Speed) -> None:
        """Keep turning. A camera whose link was lost meanwhile is stopped as soon as it is back."""
        client = self._at_hand()
        for part in (speed.pan, speed.tilt, speed.zoom):
            if not -1.0 <= part <= 1.0:
                raise UsageError(f"a speed must be -1.0 to 1.0, not {part}")
        fastest = self._survey.speeds
        async with self._steering:
            await self._give_way()
            if speed == STILL:
                await self._stop(client)
            else:
                self._is_driven = True
                turn = (_scaled(speed.pan, fastest.pan), _scaled(speed.tilt, fastest.tilt))
                if self._survey.capabilities.pan is not None:
                    await client.execute(commands.pan_tilt_drive(*turn))
                if self._survey.capabilities.zoom is not None:
                    zoom = _scaled(speed.zoom, commands.MAX_ZOOM_SPEED)
                    await client.execute(commands.zoom_drive(zoom))
        await self._publish_motion()

    async def home(self) -> None:
        """Turn home; the lens to its widest."""
        client = self._at_hand()
        can = self._survey.capabilities
        steps = [] if can.pan is None else [commands.home()]
        if can.zoom is not None:
            steps.append(commands.zoom_to(0))
        await self._move(client, *steps)

    async def recall_preset(self, number: int) -> None:
        """Look to where a preset says."""
        client = self._at_hand()
        self._check_preset(number)
        await self._move(client, commands.recall_preset(number))

    async def store_preset(self, number: int) -> None:
        """Make the present view a preset."""
        client = self._at_hand()
        self._check_preset(number)
        await client.execute(commands.store_preset(number))

    async def adjust(self, setting: FocusMode | FocusAt | ExposureMode | WhiteBalance | Tally) -> None:
        """One of the settings. A focus position makes the focus manual."""
        client = self._at_hand()
        for command in self._adjusting(setting):
            await client.execute(command)
        await self._look_again(client)

    def _adjusting(
        self, setting: FocusMode | FocusAt | ExposureMode | WhiteBalance | Tally
    ) -> tuple[Command, ...]:
        can = self._survey.capabilities
        match setting:
            case FocusMode() if can.has_focus:
                return (commands.set_focus_mode(setting),)
            case FocusAt() if can.has_focus:
                return (commands.set_focus_mode(FocusMode.MANUAL), commands.focus_at(setting.position))
            case ExposureMode() if can.has_exposure:
                return (commands.set_exposure_mode(setting),)
            case WhiteBalance() if can.has_white_balance:
                return (commands.set_white_balance(setting),)
            case Tally() if can.has_tally:
                return (commands.set_tally(setting),)
        raise DeviceError(f"{self._name} has no {type(setting).__name__} that can be set")

    # Moves: the newest one counts

    @property
    def _is_moving(self) -> bool:
        return self._mover is not None or self._is_driven

    async def _move(self, client: ViscaClient, *steps: Command) -> None:
        async with self._steering:
            await self._give_way()
            if self._is_driven:
                await self._stop(client)
            mover = asyncio.create_task(_execute_all(client, steps))
            self._mover = mover
        try:
            await self._publish_motion()
            await asyncio.wait({mover})
        finally:
            # Our caller may have been cancelled: then the camera is to stop.
            mover.cancel()
            await asyncio.wait({mover})
            if self._mover is mover:
                self._mover = None
            self._poke.set()
        if mover.cancelled():
            raise CancelledCommandError("a newer command has taken this one's place")
        mover.result()
        await self._look_again(client)

    async def _publish_motion(self) -> None:
        self._poke.set()
        if self._client is not None:
            await self._publish(replace(self._state, is_moving=self._is_moving))

    async def _give_way(self) -> None:
        """Cancel the move that is under way, before anything newer is said to the camera."""
        mover, self._mover = self._mover, None
        if mover is not None:
            mover.cancel()
            await asyncio.wait({mover})

    def _at_hand(self) -> ViscaClient:
        if self._client is None:
            raise DeviceGoneError(
                f"the camera is not there: {self._state.reason or self._state.health.value}"
            )
        return self._client

    def _speeds(self, speed: float) -> tuple[int, int]:
        if not 0.0 < speed <= 1.0:
            raise UsageError(f"a speed must be above 0 and at most 1, not {speed}")
        fastest = self._survey.speeds
        return _scaled(speed, fastest.pan), _scaled(speed, fastest.tilt)

    def _check_preset(self, number: int) -> None:
        if not 0 <= number < self._survey.capabilities.presets:
            raise UsageError(f"no such preset: {number}; there are {self._survey.capabilities.presets}")


async def _execute_all(client: ViscaClient, steps: tuple[Command, ...]) -> None:
    """At the same time, as the camera has two sockets. The first failure cancels the others."""
    tasks = [asyncio.create_task(client.execute(step)) for step in steps]
    try:
        if tasks:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
            for task in done:
                task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _scaled(speed: float, fastest: int) -> int:
    """A fraction of the fastest, in the camera's steps; never 0 for what is not."""
    steps = round(abs(speed) * fastest)
    return 0 if speed == 0 else max(1, steps) * (1 if speed > 0 else -1)


def _span(limits: Limits) -> Limits:
    width = limits.most - limits.least
    return Limits(-width, width)


def _check_limits(name: str, limits: Limits | None, value: int) -> None:
    if limits is None:
        if value:
            raise DeviceError(f"the camera cannot {name}")
    elif not limits.least <= value <= limits.most:
        raise UsageError(f"{name} must be {limits.least} to {limits.most}, not {value}")


@dataclass(frozen=True, slots=True)
class ViscaOptions:
    """Options of the driver `visca`. Either `port` or `address` is to be given.

    The ranges are those of Sony's SRG-300H; a camera's own stand in its manual.
    """

    port: Annotated[str, Option(device_path(), "serial port that the camera is on")] = ""
    address: Annotated[HostPort | None, Option(host_port(), "camera in the network, by VISCA over IP")] = None
    baud: Annotated[int, Option(one_of(9600, 19200, 38400, 115200), "bits in a second")] = 9600
    camera: Annotated[int, Option(integer(1, MAX_CAMERAS), "its place in the chain on the port")] = 1
    pan_least: Annotated[int, Option(integer(-0x80000, 0), "pan at the left end")] = -0x2200
    pan_most: Annotated[int, Option(integer(0, 0x7FFFF), "pan at the right end")] = 0x2200
    tilt_least: Annotated[int, Option(integer(-0x8000, 0), "tilt at the lower end")] = -0x400
    tilt_most: Annotated[int, Option(integer(0, 0x7FFF), "tilt at the upper end")] = 0x1200
    zoom_most: Annotated[int, Option(integer(0, 0xFFFF), "zoom at the nearest")] = 0x4000
    presets: Annotated[int, Option(integer(0, commands.MAX_PRESET + 1), "how many presets it keeps")] = 6


class ViscaCameraControl(ViscaCamera):
    """A camera on a serial port or in the network."""

    def __init__(self, options: ViscaOptions) -> None:
        ranges = Ranges(
            Limits(options.pan_least, options.pan_most),
            Limits(options.tilt_least, options.tilt_most),
            Limits(0, options.zoom_most),
            options.presets,
        )
        if options.address is None:
            name = f"camera {options.camera} on {options.port}"
            advice = f"is it switched on, and set to {options.baud} bits in a second?"
        else:
            name = f"the camera at {options.address.host}:{options.address.port}"
            advice = "is it switched on, and VISCA over IP enabled in it?"
        super().__init__(name, ranges, options.camera, is_network=options.address is not None, advice=advice)
        self._options = options

    async def _connect(self) -> Transport:
        if self._options.address is not None:
            return await open_udp_transport(self._options.address)
        return open_serial_transport(self._options.port, self._options.baud)


def _make(options: ViscaOptions, made: Mapping[Slot, AnyDevice]) -> ViscaCameraControl:
    if bool(options.port) == (options.address is not None):
        raise ConfigurationError("port: give either port or address")
    if options.address is not None and options.camera != 1:
        raise ConfigurationError("camera: must be 1 for a camera in the network")
    return ViscaCameraControl(options)


DRIVER = Driver(ViscaOptions, _make)
