"""A join from outside: people hear it, read it, accept it or refuse it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from conclave_hal.panel import ActionKind, MeetingState, PanelAction
from conclaved.bus.room import MeetingRequest, PolicyChange, RoomError, RoomErrorKind
from conclaved.conference.hub import Hub
from conclaved.meeting import Level, OwnRules
from conclaved.service.panel_view import REFUSED_HERE
from conclaved.service.peace import PEACE_S, Peace
from tests.conference.hubs import Tls, listening, make_tls
from tests.service.rooms import DEADLINE_S, HAL, TestRoom, running_room

WITH_SPEAKER = HAL + '\n[speaker]\ndriver = "simulated"\n'


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Tls:
    return make_tls(tmp_path_factory.mktemp("hub"))


@pytest.fixture
async def service(tls: Tls) -> AsyncIterator[str]:
    async with listening(Hub(), tls) as address:
        yield address


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not holds():  # noqa: ASYNC110
            await asyncio.sleep(0)


async def stand_still(seconds: float) -> None:
    """In the place of time: a countdown that never ends by itself."""
    await asyncio.Event().wait()


async def asked(here: TestRoom, service: str) -> None:
    """Somebody outside has asked the room to join a meeting, and it counts down."""
    created = await here.room.create_meeting(MeetingRequest("Weekly", "standard", (), service))
    await here.room.join_meeting(created.link)
    await until(lambda: here.room.meeting().joining_in_s > 0)


async def test_people_join_at_once_and_muted_what_was_asked_for_from_outside(
    tmp_path: Path, tls: Tls, service: str
) -> None:
    async with running_room(tmp_path, service_ca=tls.authority, pause=stand_still) as here:
        await asked(here, service)
        here.room.act(PanelAction(ActionKind.ACCEPT_JOIN))
        await until(lambda: here.room.meeting().state == "in_meeting")
        hardware = here.room.hardware()
        assert (hardware.camera_muted, hardware.microphone_muted) == (True, True)
        assert here.room.meeting().joining_in_s == 0


async def test_who_accepts_one_meeting_does_not_accept_another_that_took_its_place(
    tmp_path: Path, tls: Tls, service: str
) -> None:
    async with running_room(tmp_path, service_ca=tls.authority, pause=stand_still) as here:
        await asked(here, service)
        here.room.act(PanelAction(ActionKind.ACCEPT_JOIN, name="Another"))
        assert not here.room._attending._accepted.is_set()
        here.room.act(PanelAction(ActionKind.ACCEPT_JOIN, name="Weekly"))
        await until(lambda: here.room.meeting().state == "in_meeting")


@pytest.mark.parametrize("kind", [ActionKind.REFUSE_JOIN, ActionKind.LEAVE])
async def test_who_asked_hears_that_people_in_the_room_refused(
    tmp_path: Path, tls: Tls, service: str, kind: ActionKind
) -> None:
    async with running_room(tmp_path, service_ca=tls.authority, pause=stand_still) as here:
        await asked(here, service)
        here.room.act(PanelAction(kind))
        await until(lambda: not here.room._attending.is_busy)
        assert (here.room.meeting().state, here.room.meeting().left_reason) == ("left", REFUSED_HERE)
        view = await here.panel()
        # Nobody is told that the room has left what it never was in.
        assert (view.state, view.title, view.incoming, view.notices) == (MeetingState.IDLE, "", None, ())


async def test_nobody_outside_asks_again_at_once_where_people_refused(
    tmp_path: Path, tls: Tls, service: str
) -> None:
    now = [0.0]
    async with running_room(tmp_path, service_ca=tls.authority, pause=stand_still) as here:
        here.room._attending._peace = Peace(lambda: now[0])
        await asked(here, service)
        here.room.act(PanelAction(ActionKind.REFUSE_JOIN))
        await until(lambda: not here.room._attending.is_busy)
        another = (await here.room.create_meeting(MeetingRequest("Another", "standard", (), service))).link
        now[0] = PEACE_S - 2
        with pytest.raises(RoomError, match="people in the room have just refused") as raised:
            await here.room.join_meeting(another)
        assert (raised.value.kind, raised.value.hint) == (
            RoomErrorKind.BUSY,
            "ask them, or try again in 2 s",
        )
        now[0] = PEACE_S
        await here.room.join_meeting(another)
        await until(lambda: here.room.meeting().joining_in_s > 0)


async def test_who_takes_back_what_it_asked_for_may_ask_again(tmp_path: Path, tls: Tls, service: str) -> None:
    async with running_room(tmp_path, service_ca=tls.authority, pause=stand_still) as here:
        await asked(here, service)
        await here.room.leave_meeting()
        await until(lambda: not here.room._attending.is_busy)
        await asked(here, service)


async def test_who_asked_and_takes_it_back_is_not_told_that_people_refused(
    tmp_path: Path, tls: Tls, service: str
) -> None:
    async with running_room(tmp_path, service_ca=tls.authority, pause=stand_still) as here:
        await asked(here, service)
        await here.room.leave_meeting()
        await until(lambda: not here.room._attending.is_busy)
        assert here.room.meeting().left_reason == "left the meeting"


async def test_a_join_from_outside_chimes_once(tmp_path: Path, tls: Tls, service: str) -> None:
    async def pause(seconds: float) -> None:
        await asyncio.sleep(0)

    async with running_room(
        tmp_path, service_ca=tls.authority, countdown_s=3, hal=WITH_SPEAKER, pause=pause
    ) as here:
        await asked(here, service)
        await until(lambda: here.room.meeting().state == "in_meeting")
        heard = here.hardware.devices.speaker.reports()["announcements"]
        assert (heard.frames_decoded, heard.detail["seconds"]) == (1, 0.9)


async def test_seconds_of_another_meeting_on_a_glass_that_stands_still_count_for_nothing(
    tmp_path: Path, tls: Tls, service: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running_room(tmp_path, service_ca=tls.authority, pause=stand_still) as here:
        await asked(here, service)
        view = await here.panel()
        assert view.incoming is not None
        attending = here.room._attending
        assert attending._is_on_the_glass(view.incoming)
        assert not attending._is_on_the_glass(replace(view.incoming, title="Another"))


async def test_accepting_where_nothing_is_asked_for_does_nothing(tmp_path: Path, tls: Tls) -> None:
    async with running_room(tmp_path, service_ca=tls.authority) as here:
        here.room.act(PanelAction(ActionKind.ACCEPT_JOIN))
        assert here.room.meeting().state == "idle"


async def test_a_meeting_that_the_room_s_own_rules_end_is_shown_as_refused(
    tmp_path: Path, tls: Tls, service: str
) -> None:
    async with running_room(tmp_path, service_ca=tls.authority, countdown_s=0) as here:
        created = await here.room.create_meeting(MeetingRequest("Weekly", "standard", (), service))
        await here.room.join_meeting(created.link)
        await until(lambda: here.room.meeting().state == "in_meeting")
        here.room._attending.runner.rules_changed(OwnRules(minimum_level=Level.LOCKED))  # type: ignore[union-attr]
        await until(lambda: here.room.meeting().state == "left")
        assert "locked meetings only" in here.room.meeting().refused
        view = await here.panel()
        assert (view.refused, view.notices) == (here.room.meeting().refused, ())


async def test_an_invitation_that_the_policy_forbids_is_refused_to_who_asked(
    tmp_path: Path, tls: Tls, service: str
) -> None:
    async with running_room(tmp_path, service_ca=tls.authority) as here:
        created = await here.room.create_meeting(replace(MeetingRequest("Weekly", "standard", (), service)))
        await here.room.set_policy(PolicyChange(minimum_level="locked"))
        with pytest.raises(RoomError) as caught:
            await here.room.join_meeting(created.link)
        assert caught.value.kind is RoomErrorKind.REFUSED


async def test_people_are_asked_to_the_end_in_the_language_in_which_it_began(
    tmp_path: Path, tls: Tls, service: str
) -> None:
    async with running_room(tmp_path, service_ca=tls.authority, pause=stand_still) as here:
        await asked(here, service)
        await here.room.set_config({"panel.language": "ja"})
        view = await here.panel()
        assert (view.language, view.incoming is None) == ("en", False)
        here.room.act(PanelAction(ActionKind.REFUSE_JOIN))
        await until(lambda: not here.room._attending.is_busy)
        assert (await here.panel()).language == "ja"


async def test_the_panel_speaks_the_language_that_an_admin_sets_at_once(tmp_path: Path, tls: Tls) -> None:
    async with running_room(tmp_path, service_ca=tls.authority) as here:
        assert (await here.panel()).language == "en"
        await here.room.set_config({"panel.language": "ja"})
        assert (await here.panel()).language == "ja"
        with pytest.raises(RoomError, match=r"panel\.language"):
            await here.room.set_config({"panel.language": "tlh"})
