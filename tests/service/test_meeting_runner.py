"""A session with its carrier and its media: what may go wrong beside it without ending it."""

import asyncio
import os
import time
from collections.abc import AsyncIterator

import pytest

from conclaved.bus.room import MeetingRequest
from conclaved.conference.hub import Hub
from conclaved.conference.hub_client import HubClient
from conclaved.identity import Assurance, SoftwareSigner, Verdict
from conclaved.media import MediaUnavailableError
from conclaved.meeting import Link, OwnIdentity, OwnRules, Session, State
from conclaved.rtp.offer import MediaOffer
from conclaved.service import invitations
from conclaved.service.meeting_runner import MeetingRunner
from conclaved.sframe import EpochKeys
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
        link = Link.decode(await invitations.create(request, signer, chain, NOW, tls.device))
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
