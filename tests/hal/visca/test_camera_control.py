"""The driver `visca` on a serial port, against simulated cameras on a pty."""

import asyncio
import re
from pathlib import Path

import pytest

from conclave_hal.camera_control import (
    STILL,
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
from conclave_hal.device import Health
from conclave_hal.errors import ConfigurationError, DeviceError, DeviceGoneError, UsageError
from conclave_hal.simulated.visca_wires import Pace
from conclave_hal.visca import link
from conclave_hal.visca.packet import Packet
from tests.hal.visca.room import (
    PACE,
    PATIENCE_S,
    SerialRoom,
    end,
    make,
    serial_room,
    until,
    until_failed,
    until_ready,
)

THERE = Position(2000, -500, 0x1000)
NEAR = Position(100, -500, 0x1000)
END = Position(0x2200, 0, 0)
SLOWEST = 0.01
"""A quarter of an hour to the end in the camera's time: no test that waits for less can come too late."""


async def test_a_camera_says_what_it_is_and_where_it_looks(tmp_path: Path) -> None:
    async with serial_room(tmp_path) as room:
        state = room.driver.state()
    assert state.position == Position(0, 0, 0)
    assert state.power is Power.ON
    can = state.capabilities
    assert can.model == "vendor 0c0c, model 0001"
    assert can.pan == Limits(-0x2200, 0x2200)
    assert can.has_focus
    assert can.has_exposure
    assert can.has_white_balance
    assert can.has_tally
    assert can.has_power


async def test_infrared_remotes_are_shut_out(tmp_path: Path) -> None:
    async with serial_room(tmp_path) as room:
        assert not room.camera.settings.obeys_remote


async def test_a_move_is_done_when_it_returns(tmp_path: Path) -> None:
    async with serial_room(tmp_path) as room:
        await room.driver.move_to(THERE)
        body = room.camera.body
        assert Position(body.pan.steps, body.tilt.steps, body.zoom.steps) == THERE
        assert room.driver.state().position == THERE
        await room.driver.move_by(-100, 50, 16)
        assert room.driver.state().position == Position(1900, -450, 0x1010)
        await room.driver.home()
        assert room.driver.state().position == Position(0, 0, 0)


async def test_a_preset_keeps_a_view(tmp_path: Path) -> None:
    async with serial_room(tmp_path) as room:
        await room.driver.move_to(THERE)
        await room.driver.store_preset(5)
        await room.driver.home()
        await room.driver.recall_preset(5)
        assert room.driver.state().position == THERE


async def test_it_keeps_turning_until_it_is_told_otherwise(tmp_path: Path) -> None:
    async with serial_room(tmp_path) as room:
        await room.driver.drive(Speed(pan=-0.5, zoom=0.5))
        await until(room.driver, lambda s: s.position is not None and s.position.pan < -100 and s.is_moving)
        await room.driver.drive(STILL)
        state = await until(room.driver, lambda s: not s.is_moving)
        assert state.position is not None
        assert state.position.pan < 0 < state.position.zoom
        assert state.position.tilt == 0


async def test_settings_reach_the_camera(tmp_path: Path) -> None:
    async with serial_room(tmp_path) as room:
        for setting in (FocusAt(0x3000), ExposureMode.MANUAL, WhiteBalance.INDOOR, Tally.ON):
            await room.driver.adjust(setting)
        assert room.camera.body.focus.steps == 0x3000
        assert not room.camera.body.is_focus_automatic
        registers = room.camera.settings.by_register
        assert (registers[0x39], registers[0x35]) == (b"\x03", b"\x01")
        assert room.driver.state().tally is Tally.ON
        await room.driver.adjust(FocusMode.AUTO)
        assert room.camera.body.is_focus_automatic


async def test_a_camera_can_be_sent_to_sleep_and_woken(tmp_path: Path) -> None:
    async with serial_room(tmp_path) as room:
        for _ in range(2):
            await room.driver.set_power(Power.STANDBY)
        assert (room.driver.state().power, room.driver.state().position) == (Power.STANDBY, None)
        with pytest.raises(DeviceError, match="cannot turn: it cannot do this now"):
            await room.driver.move_to(THERE)
        await room.driver.set_power(Power.ON)
        assert (room.driver.state().power, room.driver.state().position) == (Power.ON, Position(0, 0, 0))
        assert not room.camera.settings.obeys_remote


@pytest.mark.parametrize("power", [Power.STANDBY, Power.ON])
async def test_a_camera_that_will_not_be_told_what_it_does_already_has_done_it(
    tmp_path: Path, power: Power
) -> None:
    async with serial_room(tmp_path) as room:
        receive = room.ring.receive

        def refuse_power(packet: Packet, now: float, number: int | None = None) -> None:
            if packet.message.startswith(b"\x01\x04\x00"):
                room.wire.write(bytes(Packet(1, 0, b"\x60\x41")))
            else:
                receive(packet, now, number)

        room.ring.receive = refuse_power  # type: ignore[method-assign]
        room.camera.body.power = power
        await room.driver.set_power(power)
        other = Power.ON if power is Power.STANDBY else Power.STANDBY
        with pytest.raises(DeviceError, match="it cannot do this now"):
            await room.driver.set_power(other)


async def test_what_a_sleeping_camera_did_not_tell_it_tells_when_it_wakes(tmp_path: Path) -> None:
    async with serial_room(tmp_path) as room:
        await room.driver.set_power(Power.STANDBY)
        room.wire.unplug()
        await until_failed(room.driver)
        room.wire.plug_in()
        assert not (await until_ready(room.driver)).capabilities.has_focus
        await room.driver.set_power(Power.ON)
        assert room.driver.state().capabilities.has_focus


async def test_what_is_out_of_range_is_refused_before_the_camera_hears_of_it(tmp_path: Path) -> None:
    async with serial_room(tmp_path) as room:
        driver = room.driver
        for command in (
            driver.move_to(Position(0x2201, 0, 0)),
            driver.move_to(Position(0, 0, -1)),
            driver.move_to(THERE, speed=0.0),
            driver.move_by(0, 0, -1),
            driver.move_by(100_000, 0),
            driver.drive(Speed(pan=1.1)),
            driver.recall_preset(6),
            driver.store_preset(-1),
            driver.set_power(Power.UNKNOWN),
        ):
            with pytest.raises(UsageError):
                await command
        assert room.camera.body.is_still


async def until_moving(room: SerialRoom) -> None:
    await until(room.driver, lambda s: s.is_moving and s.position is not None and s.position.pan > 5)


async def until_greeted(room: SerialRoom) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while room.camera.settings.obeys_remote:
            await room.driver.adjust(Tally.ON)


def make_heavy(room: SerialRoom) -> None:
    room.camera.body.pan.fastest = 240.0


async def test_a_newer_move_takes_the_place_of_an_older_one(tmp_path: Path) -> None:
    async with serial_room(tmp_path) as room:
        make_heavy(room)
        older = asyncio.create_task(room.driver.move_to(END, SLOWEST))
        await until_moving(room)
        await room.driver.move_to(NEAR)
        with pytest.raises(DeviceError, match="newer"):
            await older
        assert room.driver.state().position == NEAR


async def until_it_rests(room: SerialRoom) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not room.camera.body.is_still:
            await room.driver.adjust(Tally.ON)


async def test_the_camera_stops_when_who_moves_it_is_cancelled(tmp_path: Path) -> None:
    async with serial_room(tmp_path) as room:
        make_heavy(room)
        move = asyncio.create_task(room.driver.move_to(END, SLOWEST))
        await until_moving(room)
        await end(move)
        await until_it_rests(room)
        assert room.camera.body.pan.steps < END.pan
        assert not (await until(room.driver, lambda s: not s.is_moving)).is_moving


async def test_a_move_ends_what_was_driven_before_it(tmp_path: Path) -> None:
    async with serial_room(tmp_path) as room:
        room.camera.body.zoom.fastest = 240.0
        await room.driver.drive(Speed(zoom=SLOWEST))
        await room.driver.move_by(10, 0)
        await until_it_rests(room)
        assert room.camera.body.zoom.steps < 0x4000


# Faults


async def test_a_port_that_vanishes_in_a_move_ends_the_move_and_not_the_driver(tmp_path: Path) -> None:
    async with serial_room(tmp_path) as room:
        make_heavy(room)
        move = asyncio.create_task(room.driver.move_to(END, SLOWEST))
        await until_moving(room)
        room.wire.unplug()
        with pytest.raises(DeviceGoneError):
            await move
        state = await until_failed(room.driver)
        assert state.position is None
        assert state.capabilities.model
        with pytest.raises(DeviceGoneError):
            await room.driver.home()
        room.wire.plug_in()
        await until_ready(room.driver)
        await room.driver.move_to(NEAR)


async def test_a_camera_that_was_never_there_is_found_when_it_comes(tmp_path: Path) -> None:
    async with serial_room(tmp_path, is_plugged_in=False) as room:
        assert "No such file" in (await until_failed(room.driver)).reason
        room.wire.plug_in()
        await until_ready(room.driver)


async def test_a_dead_wire_is_said_to_be_dead_and_serves_again_when_it_lives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link, "START_S", 0.05)
    async with serial_room(tmp_path) as room:
        room.ring.is_broken = True
        with pytest.raises(DeviceError):
            await room.driver.move_by(10, 10)
        assert "does not answer: is it switched on" in (await until_failed(room.driver)).reason
        room.ring.is_broken = False
        await until_ready(room.driver)
        await room.driver.move_to(THERE)


async def test_a_camera_that_was_driven_when_its_wire_was_lost_is_stopped_when_it_is_back(
    tmp_path: Path,
) -> None:
    async with serial_room(tmp_path) as room:
        make_heavy(room)
        await room.driver.drive(Speed(pan=SLOWEST))
        await until_moving(room)
        room.wire.unplug()
        await until_failed(room.driver)
        assert not room.camera.body.is_still
        room.wire.plug_in()
        await until_ready(room.driver)
        first = room.camera.body.pan.moves
        assert not (await until(room.driver, lambda s: not s.is_moving)).is_moving
        assert room.camera.body.pan.moves == first
        assert room.camera.body.pan.steps < END.pan


async def test_a_camera_that_is_driven_is_stopped_when_the_driver_ends(tmp_path: Path) -> None:
    async with serial_room(tmp_path, pace=Pace(1.0)) as room:
        await room.driver.drive(Speed(pan=SLOWEST))
        await end(room.running)
        assert room.driver.state().is_moving
        # Told to move, and then to move no more.
        assert room.camera.body.pan.moves == 3
        room.camera.advance(room.camera._now + 5.0)
        assert room.camera.body.is_still


async def test_noise_on_the_wire_costs_at_most_what_it_hits(tmp_path: Path) -> None:
    async with serial_room(tmp_path) as room:
        for noise in (b"\x00" * 40, b"\x90" * 40, b"\xff\xff\xff", bytes(range(256)), b"\x90\x50"):
            room.wire.write(noise)
            await room.driver.move_to(THERE)
            await room.driver.home()
        assert room.driver.state().health is Health.READY


async def test_what_nobody_asked_for_is_survived(tmp_path: Path) -> None:
    async with serial_room(tmp_path) as room:
        # Those that an unanswered packet could take for its own are in the link's tests.
        for stray in ("07", "41 00", "62 04", "38 00", "60"):
            room.wire.write(bytes(Packet(1, 0, bytes.fromhex(stray))))
        await room.driver.move_to(THERE)
        assert room.driver.state().position == THERE


async def test_a_camera_that_restarts_is_greeted_again(tmp_path: Path) -> None:
    async with serial_room(tmp_path) as room:
        room.camera.restart(room.camera._now)
        assert room.camera.settings.obeys_remote
        await room.driver.move_to(THERE)
        await until_greeted(room)


async def test_a_camera_that_was_silent_is_greeted_again_because_it_may_have_restarted(
    tmp_path: Path,
) -> None:
    async with serial_room(tmp_path) as room:
        receive = room.ring.receive
        lost: list[Packet] = []

        def lose_one(packet: Packet, now: float, number: int | None = None) -> None:
            if lost:
                receive(packet, now, number)
            else:
                lost.append(packet)
                room.camera.settings.obeys_remote = True

        room.ring.receive = lose_one  # type: ignore[method-assign]
        await room.driver.adjust(Tally.ON)
        await until_greeted(room)


async def test_a_move_waits_for_sockets_that_somebody_else_uses(tmp_path: Path) -> None:
    async with serial_room(tmp_path) as room:
        other = "81 01 06 02 04 01 01 00 00 00 00 00 00 00 ff", "81 01 04 47 04 00 00 00 ff"
        for packet in other:
            data = bytes.fromhex(packet)
            room.ring.receive(Packet(0, 1, data[1:-1]), room.camera._now)
        await room.driver.move_to(THERE)
        assert room.driver.state().position == THERE


async def test_a_camera_with_a_slow_shutter_answers_late_and_is_waited_for(tmp_path: Path) -> None:
    async with serial_room(tmp_path) as room:
        room.camera.latency_s = 0.1 * link.ANSWER_S * PACE.factor
        await room.driver.adjust(Tally.ON)
        assert room.camera.body.tally is Tally.ON


async def test_one_camera_of_a_chain_moves_alone(tmp_path: Path) -> None:
    async with serial_room(tmp_path, cameras=3, camera=2) as room:
        await room.driver.move_to(THERE)
        assert [camera.body.pan.steps for camera in room.ring.cameras] == [0, 2000, 0]


async def test_a_camera_beyond_the_end_of_the_chain_is_said_to_be_missing(tmp_path: Path) -> None:
    async with serial_room(tmp_path, is_plugged_in=False, cameras=1, camera=2) as room:
        room.wire.plug_in()
        state = await until(room.driver, lambda s: "chain" in s.reason)
        assert re.fullmatch(r"camera 2 on .*/tty is not there: the chain has 1", state.reason)


async def test_split_and_merged_packets_are_one_stream(tmp_path: Path) -> None:
    async with serial_room(tmp_path) as room:
        write = room.wire.write

        def write_in_pieces(data: bytes) -> None:
            for at in range(len(data)):
                write(data[at : at + 1])

        room.wire.write = write_in_pieces  # type: ignore[method-assign]
        await room.driver.move_to(THERE)
        assert room.driver.state().position == THERE


# Options


def test_either_a_port_or_an_address_is_to_be_given() -> None:
    with pytest.raises(ConfigurationError, match="either"):
        make()
