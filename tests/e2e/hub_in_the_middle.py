"""A hub that puts itself in the middle of a meeting whose link it has stolen. A program of its own.

    python -m tests.e2e.hub_in_the_middle --cert hub.pem --key hub.key --ca ca.pem \\
        --provider-root provider.pem --first berlin.example.net --second atrium.example.com

It has what a corrupt provider has: a TLS certificate that devices trust, the provider's own CA
(whose root it writes to `--provider-root`), and the meeting's link, which it reads from its
standard input. It keeps two logs for the one meeting. The first device to come is on one side,
all others are on the other, and neither hears of the other. On each side it plays a member of
its own, with a certificate from its CA that bears the name the people there expect (`--first`,
`--second`), and it hands each side's picture and sound on to the other.

Its members break one rule that no other member could hold them to: they found a group whenever
they can. It prints a line of JSON when it listens, and one for each change on either side.
"""

import argparse
import asyncio
import hashlib
import json
import os
import ssl
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

from websockets.asyncio.server import ServerConnection

from conclave_hal.device import DeviceState, Health
from conclave_hal.media import AudioSink, AudioSource, EncodedFrame, StreamReport, VideoSink, VideoSource
from conclaved.conference import hub, wire
from conclaved.conference.hub_client import HubClient, client_context
from conclaved.identity import Assurance, SoftwareSigner, Verdict
from conclaved.media import MediaEngine
from conclaved.meeting import Link, MeetingError, OwnIdentity, OwnRules, Session, lobby
from conclaved.meeting.membership import SFRAME_SUITE
from conclaved.meeting.own_side import OwnSide
from conclaved.service import invitations
from conclaved.service.meeting_runner import MeetingRunner
from conclaved.sframe import MediaKeyring
from tests.pki import TestAuthority

SIDES = ("first", "second")


class TwoFacedHub(hub.Hub):
    """The honest hub, but for the address that it keeps a device's meeting under."""

    def __init__(self) -> None:
        super().__init__()
        self._insides: dict[bytes, str] = {}
        self._has_first = False
        self.link: Link | None = None

    def inside(self, side: str, address: bytes) -> bytes:
        """Where this side of the meeting is really kept."""
        kept = hashlib.sha256(side.encode() + address).digest()
        self._insides[kept] = side
        return kept

    async def _attend(self, connection: ServerConnection, address: bytes) -> None:
        if address not in self._insides:
            side = SIDES[1] if self._has_first else SIDES[0]
            self._has_first = True
            address = self.inside(side, address)
        await super()._attend(connection, address)

    def _on_message(self, meeting: hub._Meeting, client: hub._Client, message: wire.Message) -> None:
        super()._on_message(meeting, client, message)
        if isinstance(message, wire.LobbyData) and self._is_for_both(message.data):
            for other in self._meetings.values():
                if other is not meeting:
                    other.broadcast(message)

    def _is_for_both(self, data: bytes) -> bool:
        """Requests and their answers go across: an honest host's word is worth having on both sides."""
        if self.link is None:
            return False
        try:
            message = lobby.unseal(data, self.link.secret.sealer())
        except MeetingError:
            return False
        return isinstance(message, lobby.Request | lobby.Grant)


class _Ear:
    """Takes what the members of one side send, for the mouth on the other."""

    def __init__(self, mouth: "_Mouth") -> None:
        super().__init__()
        self._mouth = mouth

    async def open(self) -> None: ...
    async def close(self) -> None: ...

    async def play(self, stream: str, frame: EncodedFrame) -> bool:
        if self._mouth.frames_to_say.full():
            self._mouth.frames_to_say.get_nowait()
        self._mouth.frames_to_say.put_nowait(frame)
        return True

    async def stop(self, stream: str) -> None: ...

    def reports(self) -> dict[str, StreamReport]:
        return {}


class _Mouth:
    """Says on one side what was heard on the other."""

    def __init__(self) -> None:
        super().__init__()
        self.frames_to_say: asyncio.Queue[EncodedFrame] = asyncio.Queue(64)

    async def open(self) -> None: ...
    async def close(self) -> None: ...

    async def frames(self) -> AsyncIterator[EncodedFrame]:
        while True:
            yield await self.frames_to_say.get()

    async def set_enabled(self, is_enabled: bool) -> None: ...
    async def request_keyframe(self) -> None: ...

    def state(self) -> DeviceState:
        return DeviceState(Health.READY)


class Screen(_Ear, VideoSink): ...


class Speaker(_Ear, AudioSink):
    async def announce(self, samples: bytes) -> None: ...


class Camera(_Mouth, VideoSource): ...


class Microphone(_Mouth, AudioSource): ...


def believe(chain: tuple[bytes, ...], signature_key: bytes) -> Verdict:
    """The impostor takes everybody as they come."""
    return Verdict(
        assurance=Assurance.VERIFIED, name_type=None, name="", reason="", anchor="", not_after=2**40
    )


async def play(
    it: TwoFacedHub,
    link: Link,
    port: int,
    tls: ssl.SSLContext,
    provider: TestAuthority,
    names: dict[str, str],
) -> None:
    """One member on each side, each the other's eyes and ears."""
    cameras = {side: Camera() for side in SIDES}
    microphones = {side: Microphone() for side in SIDES}
    invitation = await invitations.follow(link, tls)
    loop = asyncio.get_running_loop()

    async def one(side: str, other: str) -> None:
        signer = SoftwareSigner.generate()
        chain = provider.issue(signer.certificate_public_key, dns=[names[side]])
        session = Session(
            invitation,
            link.secret,
            OwnIdentity(signer, tuple(chain)),
            believe,
            OwnRules(),
            random=os.urandom,
            wall=lambda: int(time.time()),
            now=loop.time(),
        )
        carrier = HubClient(f"wss://127.0.0.1:{port}", it.inside(side, link.secret.address), tls)
        engine = MediaEngine(
            MediaKeyring(SFRAME_SUITE),
            camera=cameras[side],
            microphone=microphones[side],
            screen=Screen(cameras[other]),
            speaker=Speaker(microphones[other]),
        )

        def tell() -> None:
            view = runner.view()
            say(side=side, state=view.state.value, code=view.security_code, members=len(view.participants))

        runner = MeetingRunner(session, carrier, lambda *_: engine, changed=tell)
        ended = await runner.run()
        say(side=side, state="ended", reason=ended.reason)

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(one("first", "second"))
        tasks.create_task(one("second", "first"))


def say(**words: object) -> None:
    """A line of JSON for who started this program."""
    print(json.dumps(words), flush=True)


async def _main(arguments: argparse.Namespace) -> None:
    OwnSide.may_found = property(lambda own: own.admission is not None)  # type: ignore[method-assign, assignment]
    provider = TestAuthority("Provider CA")
    arguments.provider_root.write_text(provider.root_pem)
    it = TwoFacedHub()
    port = await it.start("127.0.0.1", 0, hub.server_context(arguments.cert, arguments.key))
    say(port=port)
    line = await asyncio.to_thread(sys.stdin.readline)
    it.link = Link.decode(line)
    names = {"first": arguments.first, "second": arguments.second}
    await play(it, it.link, port, client_context(arguments.ca), provider, names)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="A hub that puts itself in the middle.")
    for name in ("--cert", "--key", "--ca", "--provider-root"):
        parser.add_argument(name, type=Path, required=True)
    for name in ("--first", "--second"):
        parser.add_argument(name, required=True, help=f"who it plays on the {name[2:]} side")
    asyncio.run(_main(parser.parse_args()))


if __name__ == "__main__":
    main()
