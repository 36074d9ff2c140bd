"""What is muted does not leave: looked at on the wire, by the packets of each stream that reach the relay.

The streams that go on are the clock. Packets reach the relay's socket in the order in which they were sent:
what was on its way when the hand moved is there before the next few of another stream.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from conclave_hal.panel import ActionKind, PanelAction
from conclave_hal.switches import SwitchPosition
from conclaved.bus.room import MeetingRequest
from conclaved.conference.hub import Hub
from conclaved.media.streams import StreamContext
from conclaved.rtp.errors import RtpRemoteError
from conclaved.rtp.packet import RtpPacket
from tests.conference.hubs import listening, make_tls
from tests.service.rooms import HAL, TestRoom, running_room
from tests.service.test_hosting import GUEST, HOST, Pair, names, until

DEADLINE_S = 60
UNDER_WAY = 5
"""So many packets of another stream later, everything has arrived that was under way."""
WATCHED = 25
"""For so many packets of another stream nothing may come."""
CAMERA, MICROPHONE = StreamContext.CAMERA, StreamContext.MICROPHONE
BOTH = (CAMERA, MICROPHONE)
MEDIA = HAL + "".join(
    f'\n[{s}]\ndriver = "simulated"\n' for s in ("camera", "microphone", "screen", "speaker")
)


class Wire:
    """What the relay has taken, by SSRC."""

    def __init__(self) -> None:
        self.packets: Counter[int] = Counter()
        self.came = asyncio.Event()

    def capture(self, data: bytes) -> None:
        """Called with each packet, and with the hub's other messages, which no SSRC is asked of."""
        try:
            packet = RtpPacket.decode(data)
        except RtpRemoteError:
            return
        self.packets[packet.ssrc] += 1
        self.came.set()

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while not holds():
                self.came.clear()
                await self.came.wait()


class Here:
    """A room whose packets are counted, and another one in the same meeting."""

    def __init__(self, room: TestRoom, other: TestRoom, wire: Wire) -> None:
        self.room, self.other, self.wire = room, other, wire

    def count(self, *contexts: StreamContext, of: TestRoom | None = None) -> int:
        """How many packets of these streams have reached the relay."""
        return sum(self.wire.packets[_ssrc(of or self.room, context)] for context in contexts)

    async def more(self, packets: int, clock: StreamContext, of: TestRoom | None = None) -> None:
        """Wait for so many packets more of a stream."""
        wanted = self.count(clock, of=of) + packets
        await self.wire.until(lambda: self.count(clock, of=of) >= wanted)

    async def nothing_comes(
        self, *contexts: StreamContext, clock: StreamContext, of: TestRoom | None = None
    ) -> None:
        """Nothing of these streams reaches the relay while another stream goes on."""
        await self.more(UNDER_WAY, clock, of)
        before = self.count(*contexts)
        await self.more(WATCHED, clock, of)
        assert self.count(*contexts) == before


def _ssrc(room: TestRoom, context: StreamContext) -> int:
    engine = room.room._attending.engine
    packetizer = None if engine is None else engine._sending[context]._packetizer
    assert packetizer is not None
    return packetizer.ssrc


def unmute(room: TestRoom) -> None:
    for kind in (ActionKind.UNMUTE_CAMERA, ActionKind.UNMUTE_MICROPHONE):
        room.room.act(PanelAction(kind))


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Here]:
    """Both rooms are in and send everything."""
    (tmp_path / "hub").mkdir()
    tls, wire = make_tls(tmp_path / "hub"), Wire()
    async with AsyncExitStack() as stack:
        service = await stack.enter_async_context(listening(Hub(capture=wire.capture), tls))
        host, guest = [
            await stack.enter_async_context(
                running_room(tmp_path / name, service_ca=tls.authority, domain=name, countdown_s=0, hal=MEDIA)
            )
            for name in (HOST, GUEST)
        ]
        created = await host.room.create_meeting(MeetingRequest("Weekly", "standard", (GUEST,), service))
        await host.room.join_meeting(created.link)
        await until(host, lambda: names(host) == [HOST])
        two = Pair(host, guest, created.link)
        await two.guest_joins()
        await two.until(lambda room: len(names(room)) == 2)
        made = Here(host, guest, wire)
        for room in (host, guest):
            unmute(room)
            await until(room, lambda r=room: r.room.hardware().camera_live)  # type: ignore[misc]
            await until(room, lambda r=room: r.room.hardware().microphone_live)  # type: ignore[misc]
        yield made


async def test_a_closed_shutter_stops_the_pictures_and_an_open_one_lets_them_pass(here: Here) -> None:
    await here.room.shutter.move(SwitchPosition.BLOCKING)
    await here.nothing_comes(CAMERA, clock=MICROPHONE)
    assert not here.room.room.hardware().camera_live
    await here.room.shutter.move(SwitchPosition.PASSING)
    await here.more(UNDER_WAY, CAMERA)


async def test_the_mute_switch_stops_the_sound_and_lets_it_pass_again(here: Here) -> None:
    await here.room.mute_switch.move(SwitchPosition.BLOCKING)
    await here.nothing_comes(MICROPHONE, clock=CAMERA)
    assert not here.room.room.hardware().microphone_live
    await here.room.mute_switch.move(SwitchPosition.PASSING)
    await here.more(UNDER_WAY, MICROPHONE)


async def test_software_mutes_stop_both_until_somebody_in_the_room_unmutes(here: Here) -> None:
    await here.room.room.mute(camera=True, microphone=True)
    await here.nothing_comes(*BOTH, clock=MICROPHONE, of=here.other)
    unmute(here.room)
    await here.more(UNDER_WAY, CAMERA)
    await here.more(UNDER_WAY, MICROPHONE)


async def test_an_unmuted_camera_behind_a_closed_shutter_sends_nothing(here: Here) -> None:
    await here.room.room.mute(camera=True, microphone=False)
    await here.room.shutter.move(SwitchPosition.BLOCKING)
    unmute(here.room)
    await here.nothing_comes(CAMERA, clock=MICROPHONE)


async def test_a_mute_switch_that_is_lost_while_it_mutes_lets_nothing_pass_until_a_hand_unmutes(
    here: Here,
) -> None:
    await here.room.mute_switch.move(SwitchPosition.BLOCKING)
    await here.nothing_comes(MICROPHONE, clock=CAMERA)
    await here.room.mute_switch.move(SwitchPosition.UNKNOWN)
    await here.nothing_comes(MICROPHONE, clock=CAMERA)
    unmute(here.room)
    await here.more(UNDER_WAY, MICROPHONE)


async def test_switches_hold_before_the_daemon_has_heard_of_them(
    here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The daemon is late: no change of a device reaches it, and its own gates stay open."""
    monkeypatch.setattr(here.room.hardware, "_changed", lambda: None)
    monkeypatch.setattr(here.room.room, "_switched", lambda: None)
    monkeypatch.setattr(here.room.room._attending, "gate", lambda: None)
    await here.room.shutter.move(SwitchPosition.BLOCKING)
    await here.nothing_comes(CAMERA, clock=MICROPHONE)
    await here.room.mute_switch.move(SwitchPosition.BLOCKING)
    await here.nothing_comes(*BOTH, clock=MICROPHONE, of=here.other)
    engine = here.room.room._attending.engine
    assert engine is not None
    assert not any(engine._sending[context].is_muted for context in BOTH)


async def test_the_other_room_sees_who_is_muted_by_what_and_that_it_is_over(here: Here) -> None:
    def seen() -> tuple[str, str]:
        host = next(p for p in here.other.room.meeting().participants if p.name == HOST)
        return host.microphone, host.camera

    await until(here.other, lambda: seen() == ("live", "live"))
    await here.room.room.mute(camera=False, microphone=True)
    await here.room.shutter.move(SwitchPosition.BLOCKING)
    await until(here.other, lambda: seen() == ("muted", "closed"))
    view = await here.other.panel()
    assert [(p.microphone, p.camera) for p in view.participants if p.name == HOST] == [("muted", "closed")]
    await here.room.shutter.move(SwitchPosition.PASSING)
    unmute(here.room)
    await until(here.other, lambda: seen() == ("live", "live"))
