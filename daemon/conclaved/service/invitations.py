"""Making an invitation and following a link: the way between a link and a verified invitation.

The link pins the invitation by the hash of its sealed form. The nonce of that seal is a function of
secret and text, so that who has link and invitation at hand seals again, gets the same bytes, and
knows that they belong together without asking the service.
"""

import asyncio
import hashlib
import hmac
import logging
import os
import re
import ssl

from conclaved.bus.room import CreatedMeeting, MeetingRequest
from conclaved.conference.base import InvitationStore
from conclaved.conference.errors import NotFoundError, ProtocolError
from conclaved.conference.hub_client import HubInvitations
from conclaved.identity import Signer
from conclaved.meeting import (
    Invitation,
    InvitationError,
    Level,
    Link,
    LinkSecret,
    SealError,
    SignedInvitation,
)
from conclaved.meeting.invitation import MEETING_ID_BYTES, SEAL_PURPOSE
from conclaved.meeting.link import NONCE_BYTES, SECRET_BYTES

log = logging.getLogger(__name__)

DAY_S = 86_400
_PORT = re.compile("[0-9]{1,5}")


async def create(
    request: MeetingRequest, signer: Signer, chain: tuple[bytes, ...], now: int, tls: ssl.SSLContext
) -> CreatedMeeting:
    """Sign an invitation, leave it sealed at the service.

    `now` is seconds since 1970. Raises InvitationError or ConferenceError.
    """
    try:
        level = Level(request.level)
    except ValueError as error:
        raise InvitationError("the level is neither locked nor standard", hint="use --level") from error
    secret = LinkSecret(os.urandom(SECRET_BYTES))
    not_before = request.not_before or now
    invitation = Invitation(
        meeting_id=os.urandom(MEETING_ID_BYTES),
        serial=1,
        title=request.title,
        service=request.service,
        level=level,
        invited=tuple(name.lower() for name in request.invited),
        hosts=tuple(name.lower() for name in request.hosts),
        service_ends=tuple(name.lower() for name in request.service_ends),
        is_open=request.is_open,
        link_public_key=secret.link_key().public_key,
        not_before=not_before,
        not_after=request.not_after or not_before + DAY_S,
    )
    # The link is made of the service's address: an address that makes none is refused before signing.
    host, port = _host_and_port(request.service)
    token = await asyncio.to_thread(invitation.sign, signer, chain)
    sealed = _seal(secret, token)
    store: InvitationStore = HubInvitations(request.service, tls)
    digest = await store.store(sealed)
    if digest != hashlib.sha256(sealed).digest():
        raise InvitationError("the conference service kept another invitation than it was given")
    return CreatedMeeting(Link(host, port, digest, secret).encode(), token)


async def follow(link: Link, tls: ssl.SSLContext) -> SignedInvitation:
    """The invitation that a link names: fetched, checked against the hash, opened, signature verified.

    Whether its signer is trusted is the session's to say. Raises InvitationError or
    ConferenceError.
    """
    store: InvitationStore = HubInvitations(link.service, tls)
    sealed = await store.fetch(link.invitation_hash)
    link.check(sealed)
    try:
        token = link.secret.sealer().open(sealed, SEAL_PURPOSE)
        invitation = SignedInvitation.verify(token.decode("ascii"))
    except SealError as error:
        raise InvitationError(
            "the link does not open the meeting's invitation",
            hint="copy the link whole, or ask the host for it again",
        ) from error
    except UnicodeDecodeError as error:
        raise InvitationError("the invitation is malformed", hint="ask the host for a new link") from error
    _check_service(link, invitation)
    return invitation


async def take(link: Link, token: str, tls: ssl.SSLContext) -> SignedInvitation:
    """The invitation at hand, and the service is there: one that has lost the invitation gets it again.

    Raises InvitationError, or ConferenceError when the service cannot be reached.
    """
    invitation = check(link, token)
    store: InvitationStore = HubInvitations(link.service, tls)
    try:
        await store.fetch(link.invitation_hash)
    except NotFoundError:
        try:
            await store.store(_seal(link.secret, invitation.token))
        except ProtocolError as error:
            log.info("the conference service does not keep the invitation: %s", error)
    return invitation


def check(link: Link, token: str) -> SignedInvitation:
    """The invitation at hand, if it is the one that the link names and its signature holds.

    Whether its signer is trusted is the session's to say. Raises InvitationError.
    """
    token = token.strip()
    if not token.isascii() or hashlib.sha256(_seal(link.secret, token)).digest() != link.invitation_hash:
        raise InvitationError(
            "the link and the invitation do not belong together", hint="ask the host for both again"
        )
    invitation = SignedInvitation.verify(token)
    _check_service(link, invitation)
    return invitation


def _seal(secret: LinkSecret, token: str) -> bytes:
    """The same bytes for the same secret and text, whoever seals; another text has another nonce."""
    text = token.encode()
    nonce = hmac.digest(secret.secret, b"Conclave 1.0 invitation nonce" + text, "sha256")[:NONCE_BYTES]
    return secret.sealer().seal(text, SEAL_PURPOSE, nonce)


def _check_service(link: Link, invitation: SignedInvitation) -> None:
    if _host_and_port(invitation.content.service) != (link.host, link.port):
        raise InvitationError(
            "the invitation is for another conference service than the link leads to",
            hint="do not join; ask the host for the link again",
        )


def is_service_address(text: str) -> bool:
    """Whether a link can lead to a conference service at this address."""
    try:
        _host_and_port(text)
    except InvitationError:
        return False
    return True


def _host_and_port(service: str) -> tuple[str, int]:
    refusal = InvitationError(
        "the service's address is not of the form wss://HOST[:PORT]", hint="for example wss://hub.example.com"
    )
    if not service.startswith("wss://"):
        raise refusal
    rest = service.removeprefix("wss://")
    before, _, last = rest.rpartition(":")
    host, port = (before, last) if _PORT.fullmatch(last) else (rest, "443")
    try:
        Link.decode(Link(host, int(port), bytes(32), LinkSecret(bytes(32))).encode())
    except InvitationError as error:
        raise refusal from error
    return host, int(port)
