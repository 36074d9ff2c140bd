"""`conclavectl meeting roster` and `code`: who is in, and the code to compare."""

import time
from collections.abc import Iterator

import click

from conclave_provisioning.cli.client import RoomClient
from conclave_provisioning.cli.errors import CommandError, ErrorKind
from conclave_provisioning.cli.invocation import refuse, run, shared_options
from conclave_provisioning.cli.model import SERVICE_END, Meeting, Participant, as_json
from conclave_provisioning.cli.output import ASSURANCE_STYLES, Output, assurance_words


async def present(client: RoomClient) -> Meeting:
    """The meeting that the room is in. Raises CommandError(NOT_IN_MEETING)."""
    found = await client.read(Meeting)
    if found.state == "lobby":
        raise CommandError(
            ErrorKind.NOT_IN_MEETING,
            "the room waits in the lobby; it is not in the meeting yet",
            hint="wait for a host, or give up: conclavectl meeting leave",
        )
    if found.state != "in_meeting":
        raise CommandError(ErrorKind.NOT_IN_MEETING, f"the room is not in a meeting ({found.state})")
    return found


def require_host(found: Meeting) -> None:
    """Raises CommandError(NOT_PERMITTED) where this room decides nothing, and says who does."""
    if not found.is_host:
        hosts = [p.name for p in found.participants if p.role == "host"]
        raise CommandError(
            ErrorKind.NOT_PERMITTED,
            "this room is not a host of the meeting",
            hint=f"ask a host: {', '.join(hosts)}" if hosts else "no host is in the meeting",
        )


def find_participant(found: Meeting, who: str) -> Participant:
    """Return the participant meant: by its leaf, or by a name that only one of them has.

    One name may stand on two leaves, as after a rejoin: then only the leaf says which is meant. Raises
    CommandError, also for the room itself.
    """
    matches = [p for p in found.participants if str(p.leaf) == who]
    matches = matches or [p for p in found.participants if p.name == who.lower()]
    matches = matches or [p for p in found.participants if p.name == who]
    if not matches:
        raise CommandError(
            ErrorKind.NOT_FOUND,
            f"nobody called {who} is in the meeting",
            hint="see who is: conclavectl meeting roster",
        )
    if len(matches) > 1:
        leaves = ", ".join(str(p.leaf) for p in matches)
        raise refuse(f"{len(matches)} are in as {who}", hint=f"say which by its leaf: {leaves}")
    (match,) = matches
    if match.is_self:
        raise refuse(f"{match.name} is this room itself", hint="to leave: conclavectl meeting leave")
    return match


def local_time(seconds: int) -> str:
    """A moment of this meeting in the device's own zone: the time, and the day where it is another one."""
    then = time.localtime(seconds)
    is_today = then[:3] == time.localtime()[:3]
    return time.strftime("%H:%M:%S" if is_today else "%Y-%m-%d %H:%M:%S", then)


@click.command(short_help="List who is in, and who is verified.")
@shared_options
def roster() -> None:
    """List who is in the meeting, who is verified, and who of those invited by name is missing.

    "not expected" is said of whom the invitation does not name: an admitted guest, or somebody of an invited
    domain. "compared" is said of whom people in the room ticked off after they compared the present code.

    JSON: epoch, participants [{leaf, name, assurance, role, is_self, is_heard, reason, issuer, admitted_by,
    is_expected, is_compared, key_id, microphone, camera}], missing [name].
    microphone (live, muted, unknown) and camera (live, muted, closed, unknown) are what each says of itself.
    Only the assurance "verified" is verified. A recorder's or transcriber's role is "service end".

    \b
    Example:
      conclavectl meeting roster
    """

    async def action(client: RoomClient, output: Output) -> None:
        found = await present(client)
        output.data(
            epoch=found.epoch, participants=as_json(found.participants), missing=as_json(found.missing)
        )
        rows = [
            (
                str(p.leaf),
                f"{p.name} (this room)" if p.is_self else p.name,
                (assurance_words(p.assurance), ASSURANCE_STYLES.get(p.assurance, "red")),
                (p.role, "yellow" if p.role == SERVICE_END else ""),
                ", ".join(_remarks(p)),
                p.reason or (f"by {p.issuer}" if p.issuer else ""),
            )
            for p in found.participants
        ]
        output.table(("leaf", "name", "assurance", "role", "", "why"), rows)
        if services := [p.name for p in found.participants if p.role == SERVICE_END]:
            output.line(("it is being recorded or transcribed by: ", "yellow"), ", ".join(services))
        if found.missing:
            output.line("missing: ", ", ".join(found.missing))

    run(action)


def _remarks(person: Participant) -> Iterator[str]:
    if not person.is_heard and not person.is_self:
        yield "not heard"
    if not person.is_expected:
        yield "not expected"
    if person.is_compared:
        yield "compared"
    # Live goes without saying; unknown is said, since nobody may take it for muted.
    yield from (words for words in media_words(person) if not words.endswith(" live"))


def media_words(person: Participant) -> tuple[str, str]:
    """What a member says of its microphone and its camera."""
    camera = "closed by its shutter" if person.camera == "closed" else person.camera
    return f"microphone {person.microphone}", f"camera {camera}"


@click.command(short_help="Print the security code to compare.")
@shared_options
def code() -> None:
    """Print the security code, to compare with the other ends' over another channel.

    The second line says since when it is this one, and why it changed then.

    JSON: code (six groups of five digits; empty while alone), epoch, code_epoch, code_time (seconds since
    1970), reason, compared [name] (whom people in the room have ticked off).

    \b
    Example:
      conclavectl meeting code
    """

    async def action(client: RoomClient, output: Output) -> None:
        found = await present(client)
        output.data(
            code=found.security_code,
            epoch=found.epoch,
            code_epoch=found.code_epoch,
            code_time=found.code_time,
            reason=found.code_reason,
            compared=[p.name for p in found.participants if p.is_compared],
        )
        if not found.security_code:
            output.line("no code while this room is alone in the meeting")
            return
        output.line(found.security_code)
        since = f"since {local_time(found.code_time)}" if found.code_time else "now"
        output.line(f"{since}: {found.code_reason}" if found.code_reason else since)

    run(action)
