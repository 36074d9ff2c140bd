"""Hardware that tries itself when an admin asks: outside of meetings, and without looking or listening."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from conclave_hal import config
from conclave_hal.camera_control import Position
from conclave_hal.config import RoomHardware
from conclave_hal.device import Health
from conclave_hal.drivers import Slot
from conclave_hal.indicator import Light, Shown
from conclave_hal.simulated.privacy_switch import SimulatedPrivacySwitch
from conclave_hal.switches import SwitchPosition
from conclaved.bus.room import CheckStatus, MeetingRequest, RoomError, RoomErrorKind
from conclaved.conference.hub import Hub
from conclaved.service.lamps import Lamps
from conclaved.service.self_test import PANEL_NOTICE, SEEN_OR_HEARD, SelfTest
from tests.conference.hubs import listening, make_tls
from tests.hal.checks.bench import DEADLINE_S
from tests.service.rooms import running_room

SLOTS = [slot for slot in Slot if slot is not Slot.PANEL]
ALL_SIMULATED = "".join(f'[{slot.value}]\ndriver = "simulated"\n' for slot in Slot)


async def at_once(seconds: float) -> None:
    """Time that passes when everybody else has had a turn."""
    await asyncio.sleep(0)


@asynccontextmanager
async def hardware(folder: Path, text: str = ALL_SIMULATED) -> AsyncIterator[RoomHardware]:
    """Hardware that runs and is ready."""
    file = folder / "hal.toml"
    file.write_text(text)
    devices = config.load(file)
    await devices.open()
    running = asyncio.create_task(devices.run())
    try:
        async with asyncio.timeout(DEADLINE_S):
            for device in devices.devices:
                async for state in device.watch():
                    if state.health is Health.READY:
                        break
        yield devices
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await devices.close()


def self_test(devices: RoomHardware, *, is_in_meeting: bool = False) -> SelfTest:
    lamps = Lamps(devices.indicator)
    lit: set[asyncio.Task[None]] = set()

    def changed() -> None:
        lit.add(asyncio.create_task(lamps.show(made.lamps(Shown()))))

    made = SelfTest(devices, lambda: is_in_meeting, changed, pause=at_once)
    return made


async def test_every_simulated_device_passes_its_test(tmp_path: Path) -> None:
    async with hardware(tmp_path) as devices:
        tests = self_test(devices)
        for slot in SLOTS:
            (check,) = await tests.run(slot.value)
            assert (check.name, check.state) == (slot.value, "ok"), check


async def test_what_is_not_fitted_is_skipped(tmp_path: Path) -> None:
    async with hardware(tmp_path, "") as devices:
        (check,) = await self_test(devices).run("camera_control")
        assert (check.state, check.text) == ("skipped", "not fitted")


async def test_a_camera_looks_where_it_looked_before_its_test(tmp_path: Path) -> None:
    async with hardware(tmp_path) as devices:
        before = devices.camera_control.state().position
        await self_test(devices).run("camera_control")
        assert devices.camera_control.state().position == before


async def test_a_switch_that_nobody_can_read_fails(tmp_path: Path) -> None:
    async with hardware(tmp_path) as devices:
        switch = devices.privacy_switch
        assert isinstance(switch, SimulatedPrivacySwitch)
        await switch.move(SwitchPosition.UNKNOWN)
        (check,) = await self_test(devices).run("privacy_switch")
        assert (check.state, check.text) == ("failed", "it cannot be read")


async def test_a_meeting_refuses_tests_unless_they_are_asked_for_in_it(tmp_path: Path) -> None:
    async with hardware(tmp_path) as devices:
        with pytest.raises(RoomError) as refused:
            await self_test(devices, is_in_meeting=True).run("privacy_switch")
        assert refused.value.kind is RoomErrorKind.BUSY


@pytest.mark.parametrize("slot", [slot for slot in Slot if slot in SEEN_OR_HEARD])
async def test_in_a_meeting_nobody_sees_or_hears_a_test(tmp_path: Path, slot: Slot) -> None:
    async with hardware(tmp_path) as devices:
        (check,) = await self_test(devices, is_in_meeting=True).run(slot.value, in_meeting=True)
        assert check.state == "skipped"


@asynccontextmanager
async def never_ending(
    folder: Path, slot: str, *, in_meeting: bool = False
) -> AsyncIterator[tuple[SelfTest, asyncio.Task[tuple[CheckStatus, ...]]]]:
    """A test under way that would never end by itself."""
    async with hardware(folder) as devices:
        begun = asyncio.Event()

        async def stand_still() -> str:
            begun.set()
            await asyncio.Event().wait()
            return ""

        tests = self_test(devices, is_in_meeting=in_meeting)
        tests._tests[Slot(slot)] = stand_still
        running = asyncio.create_task(tests.run(slot, in_meeting=in_meeting))
        await begun.wait()
        yield tests, running
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_a_test_ends_when_a_meeting_begins(tmp_path: Path) -> None:
    async with never_ending(tmp_path, "display") as (tests, running):
        tests.meeting_began()
        (check,) = await running
        assert (check.state, check.text) == ("skipped", "a meeting began")
        # The next one is not kept waiting.
        assert not tests._is_running


async def test_a_test_that_was_wanted_in_the_meeting_goes_on_in_it(tmp_path: Path) -> None:
    async with never_ending(tmp_path, "display", in_meeting=True) as (tests, running):
        tests.meeting_began()
        await asyncio.sleep(0)
        assert not running.done()


async def test_who_gives_up_a_test_is_told_nothing_of_a_meeting(tmp_path: Path) -> None:
    async with never_ending(tmp_path, "display") as (_, running):
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running


async def test_a_camera_that_a_meeting_interrupts_looks_where_it_did(tmp_path: Path) -> None:
    async with hardware(tmp_path) as devices:
        tests, camera = self_test(devices), devices.camera_control
        start, move_to = camera.state().position, camera.move_to

        async def interrupted(position: Position, speed: float = 1.0) -> None:
            await move_to(position, speed)
            if position != start:
                tests.meeting_began()
                await asyncio.Event().wait()

        camera.move_to = interrupted  # type: ignore[method-assign]
        (check,) = await tests.run("camera_control")
        assert (check.state, check.text) == ("skipped", "a meeting began")
        assert camera.state().position == start


async def test_the_room_ends_its_test_when_it_is_asked_to_join(tmp_path: Path) -> None:
    tls = make_tls(tmp_path)
    async with (
        listening(Hub(), tls) as service,
        running_room(tmp_path / "room", service_ca=tls.authority) as here,
    ):
        begun = asyncio.Event()

        async def stand_still() -> str:
            begun.set()
            await asyncio.Event().wait()
            return ""

        here.room._self_test._tests[Slot.PANEL] = stand_still
        running = asyncio.create_task(here.room.test_hardware("panel"))
        await begun.wait()
        created = await here.room.create_meeting(MeetingRequest("Weekly", "standard", (), service))
        await here.room.join_meeting(created.link)
        async with asyncio.timeout(DEADLINE_S):
            (check,) = await running
        assert (check.state, check.text) == ("skipped", "a meeting began")


async def test_there_is_no_test_of_a_slot_that_there_is_not(tmp_path: Path) -> None:
    async with hardware(tmp_path, "") as devices:
        with pytest.raises(RoomError) as refused:
            await self_test(devices).run("toaster")
        assert refused.value.kind is RoomErrorKind.INVALID_ARGUMENT
        assert "camera_control" in refused.value.hint


@pytest.mark.parametrize("light", [light for light in Light if light is not Light.OFF])
async def test_a_tested_lamp_hides_no_light_that_means_something(tmp_path: Path, light: Light) -> None:
    async with hardware(tmp_path, "") as devices:
        tests = self_test(devices)
        tests._light = Light.JOINING
        wanted = Shown(light, is_microphone_muted=True)
        assert tests.lamps(wanted) == wanted
        assert tests.lamps(Shown(is_microphone_muted=True)) == Shown(Light.JOINING, is_microphone_muted=True)


async def test_nothing_is_filmed_or_recorded_by_a_test(tmp_path: Path) -> None:
    async with hardware(tmp_path) as devices:
        tests = self_test(devices)
        await tests.run("camera")
        await tests.run("microphone")
        assert not devices.camera.state().is_capturing


async def test_the_panel_draws_a_notice_and_the_room_as_it_is_again(tmp_path: Path) -> None:
    async with running_room(tmp_path) as here:
        drawn: list[bool] = []
        panel = here.hardware.devices.panel
        show = panel.show

        async def noted(view: object) -> None:
            await show(view)  # type: ignore[arg-type]
            drawn.append(PANEL_NOTICE in getattr(view, "notices", ()))

        panel.show = noted  # type: ignore[method-assign]
        async with asyncio.timeout(DEADLINE_S):
            (check,) = await here.room.test_hardware("panel")
        assert (check.state, check.text) == ("ok", "it drew a notice and took it away again")
        assert drawn[0] is True
        assert drawn[-1] is False
