"""A room whose key is in a real TPM, token or file enrolls, meets, and hears others while its key signs."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from conclave_hal.panel import ActionKind, PanelAction
from conclaved.bus.room import EnrollmentRequest, MeetingRequest
from conclaved.conference.hub import Hub
from conclaved.service.config import AcmeConfig
from tests.challenges import answering
from tests.conference.hubs import listening, make_tls
from tests.key_places import PLACES, key_place
from tests.pebble import Pebble
from tests.service.rooms import HAL, TestRoom, running_room
from tests.slow_keys import SlowBackend

HOST, GUEST, LATER = "host.example.com", "guest.example.com", "later.example.com"
DEADLINE_S = 60
QUICK_S, SLOW_S = 0.2, 0.6
"""What a signature takes in a real TPM. A commit has three of them: before another member takes it over there
is time for these, and for the one that may be under way."""
MEDIA = (
    HAL
    + """
[microphone]
driver = "simulated"

[camera]
driver = "simulated"
width = 320
height = 176
fps = 10
name = "room"
"""
)


async def until(room: TestRoom, holds: Callable[[], bool]) -> None:
    """Wait until it holds, looking at each change of the room."""
    async with asyncio.timeout(DEADLINE_S):
        changes = room.room.changes()
        while not holds():
            await anext(changes)


def names(room: TestRoom) -> set[str]:
    return {participant.name for participant in room.room.meeting().participants}


def live(room: TestRoom) -> set[str]:
    """Whose camera and microphone are live, as they say."""
    people = room.room.meeting().participants
    return {person.name for person in people if (person.microphone, person.camera) == ("live", "live")}


def frames_opened(room: TestRoom) -> int:
    """How many frames of others this room has decrypted so far."""
    engine = room.room._attending.engine
    if engine is None:
        return 0
    people = engine.stats().participants
    return sum(each.microphone.frames_opened + each.camera.frames_opened for each in people)


def weekly(service: str) -> MeetingRequest:
    return MeetingRequest("Weekly", "standard", (GUEST, LATER), service)


class Pulse:
    """What goes on in the event loop."""

    def __init__(self, room: TestRoom) -> None:
        self._room = room
        self.frames = 0
        self.broken_locks = 0

    async def run(self) -> None:
        while True:
            await asyncio.sleep(0.005)
            self.frames = frames_opened(self._room)
            self.broken_locks += self._room.room.meeting().lock == "broken"


@dataclass
class Scene:
    host: TestRoom
    guest: TestRoom
    later: TestRoom
    place: SlowBackend
    link: str
    pulse: Pulse


@pytest.fixture(scope="module")
def pebble_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pebble")


@pytest.fixture(params=PLACES)
async def scene(request: pytest.FixtureRequest, tmp_path: Path, pebble_folder: Path) -> AsyncIterator[Scene]:
    """A host that Pebble has given a certificate for its slow key, alone in a meeting with a guest."""
    (tmp_path / "hub").mkdir()
    tls = make_tls(tmp_path / "hub")
    async with AsyncExitStack() as stack:
        make = stack.enter_context(key_place(request.param, tmp_path))
        place = SlowBackend(make(), QUICK_S)
        pebble = await stack.enter_async_context(Pebble(pebble_folder / request.param))
        service = await stack.enter_async_context(listening(Hub(), tls))
        acme = AcmeConfig(directory_url=pebble.directory_url, ca_file=pebble.ca_file, agree_terms=True)
        host, guest, later = [
            await stack.enter_async_context(
                running_room(
                    tmp_path / name,
                    service_ca=tls.authority,
                    domain="" if name == HOST else name,
                    countdown_s=0,
                    hal=MEDIA,
                    places=(place,) if name == HOST else (),
                    acme=acme,
                )
            )
            for name in (HOST, GUEST, LATER)
        ]
        for room in (host, guest, later):
            await room.room.add_anchor(pebble.root_pem, "pebble", "verified", ())
        with answering(tmp_path / HOST / "run/acme-challenge", ("127.0.0.1", pebble.http_port)):
            await host.room.enroll(EnrollmentRequest(HOST))
            await until(host, lambda: host.room.identity().state != "enrolling")
        assert host.room.identity().state == "enrolled", host.room.identity()
        created = await host.room.create_meeting(weekly(service))
        await host.room.join_meeting(created.link)
        await until(host, lambda: names(host) == {HOST})
        await guest.room.join_meeting(created.link)
        for room in (host, guest):
            await until(room, lambda room=room: names(room) == {HOST, GUEST})  # type: ignore[misc]
            room.room.act(PanelAction(ActionKind.UNMUTE_MICROPHONE))
            room.room.act(PanelAction(ActionKind.UNMUTE_CAMERA))
        # Each has told the other that it is live: from here on the slow key signs the third one's entry.
        for room in (host, guest):
            await until(room, lambda room=room: live(room) == {HOST, GUEST})  # type: ignore[misc]
        pulse = Pulse(host)
        beating = asyncio.create_task(pulse.run())
        async with asyncio.timeout(DEADLINE_S):
            while not (frames_opened(host) and frames_opened(guest)):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        place.count, place.latency_s = lambda: pulse.frames, SLOW_S
        yield Scene(host, guest, later, place, created.link, pulse)
        place.latency_s = 0.0
        beating.cancel()
        with suppress(asyncio.CancelledError):
            await beating


async def test_media_flows_while_a_slow_key_signs_commits_and_the_loop_never_waits_for_it(
    scene: Scene,
) -> None:
    host, later, place, pulse = scene.host, scene.later, scene.place, scene.pulse
    begun = len(place.signatures)
    await later.room.join_meeting(scene.link)
    for room in (host, later):
        await until(room, lambda room=room: names(room) == {HOST, GUEST, LATER})  # type: ignore[misc]
    await later.room.leave_meeting()
    await until(host, lambda: names(host) == {HOST, GUEST})
    signed = place.signatures[begun:]
    # The host has let the third one in, with a commit of its own.
    for label in (b"LeafNodeTBS", b"GroupInfoTBS", b"FramedContentTBS"):
        assert any(label in signature.data[:64] for signature in signed), label
    loop_thread = threading.get_ident()
    assert not [signature for signature in place.signatures if signature.thread == loop_thread]
    # Not one signature during which nothing of the others was heard: the loop went on, with the right keys.
    assert min(signature.after - signature.before for signature in signed) > 0
    assert pulse.broken_locks == 0
    assert host.room.identity().key_protection == place.protection.value
