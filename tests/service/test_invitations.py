"""Between a link and a verified invitation, over a real hub."""

import hashlib
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from conclaved.bus.room import CreatedMeeting, MeetingRequest
from conclaved.conference.errors import NotFoundError, UnreachableError
from conclaved.conference.hub import Hub
from conclaved.conference.hub_client import HubInvitations
from conclaved.identity import SoftwareSigner
from conclaved.meeting import InvitationError, Level, Link, LinkSecret, SignedInvitation
from conclaved.meeting.invitation import SEAL_PURPOSE
from conclaved.service import invitations
from tests.conference.hubs import Tls, listening, make_tls
from tests.pki import TestAuthority

NOW = int(time.time())


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Tls:
    return make_tls(tmp_path_factory.mktemp("hub"))


@pytest.fixture
async def service(tls: Tls) -> AsyncIterator[str]:
    async with listening(Hub(), tls) as address:
        yield address


class Host:
    """A key and a certificate that sign invitations."""

    def __init__(self) -> None:
        self.signer = SoftwareSigner.generate()
        authority = TestAuthority("Public CA")
        self.chain = authority.issue(self.signer.certificate_public_key, dns=["host.example.com"])

    async def create(self, request: MeetingRequest, tls: Tls) -> str:
        return (await self.created(request, tls)).link

    async def created(self, request: MeetingRequest, tls: Tls) -> CreatedMeeting:
        return await invitations.create(request, self.signer, tuple(self.chain), NOW, tls.device)


def asked(service: str, **changes: object) -> MeetingRequest:
    request = MeetingRequest("Weekly", "locked", ("Berlin.Example.net", "@example.org"), service)
    return replace(request, **changes)  # type: ignore[arg-type]


async def test_who_follows_the_link_finds_what_the_host_asked_for(service: str, tls: Tls) -> None:
    host = Host()
    link = Link.decode(await host.create(asked(service), tls))
    found = await invitations.follow(link, tls.device)
    assert found.signer_key == host.signer.public_key
    content = found.content
    assert (content.title, content.level, content.service) == ("Weekly", Level.LOCKED, service)
    assert content.invited == ("berlin.example.net", "@example.org")
    assert (content.not_before, content.not_after) == (NOW, NOW + 86400)
    assert content.link_public_key == link.secret.link_key().public_key


async def test_hosts_and_service_ends_are_named_in_the_invitation(service: str, tls: Tls) -> None:
    request = asked(service, level="standard", hosts=("Ana@Example.net",), service_ends=("Rec.Example.net",))
    content = SignedInvitation.verify((await Host().created(request, tls)).invitation).content
    assert (content.hosts, content.service_ends) == (("ana@example.net",), ("rec.example.net",))


BAD_REQUESTS: dict[str, tuple[dict[str, object], str]] = {
    "level": ({"level": "lax"}, "neither locked nor standard"),
    "no scheme": ({"service": "hub.example.com"}, "wss://HOST"),
    "http": ({"service": "https://hub.example.com"}, "wss://HOST"),
    "path": ({"service": "wss://hub.example.com/x"}, "wss://HOST"),
    "no host": ({"service": "wss://"}, "wss://HOST"),
    "port out of range": ({"service": "wss://hub.example.com:70000"}, "wss://HOST"),
    "port of other digits": ({"service": "wss://hub.example.com:\u00b2"}, "wss://HOST"),
    "endless port": ({"service": "wss://hub.example.com:" + "1" * 5000}, "wss://HOST"),
    "user in the address": ({"service": "wss://me@hub.example.com"}, "wss://HOST"),
    "ends before it begins": ({"not_before": NOW, "not_after": NOW - 1}, "validity"),
    "long title": ({"title": "x" * 201}, "title"),
    "open though locked": ({"is_open": True}, "locked"),
    "a host of a whole domain": ({"hosts": ("@example.org",)}, "whole domain"),
    "a name nobody can have": ({"invited": ("two words",)}, "form"),
}


@pytest.mark.parametrize(("changes", "says"), BAD_REQUESTS.values(), ids=BAD_REQUESTS.keys())
async def test_a_meeting_that_cannot_be_is_refused_before_the_service_hears_of_it(
    tls: Tls, changes: dict[str, object], says: str
) -> None:
    hub = Hub()
    async with listening(hub, tls) as service:
        with pytest.raises(InvitationError) as caught:
            await Host().create(replace(asked(service), **changes), tls)  # type: ignore[arg-type]
        assert says in str(caught.value)
        assert caught.value.hint
        assert hub.status()["invitations"] == 0


async def test_a_service_that_is_not_there_is_unreachable(tls: Tls) -> None:
    async with listening(Hub(), tls) as service:
        pass
    with pytest.raises(UnreachableError):
        await Host().create(asked(service), tls)


async def test_a_link_whose_invitation_the_service_lost_says_whom_to_ask(service: str, tls: Tls) -> None:
    link = Link("127.0.0.1", int(service.rpartition(":")[2]), bytes(32), LinkSecret(bytes(32)))
    with pytest.raises(NotFoundError):
        await invitations.follow(link, tls.device)


async def test_a_link_with_another_secret_does_not_open_the_invitation(service: str, tls: Tls) -> None:
    link = Link.decode(await Host().create(asked(service), tls))
    with pytest.raises(InvitationError, match="does not open") as caught:
        await invitations.follow(replace(link, secret=LinkSecret(bytes(32))), tls.device)
    assert "copy the link whole" in caught.value.hint


async def test_a_service_that_gives_another_invitation_is_found_out(
    service: str, tls: Tls, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = Link.decode(await Host().create(asked(service), tls))
    other = Link.decode(await Host().create(asked(service, title="Other"), tls))
    honest = HubInvitations.fetch

    async def swapped(store: HubInvitations, digest: bytes) -> bytes:
        return await honest(store, other.invitation_hash)

    monkeypatch.setattr(HubInvitations, "fetch", swapped)
    with pytest.raises(InvitationError, match="another invitation than the link names"):
        await invitations.follow(link, tls.device)


async def test_an_invitation_at_hand_is_taken_for_the_link_s_without_asking_the_service(tls: Tls) -> None:
    async with listening(Hub(), tls) as service:
        created = await Host().created(asked(service), tls)
    found = invitations.check(Link.decode(created.link), f"{created.invitation}\n")
    assert found.token == created.invitation


async def test_a_service_that_lost_the_invitation_gets_it_again_from_who_has_it(tls: Tls) -> None:
    async with listening(Hub(), tls) as service:
        created = await Host().created(asked(service), tls)
    link = Link.decode(created.link)
    async with listening(Hub(), tls, link.port):
        await invitations.take(link, created.invitation, tls.device)
        assert (await invitations.follow(link, tls.device)).token == created.invitation


async def test_an_invitation_at_hand_that_the_link_does_not_name_is_refused(service: str, tls: Tls) -> None:
    host = Host()
    mine, other = [await host.created(asked(service, title=title), tls) for title in ("Mine", "Other")]
    link = Link.decode(mine.link)
    # Somebody who has the link can sign with the link key in it, and vouch for another meeting.
    forged = replace(
        SignedInvitation.verify(other.invitation).content, link_public_key=link.secret.link_key().public_key
    ).sign(host.signer, tuple(host.chain))
    for token in (other.invitation, forged, "", "x", "\ud800", f"{mine.invitation}A"):
        with pytest.raises(InvitationError) as caught:
            invitations.check(link, token)
        assert caught.value.hint


@pytest.mark.parametrize("token", [b"\xff\xff", b"not a token", b"a.b.c"])
async def test_a_sealed_token_that_nobody_signed_is_no_invitation(
    service: str, tls: Tls, token: bytes
) -> None:
    secret = LinkSecret(bytes(range(32)))
    sealed = secret.sealer().seal(token, SEAL_PURPOSE, bytes(12))
    await HubInvitations(service, tls.device).store(sealed)
    port = int(service.rpartition(":")[2])
    link = Link("127.0.0.1", port, hashlib.sha256(sealed).digest(), secret)
    with pytest.raises(InvitationError) as caught:
        await invitations.follow(link, tls.device)
    assert caught.value.hint


async def test_a_link_that_leads_to_another_service_than_the_invitation_s_is_refused(tls: Tls) -> None:
    async with listening(Hub(), tls) as meant, listening(Hub(), tls) as other:
        link = Link.decode(await Host().create(asked(meant), tls))
        sealed = await HubInvitations(meant, tls.device).fetch(link.invitation_hash)
        await HubInvitations(other, tls.device).store(sealed)
        with pytest.raises(InvitationError, match="another conference service"):
            await invitations.follow(replace(link, port=int(other.rpartition(":")[2])), tls.device)


async def test_the_service_sees_neither_title_nor_names_nor_secret(tls: Tls, tmp_path: Path) -> None:
    seen: list[bytes] = []
    async with listening(Hub(capture=seen.append), tls) as service:
        link = Link.decode(await Host().create(asked(service), tls))
        await invitations.follow(link, tls.device)
    everything = b"".join(seen)
    for secret in (b"Weekly", b"berlin", b"host.example.com", link.secret.secret):
        assert secret not in everything
