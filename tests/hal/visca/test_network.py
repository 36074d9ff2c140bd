"""The driver `visca` in a network, against a simulated camera on UDP."""

import asyncio

import pytest

from conclave_hal.camera_control import Position, Tally
from conclave_hal.errors import ConfigurationError, DeviceGoneError
from conclave_hal.options import HostPort
from conclave_hal.visca import link
from conclave_hal.visca.over_ip import Datagram, PayloadType
from conclave_hal.visca.transport import open_udp_transport
from tests.hal.visca.room import end, make, network_room, until_failed, until_ready

THERE = Position(2000, -500, 0x1000)


async def test_a_camera_in_the_network_moves() -> None:
    async with network_room() as room:
        await room.driver.move_to(THERE)
        assert room.driver.state().position == THERE
        assert not room.camera.settings.obeys_remote


async def test_a_lost_answer_is_asked_for_again() -> None:
    async with network_room() as room:
        room.wire.lost_answers = 1
        await room.driver.adjust(Tally.ON)
        assert room.camera.body.tally is Tally.ON


async def test_a_camera_that_restarts_is_given_new_sequence_numbers() -> None:
    async with network_room() as room:
        room.wire.restart()
        await room.driver.move_to(THERE)
        assert room.driver.state().position == THERE


async def test_a_camera_whose_cable_is_out_is_back_when_it_is_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link, "START_S", 0.05)
    async with network_room() as room:
        room.wire.is_unplugged = True
        assert "does not answer: is it switched on" in (await until_failed(room.driver)).reason
        room.wire.is_unplugged = False
        await until_ready(room.driver)
        await room.driver.move_to(THERE)


async def test_datagrams_that_are_none_and_answers_to_nothing_do_no_harm() -> None:
    async with network_room() as room:
        for data in (b"", b"\xff" * 30, bytes(Datagram(PayloadType.REPLY, 0, b"\x90\x51\xff"))):
            assert room.wire._transport is not None
            room.wire._transport.sendto(data, room.wire._controller)
        await room.driver.move_to(THERE)
        assert room.driver.state().position == THERE


async def test_where_nobody_listens_there_is_no_camera(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link, "START_S", 0.05)
    driver = make(address=HostPort("127.0.0.1", 1))
    running = asyncio.create_task(driver.supervise())
    assert "does not answer: is it switched on" in (await until_failed(driver)).reason
    await end(running)
    await driver.close()


async def test_a_name_that_nobody_has_is_said_so() -> None:
    with pytest.raises(DeviceGoneError, match=r"camera\.invalid:52381"):
        await open_udp_transport(HostPort("camera.invalid", 52381))


def test_a_camera_in_the_network_is_in_no_chain() -> None:
    with pytest.raises(ConfigurationError, match="must be 1"):
        make(address=HostPort("192.0.2.7", 52381), camera=2)
