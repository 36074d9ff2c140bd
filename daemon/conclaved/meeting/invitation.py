"""The invitation: who may come, for how long, and under which rules.

The first host signs it with its certificate's key (JWS, RFC 7515, ES256, `x5c`). It narrows
trust and never adds an anchor: whoever receives it judges the signer by its own anchors. The
token itself stands in the group's context from the first epoch, so that all members know that
they are in the meeting that they were invited to.
"""

import base64
import binascii
import json
import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum
from functools import lru_cache
from typing import Any, TypeVar

from conclaved.identity import jws
from conclaved.identity.errors import IdentityError
from conclaved.identity.signer import Signer
from conclaved.meeting.errors import InvitationError

TYPE = "conclave-invitation+jws"
MEETING_ID_BYTES = 16
MAX_INVITED = 5000
SEAL_PURPOSE = b"invitation"

T = TypeVar("T")

_NAME = re.compile(r"@?[a-z0-9._+-]+(@[a-z0-9.-]+)?")
_SERVICE = re.compile(r"wss://[!-~]{1,294}")
# Control characters and surrogates; the marks that reorder what stands around them.
_UNSHOWABLE_CATEGORIES = ("Cc", "Cs")
_REORDERING = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


class Level(Enum):
    """How strict a meeting is (DESIGN §4)."""

    LOCKED = "locked"
    """Verified names only, no service ends, hosts admit."""
    STANDARD = "standard"
    """Verified names and guests of the provider; allow-listed service ends."""


@dataclass(frozen=True, slots=True)
class Invitation:
    """The signed content."""

    meeting_id: bytes
    """16 random bytes."""
    serial: int
    """Of the same meeting id and signer, a higher serial replaces."""
    title: str
    service: str
    """`wss://host:port`"""
    level: Level
    invited: tuple[str, ...]
    """Names in lower case, or `@domain` for everybody of a domain."""
    service_ends: tuple[str, ...]
    """Names of recorders, transcribers... that may be admitted."""
    is_open: bool
    """The link alone admits guests."""
    link_public_key: bytes
    """The link key's public half, 65 bytes."""
    not_before: int
    not_after: int
    """Seconds since 1970."""
    hosts: tuple[str, ...] = ()
    """Whole names that a host's device lets in by itself, as hosts too, once it has verified them."""

    _named: frozenset[str] | None = field(default=None, init=False, repr=False, compare=False)

    def invites(self, name: str) -> bool:
        """Whether `name` (lower case) is on the list, itself or by its domain."""
        if name in self.invited:
            return True
        return any(domain in self.invited for domain in _domains_of(name))

    def expects(self, name: str) -> bool:
        """Whether `name` (lower case) is on any list: invited, host or service end."""
        named = self._named
        if named is None:
            named = frozenset((*self.hosts, *self.service_ends, *self.invited))
            object.__setattr__(self, "_named", named)
        return name in named or any(domain in named for domain in _domains_of(name))

    def payload(self) -> bytes:
        """The JSON that is signed."""
        return json.dumps(
            {
                "meeting": _b64(self.meeting_id),
                "serial": self.serial,
                "title": self.title,
                "service": self.service,
                "level": self.level.value,
                "hosts": list(self.hosts),
                "invited": list(self.invited),
                "service_ends": list(self.service_ends),
                "open": self.is_open,
                "link_key": _b64(self.link_public_key),
                "nbf": self.not_before,
                "exp": self.not_after,
            },
            ensure_ascii=False,
            separators=(",", ":"),
            sort_keys=True,
        ).encode()

    def sign(self, signer: Signer, chain: Sequence[bytes]) -> str:
        """The compact JWS. Raises InvitationError for content that nobody would accept."""
        _check(self)
        return jws.sign(self.payload(), signer, chain, typ=TYPE)


@dataclass(frozen=True, slots=True)
class SignedInvitation:
    """A token whose signature holds, with who signed it."""

    token: str
    content: Invitation
    chain: tuple[bytes, ...]
    """The signer's certificates, DER, leaf first."""
    signer_key: bytes
    """The signer's public key, 65 bytes: the root of all admissions."""

    @classmethod
    def verify(cls, token: str) -> "SignedInvitation":
        """Check the signature and the form, nothing else: trust and time are the caller's.

        Raises InvitationError.
        """
        return _verify(token)

    def check_time(self, now: int) -> None:
        """Raise InvitationError unless the invitation is valid at `now` (seconds since 1970)."""
        if now < self.content.not_before:
            raise InvitationError(
                f"the meeting has not begun yet: it begins {_moment(self.content.not_before)}",
                hint="join at the time of the invitation",
            )
        if now >= self.content.not_after:
            raise InvitationError(
                f"the invitation has expired: it ended {_moment(self.content.not_after)}",
                hint="ask the host for a new link",
            )

    def replaces(self, other: "SignedInvitation", name_of: Callable[[tuple[bytes, ...]], str]) -> bool:
        """Whether this one stands in the other's place: same meeting, signer's name, higher serial."""
        return (
            self.content.meeting_id == other.content.meeting_id
            and name_of(self.chain) == name_of(other.chain) != ""
            and self.content.serial > other.content.serial
        )


@lru_cache(maxsize=64)
def _verify(token: str) -> SignedInvitation:
    try:
        signed = jws.verify(token, typ=TYPE)
    except IdentityError as error:
        raise InvitationError(
            f"the invitation is not validly signed: {error}", hint="ask the host for the link again"
        ) from error
    return SignedInvitation(token, _parse(signed.payload), tuple(signed.chain), signed.signature_key)


def _domains_of(name: str) -> list[str]:
    """`@domain` of a name, and of every domain above that."""
    labels = name.rsplit("@", 1)[-1].split(".")
    return ["@" + ".".join(labels[i:]) for i in range(len(labels))]


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _refuse(what: str) -> InvitationError:
    return InvitationError(f"the invitation is malformed: {what}", hint="ask the host for a new link")


def _check(invitation: Invitation) -> None:
    if len(invitation.meeting_id) != MEETING_ID_BYTES:
        raise _refuse("meeting id")
    if len(invitation.link_public_key) != 65:
        raise _refuse("link key")
    if not 0 < invitation.serial < 2**53:
        raise _refuse("serial")
    if not 0 <= invitation.not_before < invitation.not_after < 2**53:
        raise _refuse("validity")
    if len(invitation.title) > 200:
        raise _refuse("the title is longer than 200 characters")
    if any(unicodedata.category(c) in _UNSHOWABLE_CATEGORIES or c in _REORDERING for c in invitation.title):
        raise _refuse("the title holds what cannot be shown")
    if not _SERVICE.fullmatch(invitation.service):
        raise _refuse("service address")
    whole_names = (*invitation.hosts, *invitation.service_ends)
    names = (*invitation.invited, *whole_names)
    if len(names) > MAX_INVITED:
        raise _refuse(f"more than {MAX_INVITED} names")
    for name in names:
        if len(name) > 254 or not _NAME.fullmatch(name):
            raise InvitationError(
                "the invitation names somebody in a form that cannot be verified",
                hint="names are domains, mail addresses, or @domain, in lower case",
            )
    if any(name.startswith("@") for name in whole_names):
        raise InvitationError(
            "the invitation makes a whole domain hosts or service ends",
            hint="name each host and each service end",
        )
    if not set(invitation.hosts).isdisjoint(invitation.service_ends):
        raise _refuse("a host that is a service end")
    if invitation.level is Level.LOCKED and (invitation.is_open or invitation.service_ends):
        raise _refuse("a locked meeting is neither open nor has service ends")


def _parse(payload: bytes) -> Invitation:
    try:
        data: Any = json.loads(payload)
    except (ValueError, RecursionError) as error:
        raise _refuse("not JSON") from error
    if not isinstance(data, dict):
        raise _refuse("not an object")

    def claim(name: str, kind: type[T]) -> T:
        value = data.get(name)
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise _refuse(name)
        return value

    def names(name: str) -> tuple[str, ...]:
        if name == "hosts" and name not in data:
            return ()
        values = claim(name, list)
        if not all(isinstance(value, str) for value in values):
            raise _refuse(name)
        return tuple(values)

    def octets(name: str) -> bytes:
        text = claim(name, str)
        try:
            data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        except (binascii.Error, ValueError) as error:
            raise _refuse(name) from error
        if _b64(data) != text:
            raise _refuse(name)
        return data

    try:
        level = Level(claim("level", str))
    except ValueError as error:
        raise _refuse("level") from error
    invitation = Invitation(
        meeting_id=octets("meeting"),
        serial=claim("serial", int),
        title=claim("title", str),
        service=claim("service", str),
        level=level,
        hosts=names("hosts"),
        invited=names("invited"),
        service_ends=names("service_ends"),
        is_open=claim("open", bool),
        link_public_key=octets("link_key"),
        not_before=claim("nbf", int),
        not_after=claim("exp", int),
    )
    _check(invitation)
    return invitation


def _moment(seconds: int) -> str:
    """A time as people read it, to the minute. In UTC: this package knows no place."""
    try:
        return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M} UTC"
    except (ValueError, OverflowError, OSError):
        return f"at second {seconds}"
