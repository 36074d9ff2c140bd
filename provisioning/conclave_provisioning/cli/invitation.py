"""An invitation as the command line knows it: the link, and what the signed token says about the meeting.

The file is JSON: {"conclave": "invitation", "version": 1, "title", "link", "invitation"}. It holds the link's
secret, as the link does. Its title is for whoever opens it in an editor; what counts is signed.
"""

import base64
import binascii
import json
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime

from conclave_provisioning.cli.errors import CommandError, ErrorKind

JWS_TYPE = "conclave-invitation+jws"
KIND = "invitation"
VERSION = 1
WHAT = "the invitation"
_LINK = re.compile(
    r"https://(?P<place>(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]{1,253})(?::[0-9]{1,5})?)"
    r"/m/[A-Za-z0-9_-]{43}#[A-Za-z0-9_-]{43}"
)


@dataclass(frozen=True, slots=True)
class Facts:
    """What an invitation's token says; the signature is right, and nobody has vouched for the signer."""

    meeting_id: bytes
    """16 bytes."""
    serial: int
    title: str
    level: str
    service: str
    """`wss://host:port`."""
    not_before: int
    not_after: int
    """Seconds since 1970."""


@dataclass(frozen=True, slots=True)
class WayIn:
    """What a room needs to join."""

    link: str = field(repr=False)
    token: str = ""
    """The signed invitation; empty where the conference service has to give it."""


def is_link(text: str) -> bool:
    """Whether `text` has the form of a meeting link."""
    return _LINK.fullmatch(text) is not None


def read_facts(token: str) -> Facts:
    """Read a signed invitation. Raises CommandError(NOT_GENUINE)."""
    # A large library comes with it: a link is joined without.
    from conclave_provisioning.cli.signed_token import read_object, read_token

    values = read_object(read_token(token, typ=JWS_TYPE, what=WHAT).payload, WHAT)
    texts = [values.get(name) for name in ("title", "level", "service")]
    numbers = [values.get(name) for name in ("serial", "nbf", "exp")]
    if not all(isinstance(text, str) for text in texts) or not all(type(n) is int for n in numbers):
        raise _damaged()
    try:
        meeting_id = base64.urlsafe_b64decode(f"{values.get('meeting')}==")
    except (ValueError, binascii.Error) as error:
        raise _damaged() from error
    if len(meeting_id) != 16:
        raise _damaged()
    title, level, service = map(str, texts)
    serial, not_before, not_after = (n for n in numbers if isinstance(n, int))
    return Facts(meeting_id, serial, title, level, service, not_before, not_after)


def write_file(title: str, way: WayIn) -> bytes:
    """An invitation as a file."""
    content = {
        "conclave": KIND,
        "version": VERSION,
        "title": title,
        "link": way.link,
        "invitation": way.token,
    }
    return (json.dumps(content, indent=2) + "\n").encode()


def read_file(content: bytes, name: str, now: float) -> WayIn:
    """Read an invitation file. `name` is what people call it, `now` seconds since 1970.

    Raises CommandError: for another kind of file, a forged one, one whose two halves do not belong together,
    and one that has expired. Whether its signer is trusted is for the room to say.
    """
    try:
        values = json.loads(content.decode())
    except (ValueError, RecursionError):
        values = None
    if not isinstance(values, dict) or values.get("conclave") != KIND:
        raise CommandError(
            ErrorKind.INVALID_ARGUMENT,
            f"{name} is no invitation of Conclave's",
            hint="give a file of `conclavectl meeting create --file` or `--ics`, or the link",
        )
    if values.get("version") != VERSION:
        raise CommandError(
            ErrorKind.INVALID_ARGUMENT,
            f"{name} is of a version that this conclavectl does not know",
            hint="update this machine, or join by the link",
        )
    link, token = values.get("link"), values.get("invitation")
    match = _LINK.fullmatch(link) if isinstance(link, str) else None
    if match is None or not isinstance(link, str) or not isinstance(token, str):
        raise CommandError(
            ErrorKind.INVALID_ARGUMENT, f"{name} is not whole", hint="ask the host to send it again"
        )
    facts = read_facts(token)
    place = facts.service.removeprefix("wss://").removesuffix(":443")
    if place != match["place"].removesuffix(":443"):
        raise CommandError(
            ErrorKind.NOT_GENUINE,
            f"the link in {name} leads to another conference service than the invitation that was signed",
        )
    if now >= facts.not_after:
        raise CommandError(
            ErrorKind.REFUSED,
            f"the invitation to {facts.title} ended on {moment(facts.not_after)}",
            hint="ask the host for a new one",
        )
    return WayIn(link, token)


def moment(seconds: int, form: str = "%Y-%m-%d %H:%M UTC") -> str:
    """A time as people read it: to the minute, if `form` says nothing else."""
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime(form)
    except (ValueError, OverflowError, OSError):
        return f"second {seconds}"


def _damaged() -> CommandError:
    return CommandError(ErrorKind.NOT_GENUINE, f"{WHAT} does not hold what it should")
