"""What a host does beside the lobby: `kick`, `removed`, `allow-back`, `hand-over`, `end`."""

import asyncio
from collections.abc import Callable

import click

from conclave_provisioning.cli.changes import dry_run_option, one_change, tell
from conclave_provisioning.cli.client import RoomClient
from conclave_provisioning.cli.errors import CommandError, ErrorKind
from conclave_provisioning.cli.invocation import refuse, run, shared_options
from conclave_provisioning.cli.meeting.people import find_participant, present, require_host
from conclave_provisioning.cli.model import Meeting, Participant, Removed, as_json
from conclave_provisioning.cli.output import Output, assurance_words
from conclave_provisioning.cli.question import confirm
from conclave_provisioning.cli.status import meeting_name

DONE_WITHIN_S = 30.0


async def _until(client: RoomClient, is_done: Callable[[Meeting], bool], what: str) -> Meeting:
    """Wait until the meeting shows what was asked for. Raises CommandError if it does not come about."""
    try:
        async with asyncio.timeout(DONE_WITHIN_S):
            async for found in client.states(Meeting):
                if is_done(found):
                    return found
                if found.state != "in_meeting":
                    reason = found.left_reason or found.state
                    raise CommandError(ErrorKind.NOT_IN_MEETING, f"the room left before {what}: {reason}")
    except TimeoutError as error:
        raise CommandError(
            ErrorKind.TIMED_OUT,
            f"asked, but after {DONE_WITHIN_S:g} s not {what}",
            hint="see how it stands: conclavectl meeting roster",
        ) from error
    raise AssertionError("states end only by an error")


def _is_gone(found: Meeting, person: Participant) -> bool:
    # A room that has left sees nobody: that proves nothing.
    is_there = any((p.leaf, p.name) == (person.leaf, person.name) for p in found.participants)
    return found.state == "in_meeting" and not is_there


def _is_forgiven(found: Meeting, key_id: str) -> bool:
    return found.state == "in_meeting" and all(r.key_id != key_id for r in found.removed)


@click.command(short_help="Remove somebody from the meeting.")
@click.argument("who", metavar="NAME|LEAF")
@dry_run_option
@shared_options
def kick(who: str, dry_run: bool) -> None:
    """Remove somebody from the meeting, as a host, and keep them out.

    From then on everybody uses new keys, which the removed one does not have. A return is refused until a
    host says `allow-back`.

    \b
    Examples:
      conclavectl meeting kick guest.partner.example
      conclavectl meeting kick 3         (its leaf, where two have the same name)

    JSON: ok, changed, dry_run, changes, leaf, name, assurance, epoch (the first one without them).
    """

    async def action(client: RoomClient, output: Output) -> None:
        await client.listen()
        found = await present(client)
        require_host(found)
        person = find_participant(found, who)
        after = found
        if not dry_run:
            await client.act("Meeting", "Kick", "xs", person.leaf, person.key_id)
            after = await _until(client, lambda now: _is_gone(now, person), "removed")
        tell(
            output,
            one_change(f"meeting.participants.{person.name}", "in", "removed", dry_run=dry_run),
            f"removed: {person.name} ({assurance_words(person.assurance)}); new keys in epoch {after.epoch}",
            leaf=person.leaf,
            name=person.name,
            assurance=person.assurance,
            epoch=after.epoch,
        )

    run(action)


@click.command(short_help="List who was removed and is kept out.")
@shared_options
def removed() -> None:
    """List who was removed from the meeting and is kept out.

    A host that came later knows the key of one who was removed, and not the name.

    \b
    Example:
      conclavectl meeting removed

    JSON: removed [{key_id, name}]; the name is empty where this room does not know it.
    """

    async def action(client: RoomClient, output: Output) -> None:
        found = await present(client)
        require_host(found)
        output.data(removed=as_json(found.removed))
        if not found.removed:
            output.line("nobody was removed")
            return
        output.table(("id", "name"), [(r.key_id, r.name or "not known here") for r in found.removed])

    run(action)


@click.command("allow-back", short_help="Let a removed one ask to join again.")
@click.argument("who", metavar="NAME|ID")
@dry_run_option
@shared_options
def allow_back(who: str, dry_run: bool) -> None:
    """Let somebody who was removed ask to join again.

    It does not bring them back by itself: when they ask, whoever is invited and verified comes in at once,
    and everybody else waits in the lobby.

    \b
    Examples:
      conclavectl meeting allow-back guest.partner.example
      conclavectl meeting allow-back 00112233445566aa    (see `meeting removed`)

    JSON: ok, changed, dry_run, changes, key_id, name.
    """

    async def action(client: RoomClient, output: Output) -> None:
        await client.listen()
        found = await present(client)
        require_host(found)
        one = _find_removed(found, who)
        if not dry_run:
            await client.act("Meeting", "AllowBack", "s", one.key_id)
            await _until(client, lambda now: _is_forgiven(now, one.key_id), "allowed back")
        known = one.name or one.key_id
        report = one_change(f"meeting.removed.{known}", "kept out", "may ask to join", dry_run=dry_run)
        tell(output, report, f"may ask to join again: {known}", key_id=one.key_id, name=one.name)

    run(action)


def _find_removed(found: Meeting, who: str) -> Removed:
    """Return the removed one meant: by its id, or by a name that only one of them had."""
    matches = [r for r in found.removed if r.key_id == who.lower()]
    matches = matches or [r for r in found.removed if r.name and r.name == who.lower()]
    if not matches:
        raise CommandError(
            ErrorKind.NOT_FOUND,
            f"nobody called {who} was removed",
            hint="see who was: conclavectl meeting removed",
        )
    if len(matches) > 1:
        ids = ", ".join(r.key_id for r in matches)
        raise refuse(f"{len(matches)} were removed as {who}", hint=f"say which by its id: {ids}")
    return matches[0]


@click.command("hand-over", short_help="Make somebody in the meeting a host too.")
@click.argument("who", metavar="NAME|LEAF")
@click.option("--yes", is_flag=True, help="Do not ask, even where they are not verified.")
@dry_run_option
@shared_options
def hand_over(who: str, yes: bool, dry_run: bool) -> None:
    """Make somebody in the meeting a host too. This room stays a host until it leaves.

    Of somebody who is not verified it asks first on a terminal; elsewhere it wants --yes.

    \b
    Examples:
      conclavectl meeting hand-over ana.example.com && conclavectl meeting leave
      conclavectl meeting hand-over guest.partner.example --yes

    JSON: ok, changed, dry_run, changes, leaf, name, assurance.
    """

    async def action(client: RoomClient, output: Output) -> None:
        await client.listen()
        found = await present(client)
        require_host(found)
        person = find_participant(found, who)
        is_host = person.role == "host"
        if person.assurance != "verified" and not (yes or dry_run or is_host):
            doubt = f'"{person.name}" is {assurance_words(person.assurance)}'
            confirm(
                f"{doubt}: make it a host all the same?",
                lacking=f"{doubt}, and nobody is here to confirm",
                refused="not confirmed, so nobody was made a host",
                instead="see who is verified: conclavectl meeting roster",
            )
        if not dry_run and not is_host:
            await client.act("Meeting", "HandOver", "xs", person.leaf, person.key_id)
            await _until(client, lambda now: _is_host(now, person), f"made a host: {person.name}")
        tell(
            output,
            one_change(f"meeting.participants.{person.name}.role", person.role, "host", dry_run=dry_run),
            f"a host now: {person.name} ({assurance_words(person.assurance)})",
            leaf=person.leaf,
            name=person.name,
            assurance=person.assurance,
        )

    run(action)


def _is_host(found: Meeting, person: Participant) -> bool:
    return any((p.leaf, p.name, p.role) == (person.leaf, person.name, "host") for p in found.participants)


@click.command(short_help="End the meeting for everybody.")
@click.option("--yes", is_flag=True, help="Do not ask whether it is meant.")
@dry_run_option
@shared_options
def end(yes: bool, dry_run: bool) -> None:
    """End the meeting for everybody, as a host. To leave it alone: conclavectl meeting leave.

    On a terminal it asks first; elsewhere it wants --yes.

    \b
    Examples:
      conclavectl meeting end
      conclavectl meeting end --yes --json

    JSON: ok, changed, dry_run, changes, title.
    """

    async def action(client: RoomClient, output: Output) -> None:
        await client.listen()
        found = await present(client)
        require_host(found)
        others = len(found.participants) - 1
        if not yes and not dry_run:
            confirm(
                f"End {meeting_name(found)} for all, this room and {others} more?",
                lacking="it would end for all, and nobody is here to confirm",
                refused="not confirmed, so nothing was ended",
                instead="to leave alone: conclavectl meeting leave",
            )
        if not dry_run:
            await client.act("Meeting", "EndForAll")
            await _until(client, lambda now: now.state != "in_meeting", "ended")
        report = one_change("meeting.state", "in_meeting", "ended for all", dry_run=dry_run)
        tell(output, report, f"ended for all: {meeting_name(found)}", title=found.title)

    run(action)
