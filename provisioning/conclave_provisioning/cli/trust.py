"""`conclavectl trust`: whose word about a name counts."""

from typing import BinaryIO

import click

from conclave_provisioning.cli.certificates import check_domains, domain_words, ends, read_pem
from conclave_provisioning.cli.changes import change, dry_run_option
from conclave_provisioning.cli.client import RoomClient
from conclave_provisioning.cli.errors import CommandError, ErrorKind
from conclave_provisioning.cli.invocation import run, shared_options
from conclave_provisioning.cli.model import Meeting, Trust, as_json
from conclave_provisioning.cli.output import ASSURANCE_STYLES, Output, assurance_words
from conclave_provisioning.cli.status import meeting_name

SHORT_FINGERPRINT = 16


@click.group(short_help="The authorities whose word about a name is believed.")
@shared_options
def trust() -> None:
    """The certificate authorities whose word about a name is believed."""


@trust.command("list", short_help="List the trust anchors.")
@shared_options
def list_anchors() -> None:
    """List the trust anchors.

    JSON: anchors [{label, kind, domains, fingerprint, not_after}]; the fingerprint is the SHA-256 of the
    public key, of which people see the beginning.

    \b
    Example:
      conclavectl trust list
    """

    async def action(client: RoomClient, output: Output) -> None:
        found = await client.read(Trust)
        output.data(anchors=as_json(found.anchors))
        if not found.anchors:
            output.line(
                "no trust anchors: nobody can be verified; add one: conclavectl trust add FILE.pem ..."
            )
            return
        rows = []
        for anchor in found.anchors:
            end = ends(anchor.not_after)
            rows.append(
                (
                    anchor.label,
                    (assurance_words(anchor.kind), ASSURANCE_STYLES.get(anchor.kind, "red")),
                    domain_words(anchor.domains),
                    (end, "red" if end.startswith("ended") else ""),
                    anchor.fingerprint[:SHORT_FINGERPRINT] + "…",
                )
            )
        output.table(("label", "makes", "for", "valid", "key"), rows)

    run(action)


@trust.command("add", short_help="Trust a CA certificate.")
@click.argument("file", type=click.File("rb"))
@click.option("--label", required=True, help="A name for it, to remove it by.")
@click.option(
    "--kind",
    type=click.Choice(["verified", "provider"]),
    required=True,
    help="verified: its names are shown as verified. provider: the conference provider's own CA.",
)
@click.option(
    "--domain", "domains", multiple=True, help="What it may vouch for; again for more. Default: anything."
)
@click.option("--bundle", is_flag=True, help="FILE may hold several certificates: trust all of them.")
@dry_run_option
@shared_options
def add_anchor(
    file: BinaryIO, label: str, kind: str, domains: tuple[str, ...], bundle: bool, dry_run: bool
) -> None:
    """Trust the CA certificate in FILE (PEM; - for stdin). One that is there already is no change.

    \b
    Examples:
      conclavectl trust add office-ca.pem --label office --kind verified --domain example.com
      conclavectl trust add roots.pem --bundle --label group --kind verified --domain example.com

    JSON: ok, changed, dry_run, changes [{key, before, after, effect}], certificates [{subject, not_after}].
    """
    if not label.strip():
        raise CommandError(
            ErrorKind.INVALID_ARGUMENT,
            "--label is empty",
            hint="give a name to remove it by, such as --label office",
        )
    check_domains(domains)
    pem, certificates = read_pem(file)
    if len(certificates) > 1 and not bundle:
        raise CommandError(
            ErrorKind.INVALID_ARGUMENT,
            f"{file.name} holds {len(certificates)} certificates",
            hint="give the CA's alone, or trust all of them with --bundle",
        )

    async def action(client: RoomClient, output: Output) -> None:
        report = await change(
            client,
            "Trust",
            "AddAnchor",
            "sss",
            pem,
            label,
            kind,
            options={"domains": domains},
            dry_run=dry_run,
        )
        where = f"for {domain_words(domains)}"
        if len(certificates) == 1:
            (one,) = certificates
            words = f"trusted as {kind} {where}: {label} ({one.subject}, {ends(one.not_after)})"
        else:
            words = f"trusted as {kind} {where}: {label}, {len(certificates)} certificates"
        output.data(**report.json(), certificates=as_json(certificates))
        report.say(output, words)
        if len(certificates) > 1:
            for one in certificates:
                output.line(f"  {one.subject}, {ends(one.not_after)}")

    run(action)


@trust.command("remove", short_help="Trust an authority no longer.")
@click.argument("label")
@dry_run_option
@shared_options
def remove_anchor(label: str, dry_run: bool) -> None:
    """Trust the anchors with this LABEL (or key fingerprint) no longer. Where there is none, nothing changes.

    In a meeting everybody is judged anew: it says who is not verified any more.

    \b
    Example:
      conclavectl trust remove office

    JSON: ok, changed, dry_run, changes [{key, before, after, effect}], no_longer_verified [name].
    """

    async def action(client: RoomClient, output: Output) -> None:
        before = await client.read(Meeting)
        report = await change(client, "Trust", "RemoveAnchor", "s", label, dry_run=dry_run)
        after = await client.read(Meeting)
        lost = _no_longer_verified(before, after)
        output.data(**report.json(), no_longer_verified=lost)
        if not report.changed:
            output.line(f"there is no anchor {label!r}: ", "nothing to change; see: conclavectl trust list")
            return
        report.say(output, f"no longer trusted: {label}")
        if lost:
            output.line(f"no longer verified in {meeting_name(after)}: {len(lost)} ({', '.join(lost)})")
        if before.state == "in_meeting" and after.state == "left":
            output.line(f"the room left {meeting_name(before)}: {after.left_reason}")

    run(action)


def _no_longer_verified(before: Meeting, after: Meeting) -> list[str]:
    """The names of those who are in the meeting still and were verified before."""
    were = {(p.leaf, p.name) for p in before.participants if p.assurance == "verified"}
    return [p.name for p in after.participants if p.assurance != "verified" and (p.leaf, p.name) in were]
