"""A room controller on a wire: what it may do, what it may know, and what it may not."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from conclave_hal.codec_control import ControlAnswer, ControlKind, ControlRequest
from conclave_hal.config import load
from conclave_hal.none import NoCodecControl
from conclave_hal.panel import ActionKind, MeetingState, PanelAction
from conclave_hal.serial_port import SerialPort, SerialSettings, open_serial_port
from conclaved.bus.record import Record
from conclaved.bus.room import (
    HardwareStatus,
    MeetingRequest,
    MeetingStatus,
    ParticipantStatus,
    RequestStatus,
    RoomError,
    RoomErrorKind,
    SlotStatus,
)
from conclaved.conference.hub import Hub
from conclaved.service.controlling import REFUSED_JOIN, Asked, room_status, serve
from tests.conference.hubs import Tls, listening, make_tls
from tests.service.rooms import DEADLINE_S, HAL, TestRoom, running_room

CONTROL = '\n[codec_control]\ndriver = "simulated"\nlink = "control"\n'
LINK = "https://service.example/j/abc#top-secret"


class Controller:
    """A person's terminal program, or a control processor."""

    def __init__(self, path: Path) -> None:
        self._port: SerialPort = open_serial_port(str(path), SerialSettings())
        self._heard = ""

    async def ask(self, line: str) -> str:
        """All that is said until the line is answered."""
        await self._port.write(line.encode() + b"\r")
        return await self._until("OK\r\n", "ERROR ")

    async def hears(self, text: str) -> None:
        await self._until(text)

    def close(self) -> None:
        self._port.close()

    async def _until(self, *ends: str) -> str:
        while not any(end in self._heard for end in ends) or not self._heard.endswith("\r\n"):
            self._heard += (await self._port.read()).decode("ascii")
        said, self._heard = self._heard, ""
        return said


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Tls:
    return make_tls(tmp_path_factory.mktemp("hub"))


@asynccontextmanager
async def controlled_room(folder: Path, tls: Tls) -> AsyncIterator[tuple[TestRoom, Controller]]:
    async with (
        asyncio.timeout(3 * DEADLINE_S),
        running_room(folder, service_ca=tls.authority, hal=HAL + CONTROL) as here,
    ):
        controller = Controller(folder / "control")
        try:
            yield here, controller
        finally:
            controller.close()


async def meeting_link(here: TestRoom, tls: Tls, address: str) -> str:
    return (await here.room.create_meeting(MeetingRequest("Weekly", "standard", (), address))).link


async def test_a_join_is_counted_down_on_the_panel_muted_and_refused_there(tmp_path: Path, tls: Tls) -> None:
    async with listening(Hub(), tls) as address, controlled_room(tmp_path, tls) as (here, controller):
        here.room.act(PanelAction(ActionKind.UNMUTE_MICROPHONE))
        link = await meeting_link(here, tls, address)
        assert await controller.ask(f"command join {link}") == "OK\r\n"
        await controller.ask("feedback on meeting/state")
        while (view := await here.panel()).incoming is None:  # noqa: ASYNC110
            await asyncio.sleep(0)
        assert (view.incoming.asked_by, view.microphone_muted) == ("the room controller", True)
        here.room.act(PanelAction(ActionKind.REFUSE_JOIN))
        await controller.hears("*s meeting/state: left\r\n** end\r\n")
        assert (await here.panel()).state is MeetingState.IDLE
        assert (
            await controller.ask(f"command join {link}") == "ERROR people in the room have just refused\r\n"
        )


async def test_a_controller_mutes_and_nothing_that_it_says_unmutes(tmp_path: Path, tls: Tls) -> None:
    async with controlled_room(tmp_path, tls) as (here, controller):
        here.room.act(PanelAction(ActionKind.UNMUTE_MICROPHONE))
        here.room.act(PanelAction(ActionKind.UNMUTE_CAMERA))
        assert await controller.ask("command mute-microphone") == "OK\r\n"
        assert await controller.ask("command mute-camera") == "OK\r\n"
        for line in (
            "command mute-microphone", "command unmute-microphone", "command mute-microphone off",
            "command camera-home", "command camera-preset 1", "command display-power on", "command leave",
            "status microphone", "feedback on microphone",
        ):  # fmt: skip
            await controller.ask(line)
            assert (here.room.hardware().microphone_muted, here.room.hardware().camera_muted) == (True, True)


async def test_what_the_room_lacks_is_said(tmp_path: Path, tls: Tls) -> None:
    async with controlled_room(tmp_path, tls) as (_, controller):
        assert (
            await controller.ask("command display-power on") == "ERROR this room has no display control\r\n"
        )
        assert await controller.ask("command camera-home") == "ERROR this room has no camera control\r\n"
        assert await controller.ask("command leave") == "ERROR the room is in no meeting\r\n"


def person(name: str, assurance: str) -> ParticipantStatus:
    return ParticipantStatus(
        leaf=0, name=name, assurance=assurance, role="member", is_self=False, is_heard=True,
        reason="reason", issuer="Root CA", admitted_by="the invitation",
    )  # fmt: skip


MEETING = MeetingStatus(
    state="in_meeting",
    lock="locked",
    title="Secret merger",
    security_code="48217 09356 71140 62893 30518 95427",
    participants=(person("north.example", "verified"), person("Ana Lima", "provider")),
    lobby=(RequestStatus("r-1", "tomas@partner.example", "unknown", "reason"),),
    notices=("the certificate of harbour.example has expired",),
    missing=("lighthouse.example",),
)
HARDWARE = HardwareStatus(
    camera_muted=False,
    microphone_muted=True,
    shutter="blocking",
    mute_switch="passing",
    panel_serial=1,
    panel_epoch=9,
    devices=(SlotStatus("panel", "failed", "no LCD at /dev/ttyS7", "crystalfontz"),),
)


def test_a_controller_knows_how_many_are_in_and_what_is_muted() -> None:
    status = room_status(MEETING, HARDWARE)
    assert status["meeting/people"] == "2"
    assert status["meeting/not-verified"] == "1"
    assert (status["microphone/muted"], status["camera/muted"], status["camera/shutter"]) == (
        "true",
        "false",
        "blocking",
    )
    assert status["device/panel/health"] == "failed"


def test_a_controller_hears_neither_code_nor_names_nor_titles() -> None:
    said = " ".join(room_status(MEETING, HARDWARE).values())
    for secret in ("48217", "Ana", "example", "merger", "ttyS7"):
        assert secret not in said


def test_outside_of_a_meeting_nobody_is_counted() -> None:
    assert room_status(replace(MEETING, state="lobby"), HARDWARE)["meeting/people"] == "0"


class OneRequest(NoCodecControl):
    """A port that asks once."""

    def __init__(self, request: ControlRequest) -> None:
        super().__init__()
        self._request = request
        self.answers: list[ControlAnswer] = []

    async def _once(self) -> AsyncIterator[ControlRequest]:
        yield self._request

    def requests(self) -> AsyncIterator[ControlRequest]:
        return self._once()

    async def answer(self, answer: ControlAnswer) -> None:
        self.answers.append(answer)


async def served(
    folder: Path, request: ControlRequest, error: RoomError | None
) -> tuple[OneRequest, list[Record]]:
    """What a request to join is answered with, and the record of it."""

    async def join(link: str) -> None:
        if error is not None:
            raise error

    async def nothing() -> None:
        """Not asked for."""

    (folder / "hal.toml").write_text("")
    port = OneRequest(request)
    records: list[Record] = []
    devices = replace(load(folder / "hal.toml"), codec_control=port)
    await serve(devices, Asked(join, nothing, nothing, nothing), records.append)
    return port, records


async def test_the_record_of_a_join_has_no_link(tmp_path: Path) -> None:
    _, records = await served(tmp_path, ControlRequest(1, ControlKind.JOIN, LINK), None)
    assert records[0].verb == "Control.join"
    assert "secret" not in repr(records)
    assert "secret" not in repr(ControlRequest(1, ControlKind.JOIN, LINK))


async def test_a_failure_reaches_the_controller_and_the_record(tmp_path: Path) -> None:
    error = RoomError(RoomErrorKind.NOT_FOUND, "the link is not valid any more")
    port, records = await served(tmp_path, ControlRequest(1, ControlKind.JOIN, LINK), error)
    assert port.answers == [ControlAnswer(1, False, "the link is not valid any more")]
    assert records[0].reason == "the link is not valid any more"


async def test_why_an_invitation_is_refused_is_recorded_and_names_nobody_to_the_controller(
    tmp_path: Path,
) -> None:
    error = RoomError(RoomErrorKind.REFUSED, "nobody whom this device trusts vouches for ana@example.com")
    port, records = await served(tmp_path, ControlRequest(1, ControlKind.JOIN, LINK), error)
    assert port.answers == [ControlAnswer(1, False, REFUSED_JOIN)]
    assert "ana@example.com" in records[0].reason


@pytest.mark.parametrize(
    ("kind", "argument"),
    [
        (ControlKind.CAMERA_PRESET, "three"),
        (ControlKind.CAMERA_PRESET, "²"),
        (ControlKind.DISPLAY_POWER, "off"),
    ],
)
async def test_a_driver_that_checks_nothing_brings_down_nothing(
    tmp_path: Path, kind: ControlKind, argument: str
) -> None:
    port, _ = await served(tmp_path, ControlRequest(1, kind, argument), None)
    assert port.answers == [ControlAnswer(1, False, f"no such argument of {kind.value}")]
