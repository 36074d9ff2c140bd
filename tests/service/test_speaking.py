"""The code spoken in a room that is in a meeting, with somebody else."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from conclave_hal.panel import ActionKind, PanelAction
from conclaved.bus.room import MeetingRequest
from conclaved.conference.hub import Hub
from conclaved.media import StreamContext
from tests.conference.hubs import listening, make_tls
from tests.service.rooms import DEADLINE_S, HAL, TestRoom, running_room

NAMES = ("host.example.com", "guest.example.com")


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not holds():  # noqa: ASYNC110
            await asyncio.sleep(0)


class Ear:
    """Hears what the room says, for as long as it likes."""

    def __init__(self, here: TestRoom, monkeypatch: pytest.MonkeyPatch) -> None:
        self.heard: list[bytes] = []
        self.is_done = asyncio.Event()
        self.asked: list[tuple[str, str]] = []
        monkeypatch.setattr(here.hardware.devices.speaker, "announce", self._listen)
        monkeypatch.setattr(here.room._announcing, "_speak", self._speak)

    async def _speak(self, code: str, language: str) -> bytes:
        self.asked.append((code, language))
        return code.encode()

    async def _listen(self, samples: bytes) -> None:
        if not samples:
            return
        self.heard.append(samples)
        await self.is_done.wait()


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[TestRoom]:
    """A room in a meeting with another one, its microphone on."""
    (tmp_path / "hub").mkdir()
    tls = make_tls(tmp_path / "hub")
    async with AsyncExitStack() as stack:
        service = await stack.enter_async_context(listening(Hub(), tls))
        hal = HAL + '\n[speaker]\ndriver = "simulated"\n'
        host, guest = [
            await stack.enter_async_context(
                running_room(tmp_path / name, service_ca=tls.authority, domain=name, countdown_s=0, hal=hal)
            )
            for name in NAMES
        ]
        created = await host.room.create_meeting(MeetingRequest("Weekly", "standard", NAMES[1:], service))
        for room in (host, guest):
            await room.room.join_meeting(created.link)
            await until(lambda: host.room.meeting().state == "in_meeting")
        await until(lambda: len(host.room.meeting().participants) == 2)
        await until(lambda: host.room.meeting().lock == "locked")
        host.room.act(PanelAction(ActionKind.UNMUTE_MICROPHONE))
        yield host


def is_microphone_gated(here: TestRoom) -> bool:
    engine = here.room._attending.engine
    assert engine is not None
    return engine._sending[StreamContext.MICROPHONE].is_muted


def press(here: TestRoom) -> None:
    here.room.act(PanelAction(ActionKind.SPEAK_CODE, code_epoch=here.room.meeting().code_epoch))


async def test_the_code_of_the_panel_is_spoken_in_its_language_and_nothing_of_it_leaves(
    here: TestRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    await here.room.set_config({"panel.language": "de"})
    ear = Ear(here, monkeypatch)
    assert not is_microphone_gated(here)
    press(here)
    await until(lambda: bool(ear.heard))
    assert ear.asked == [(here.room.meeting().security_code, "de")]
    assert is_microphone_gated(here)
    # It is the room's own doing: people have not muted anything, and find it as they left it.
    assert not here.room.hardware().microphone_muted
    ear.is_done.set()
    await until(lambda: not is_microphone_gated(here))


async def test_a_press_for_a_code_that_is_another_by_now_says_nothing(
    here: TestRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    ear = Ear(here, monkeypatch)
    here.room.act(PanelAction(ActionKind.SPEAK_CODE, code_epoch=here.room.meeting().code_epoch - 1))
    press(here)
    await until(lambda: bool(ear.heard))
    assert len(ear.asked) == 1


async def test_who_unmutes_while_the_room_speaks_is_heard_only_afterwards(
    here: TestRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    ear = Ear(here, monkeypatch)
    here.room.act(PanelAction(ActionKind.MUTE_MICROPHONE))
    press(here)
    await until(lambda: bool(ear.heard))
    here.room.act(PanelAction(ActionKind.UNMUTE_MICROPHONE))
    assert is_microphone_gated(here)
    ear.is_done.set()
    await until(lambda: not is_microphone_gated(here))


async def test_leaving_the_meeting_ends_the_speech(here: TestRoom, monkeypatch: pytest.MonkeyPatch) -> None:
    ear = Ear(here, monkeypatch)
    press(here)
    await until(lambda: bool(ear.heard))
    task = here.room._announcing._task
    assert task is not None
    here.room.act(PanelAction(ActionKind.LEAVE))
    await until(task.done)
    assert task.cancelled()
