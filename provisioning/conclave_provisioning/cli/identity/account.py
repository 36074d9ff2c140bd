"""`identity test`, `account`, `record`: what there is to ask of the CA beside a certificate."""

from typing import Any

import click

from conclave_provisioning.cli.certificates import check_domains
from conclave_provisioning.cli.changes import Report, change, dry_run_option, one_change, tell
from conclave_provisioning.cli.client import RoomClient
from conclave_provisioning.cli.errors import CommandError
from conclave_provisioning.cli.identity.failures import kind_of
from conclave_provisioning.cli.invocation import run, shared_options
from conclave_provisioning.cli.output import Output
from conclave_provisioning.cli.question import confirm
from conclave_provisioning.cli.status import label

REHEARSED_WITHIN_S = 600.0


@click.command("test", short_help="Rehearse an enrollment, at the CA's staging directory.")
@click.option("--directory", metavar="URL", default="", help="Another directory; a real order there counts.")
@shared_options
def rehearse(directory: str) -> None:
    """Rehearse the enrollment of the room's domain, with a key that is thrown away; nothing is changed.

    It shows whether the CA reaches this room on port 80, or finds the DNS record. What fails has the exit
    code that `identity enroll` would have.

    \b
    Examples:
      conclavectl identity test
      conclavectl identity test --directory https://staging.example.com/dir

    JSON: ok, steps [text].
    """

    async def action(client: RoomClient, output: Output) -> None:
        options = {"directory_url": directory} if directory else {}
        with output.progress("rehearsing an enrollment; this may take minutes"):
            (found,) = await client.act("Identity", "Test", options=options, within_s=REHEARSED_WITHIN_S)
        steps = [str(step) for step in found.get("steps", [])]
        if found.get("is_good") is not True:
            for step in steps:
                output.line(step)
            raise CommandError(
                kind_of(str(found.get("error_kind", ""))),
                str(found.get("error", "")) or "the rehearsal failed",
                hint=str(found.get("hint", "")) or "mend that, then rehearse again",
            )
        output.data(ok=True, steps=steps)
        for step in steps:
            output.line(step)
        output.line(("it would work", "green"), ": conclavectl identity enroll")

    run(action)


@click.command(short_help="The room's account at the CA.")
@click.option("--roll-key", is_flag=True, help="Put it under a new key.")
@click.option("--deactivate", is_flag=True, help="End it for good; certificates stay valid.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@dry_run_option
@shared_options
def account(roll_key: bool, deactivate: bool, yes: bool, dry_run: bool) -> None:
    """Show the ACME account of the room, put it under a new key, or end it.

    The account is what CAA and dns-persist-01 records name. To show it registers it, if there is none yet.

    \b
    Examples:
      conclavectl identity account
      conclavectl identity account --roll-key

    JSON: account {url, status, contact, directory_url}; after a change: ok, changed, dry_run, changes.
    """
    if roll_key and deactivate:
        raise click.UsageError("give one of --roll-key and --deactivate")

    async def action(client: RoomClient, output: Output) -> None:
        if dry_run and (roll_key or deactivate):
            key, after = ("acme.account.key", "a new key") if roll_key else ("acme.account", "")
            tell(output, one_change(key, "the present one", after, dry_run=True), "")
            return
        if deactivate and not yes:
            confirm(
                "end the account at the CA for good?",
                lacking="it would end the account for good, and nobody is here to confirm",
                refused="not confirmed, so the account goes on",
                instead="for a new key: conclavectl identity account --roll-key",
            )
        if roll_key or deactivate:
            report = await _changed(client, "RollAccountKey" if roll_key else "DeactivateAccount")
            output.data(**report.json())
            report.say(output, "the account has a new key" if roll_key else "the account is ended")
            return
        (found,) = await client.act("Identity", "Account")
        output.data(account=found)
        label(output, "account", [str(found.get("url", ""))])
        label(output, "status", [str(found.get("status", ""))])
        label(output, "contact", [", ".join(map(str, found.get("contact", []))) or "none"])
        label(output, "directory", [str(found.get("directory_url", ""))])

    run(action)


async def _changed(client: RoomClient, member: str) -> Report:
    return await change(client, "Identity", member, dry_run=False, has_options=False)


@click.command(short_help="The DNS record that lets the room have certificates for good.")
@click.argument("domain", default="")
@shared_options
def record(domain: str) -> None:
    """Print the TXT record of dns-persist-01 for DOMAIN (the room's, by default), and whether DNS has it.

    With it in the zone, no credential for DNS need be in the room: acme.challenge dns-persist-01.

    \b
    Example:
      conclavectl identity record room.example.com

    JSON: record {name, value, zone_line, is_seen}.
    """
    check_domains((domain,) if domain else (), option="")

    async def action(client: RoomClient, output: Output) -> None:
        (found,) = await client.act("Identity", "PersistentRecord", "s", domain)
        output.data(record=found)
        output.line(str(found.get("zone_line", "")))
        is_seen: Any = found.get("is_seen")
        output.line(("seen", "green") if is_seen is True else ("not seen in DNS yet", "yellow"))

    run(action)
