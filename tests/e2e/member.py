"""A member of a meeting inside a test's own process: a real session, carrier and runner, no bus, no panel."""

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from conclaved.conference.hub_client import HubClient, client_context
from conclaved.identity import Assurance, SoftwareSigner, TrustStore, parse_anchor_pem
from conclaved.meeting import Link, OwnIdentity, OwnRules, Session, State
from conclaved.rtp.offer import MediaOffer
from conclaved.service import invitations
from conclaved.service.meeting_runner import MeetingRunner
from conclaved.sframe import EpochKeys
from tests.pki import TestAuthority

DEADLINE_S = 30


class Recorder:
    """In the place of a media engine: it keeps every epoch's base key, as each member knows it."""

    def __init__(self) -> None:
        self.base_keys: dict[int, bytes] = {}
        self.leaf_counts: dict[int, int] = {}

    async def start(self, offer: MediaOffer) -> None:
        """No media."""

    def advance(self, keys: EpochKeys) -> None:
        """Keep the key, and overwrite the one that was handed over, as the keyring does."""
        self.base_keys[keys.epoch] = bytes(keys.base_key)
        self.leaf_counts[keys.epoch] = keys.leaf_count
        if isinstance(keys.base_key, bytearray):
            keys.base_key[:] = bytes(len(keys.base_key))

    def set_sending(self, is_sending: bool) -> None:
        """No media."""

    async def stop(self) -> None:
        """No media."""


class Member:
    """Who is in, and what it knows."""

    def __init__(self, session: Session, carrier: HubClient) -> None:
        self.recorder = Recorder()
        self._news = asyncio.Event()
        self.runner = MeetingRunner(session, carrier, lambda *_: self.recorder, changed=self._news.set)

    async def until(self, *, members: int, after_epoch: int = -1) -> int:
        """Wait until so many are in, in a later epoch. Returns the epoch."""
        async with asyncio.timeout(DEADLINE_S):
            while True:
                view = self.runner.view()
                is_there = view.state is State.IN_GROUP and len(view.participants) == members
                if is_there and view.epoch > after_epoch:
                    return view.epoch
                self._news.clear()
                await self._news.wait()


@asynccontextmanager
async def member(
    link_text: str, name: str, authority: TestAuthority, anchor_pem: str, hub_ca: Path
) -> AsyncIterator[Member]:
    """Join as `name`, certified by `authority`, which the rooms trust; trusting `anchor_pem`."""
    signer = SoftwareSigner.generate()
    chain = authority.issue(signer.certificate_public_key, dns=[name])
    anchors = [
        anchor
        for pem in (authority.root_pem, anchor_pem)
        for anchor in parse_anchor_pem(pem, kind=Assurance.VERIFIED, domains=(), label="anchor")
    ]
    trust = TrustStore().with_anchors(anchors)
    link, tls = Link.decode(link_text), client_context(hub_ca)
    session = Session(
        await invitations.follow(link, tls),
        link.secret,
        OwnIdentity(signer, tuple(chain)),
        lambda chain, key: trust.assess(chain, key, now=int(time.time())),
        OwnRules(),
        random=os.urandom,
        wall=lambda: int(time.time()),
        now=asyncio.get_running_loop().time(),
    )
    made = Member(session, HubClient(link.service, link.secret.address, tls))
    running = asyncio.create_task(made.runner.run())
    try:
        yield made
        if not running.done():
            made.runner.leave()
            async with asyncio.timeout(DEADLINE_S):
                await running
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
