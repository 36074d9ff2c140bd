"""A session with its carrier and its media: what may go wrong beside it without ending it."""

import asyncio
import os
import threading
import time
from collections.abc import AsyncIterator, Callable
from functools import partial

import pytest

from conclaved.bus.room import MeetingRequest
from conclaved.conference.hub import Hub
from conclaved.conference.hub_client import HubClient
from conclaved.identity import Assurance, SoftwareSigner, Verdict
from conclaved.media import MediaEngine, MediaUnavailableError
from conclaved.meeting import Level, Link, LocalError, OwnIdentity, OwnRules, Role, Session, State
from conclaved.meeting.events import CarrierEvent, Lane, StartJob
from conclaved.rtp.offer import MediaOffer
from conclaved.service import invitations
from conclaved.service.meeting_runner import FAULT, MeetingRunner
from conclaved.sframe import EpochKeys, MediaKeyring
from tests.conference.hubs import DEADLINE_S, Tls, listening, make_tls
from tests.pki import TestAuthority

NOW = int(time.time())
HOST = Verdict(Assurance.VERIFIED, None, "host.example.com", "", "public", NOW + 86400)


class NoWay:
    """Media that has no way to the relay, and says so each time it is asked to start."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.epochs: list[int] = []
        self.has_stopped = False

    async def start(self, offer: MediaOffer) -> None:
        self.asked.set()
        raise MediaUnavailableError("no way to the media relay")

    def advance(self, keys: EpochKeys) -> None:
        self.epochs.append(keys.epoch)

    def set_sending(self, is_sending: bool) -> None: ...

    async def stop(self) -> None:
        self.has_stopped = True


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Tls:
    return make_tls(tmp_path_factory.mktemp("hub"))


@pytest.fixture
async def runner(tls: Tls) -> AsyncIterator[MeetingRunner]:
    """The runner of a host that has just followed its own link."""
    signer = SoftwareSigner.generate()
    chain = tuple(TestAuthority("CA").issue(signer.certificate_public_key, dns=["host.example.com"]))
    async with listening(Hub(), tls) as service:
        request = MeetingRequest("Weekly", "standard", (), service)
        link = Link.decode((await invitations.create(request, signer, chain, NOW, tls.device)).link)
        session = Session(
            await invitations.follow(link, tls.device),
            link.secret,
            OwnIdentity(signer, chain),
            lambda chain, key: HOST,
            OwnRules(),
            random=os.urandom,
            wall=lambda: NOW,
            now=asyncio.get_running_loop().time(),
        )
        carrier = HubClient(link.service, link.secret.address, tls.device)
        yield MeetingRunner(session, carrier, lambda heard, unknown: NoWay(), changed=lambda: None)


async def test_a_meeting_goes_on_without_a_way_for_media(runner: MeetingRunner) -> None:
    media = runner._media
    assert isinstance(media, NoWay)
    running = asyncio.create_task(runner.run())
    async with asyncio.timeout(DEADLINE_S):
        await media.asked.wait()
        assert runner.view().state is State.IN_GROUP
        assert media.epochs
        runner.leave()
        ended = await running
    assert ended.reason == "left the meeting"
    assert not ended.is_error
    assert media.has_stopped


async def test_a_relay_at_an_impossible_address_costs_the_media_and_not_the_meeting(
    runner: MeetingRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = MediaEngine(MediaKeyring())
    failures: list[Exception] = []

    async def offer() -> MediaOffer:
        return MediaOffer("a..b", 9, 1, 2, bytes(30), b"\1" * 30)

    async def start(offer: MediaOffer) -> None:
        try:
            await MediaEngine.start(engine, offer)
        except Exception as error:
            failures.append(error)
            raise

    monkeypatch.setattr(engine, "start", start)
    monkeypatch.setattr(runner._carrier, "open_media", offer)
    monkeypatch.setattr(runner, "_media", engine)
    running = asyncio.create_task(runner.run())
    async with asyncio.timeout(DEADLINE_S):
        while not failures:  # noqa: ASYNC110
            await asyncio.sleep(0)
        assert isinstance(failures[0], MediaUnavailableError)
        assert not running.done()
        runner.leave()
        assert (await running).reason == "left the meeting"


async def test_a_meeting_lives_while_a_slow_key_keeps_its_threads_busy(runner: MeetingRunner) -> None:
    go_on = threading.Event()
    for thread in (runner._key, runner._group):
        thread.submit(go_on.wait)
    running = asyncio.create_task(runner.run())
    try:
        async with asyncio.timeout(DEADLINE_S):
            await runner.give_sign_of_life()
            await runner.give_sign_of_life()
    finally:
        go_on.set()
        runner.leave()
        await running


async def test_a_meeting_whose_loop_is_stuck_gives_no_sign_of_life(
    runner: MeetingRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def stuck() -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(runner, "_tick", stuck)
    running = asyncio.create_task(runner.run())
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await runner.give_sign_of_life()
    running.cancel()
    await asyncio.wait({running})


async def test_a_meeting_that_was_cancelled_keeps_nobody_waiting(runner: MeetingRunner) -> None:
    running = asyncio.create_task(runner.run())
    await asyncio.sleep(0)
    running.cancel()
    await asyncio.wait({running})
    async with asyncio.timeout(DEADLINE_S):
        await runner.give_sign_of_life()


async def test_who_leaves_before_the_meeting_runs_is_not_in_it_for_ever(runner: MeetingRunner) -> None:
    runner.leave()
    async with asyncio.timeout(DEADLINE_S):
        ended = await runner.run()
    assert ended.reason == "left the meeting"


async def test_how_it_ended_is_known_before_anybody_is_told_that_it_has(runner: MeetingRunner) -> None:
    seen: list[tuple[State, bool]] = []
    runner._changed = lambda: seen.append((runner.view().state, runner.ended is not None))
    runner.leave()
    async with asyncio.timeout(DEADLINE_S):
        await runner.run()
    assert (State.ENDED, True) in seen
    assert seen[-1] == (State.ENDED, True)


# -- what is left when it does not end in order ---------------------------------------------------


async def in_group(runner: MeetingRunner) -> "asyncio.Task[object]":
    """Run it until it is in the group. Returns the task."""
    running: asyncio.Task[object] = asyncio.create_task(runner.run())
    async with asyncio.timeout(DEADLINE_S):
        while runner.view().state is not State.IN_GROUP:  # noqa: ASYNC110
            await asyncio.sleep(0)
    return running


def has_keys(runner: MeetingRunner) -> bool:
    return runner._session._member.group is not None


async def test_a_meeting_that_is_cancelled_keeps_no_key(runner: MeetingRunner) -> None:
    running = await in_group(runner)
    assert has_keys(runner)
    running.cancel()
    await asyncio.wait([running])
    assert running.cancelled()
    assert not has_keys(runner)
    media = runner._media
    assert isinstance(media, NoWay)
    assert media.has_stopped


async def test_a_fault_in_a_callback_of_the_media_ends_the_meeting_with_a_reason_and_keeps_no_key(
    runner: MeetingRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(leaf: int, epoch: int, now: float) -> None:
        raise RuntimeError("a bug")

    running = await in_group(runner)
    monkeypatch.setattr(runner._session, "media_heard", broken)
    runner.media_heard(0, 1)
    async with asyncio.timeout(DEADLINE_S):
        assert await running == FAULT
    assert runner.view().state is State.ENDED
    assert not has_keys(runner)


async def test_a_fault_of_the_carrier_ends_the_meeting_with_a_reason_and_keeps_no_key(
    runner: MeetingRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect = runner._carrier.run

    async def broken(on_event: Callable[[CarrierEvent], None]) -> None:
        attending = asyncio.create_task(connect(on_event))
        while runner.view().state is not State.IN_GROUP:  # noqa: ASYNC110
            await asyncio.sleep(0)
        attending.cancel()
        await asyncio.wait([attending])
        raise RuntimeError("a bug")

    monkeypatch.setattr(runner._carrier, "run", broken)
    async with asyncio.timeout(DEADLINE_S):
        assert await runner.run() == FAULT
    assert runner.view().state is State.ENDED
    assert not has_keys(runner)


async def test_a_listener_that_is_broken_ends_the_meeting_and_run_says_so(runner: MeetingRunner) -> None:
    def broken() -> None:
        raise RuntimeError("a bug")

    runner._changed = broken
    async with asyncio.timeout(DEADLINE_S):
        assert await runner.run() == FAULT


async def test_what_cannot_be_asked_now_is_told_to_who_asked_and_the_meeting_goes_on(
    runner: MeetingRunner,
) -> None:
    running = await in_group(runner)
    for ask in (runner.admit, runner.deny):
        with pytest.raises(LocalError):
            ask("nobody")
    assert not running.done()
    assert runner.view().state is State.IN_GROUP
    runner.leave()
    async with asyncio.timeout(DEADLINE_S):
        await running


async def test_following_the_group_waits_for_no_signature(runner: MeetingRunner) -> None:
    """A host that signs twenty admissions, half a second each, follows the group meanwhile."""
    running = await in_group(runner)
    together, done, loop = threading.Barrier(2), asyncio.Event(), asyncio.get_running_loop()

    def meet() -> None:
        if together.wait(DEADLINE_S) == 0:
            loop.call_soon_threadsafe(done.set)

    lanes = (Lane.OTHER, Lane.GROUP)
    runner._apply([StartJob(10**6 + number, meet, lane) for number, lane in enumerate(lanes)])
    async with asyncio.timeout(DEADLINE_S):
        await done.wait()
    runner.leave()
    async with asyncio.timeout(DEADLINE_S):
        await running


async def test_the_most_urgent_signature_is_the_next(runner: MeetingRunner) -> None:
    running = await in_group(runner)
    begun, signed, done = threading.Event(), list[Lane | None](), asyncio.Event()
    loop = asyncio.get_running_loop()

    def first() -> None:
        begun.wait(DEADLINE_S)

    def sign(lane: Lane) -> None:
        signed.append(lane)
        if lane is Lane.WORD:
            loop.call_soon_threadsafe(done.set)

    lanes = (Lane.WORD, Lane.OTHER, Lane.VOICE, Lane.COMMIT)
    jobs = [StartJob(10**6 + number, partial(sign, lane), lane) for number, lane in enumerate(lanes)]
    runner._apply([StartJob(10**6 - 1, first, Lane.OTHER), *jobs])
    begun.set()
    async with asyncio.timeout(DEADLINE_S):
        await done.wait()
        runner.leave()
        await running
    assert signed == [Lane.COMMIT, Lane.VOICE, Lane.OTHER, Lane.WORD]


async def test_the_admission_is_there_once_the_meeting_is(runner: MeetingRunner) -> None:
    before = runner.admission
    running = await in_group(runner)
    after = runner.admission
    assert before is None
    assert after is not None
    assert after.role is Role.HOST
    runner.leave()
    async with asyncio.timeout(DEADLINE_S):
        await running


async def test_a_policy_that_has_become_stricter_ends_the_meeting_at_once(runner: MeetingRunner) -> None:
    running = await in_group(runner)
    runner.rules_changed(OwnRules(Level.LOCKED))
    async with asyncio.timeout(DEADLINE_S):
        await running
    assert runner.ended is not None
    assert "locked meetings only" in runner.ended.reason
