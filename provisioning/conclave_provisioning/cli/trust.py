"""`conclavectl trust`: whose word about a name counts."""

import time
from typing import BinaryIO

import click

from conclave_provisioning.cli.certificates import check_domains, day, domain_words, ends, read_pem
from conclave_provisioning.cli.changes import NOTHING, Report, change, dry_run_option, plain
from conclave_provisioning.cli.client import RoomClient
from conclave_provisioning.cli.errors import CommandError, ErrorKind
from conclave_provisioning.cli.invocation import run, shared_options
from conclave_provisioning.cli.model import Meeting, Trust, as_json
from conclave_provisioning.cli.output import ASSURANCE_STYLES, Output, assurance_words
from conclave_provisioning.cli.status import here, meeting_name

SHORT_FINGERPRINT = 16
# What the room takes, too.
MAX_CRL_BYTES = 16 * 1024 * 1024


@click.group(short_help="The authorities whose word about a name is believed.")
@shared_options
def trust() -> None:
    """The certificate authorities whose word about a name is believed."""


@trust.command("list", short_help="List the trust anchors.")
@shared_options
def list_anchors() -> None:
    """List the trust anchors, and what is blocked.

    JSON: anchors [{label, kind, domains, fingerprint, not_after}], blocked_keys, blocked_names; a fingerprint
    is the SHA-256 of a public key, of which people see the beginning.

    \b
    Example:
      conclavectl trust list
    """

    async def action(client: RoomClient, output: Output) -> None:
        found = await client.read(Trust)
        output.data(
            anchors=as_json(found.anchors),
            blocked_keys=list(found.blocked_keys),
            blocked_names=list(found.blocked_names),
        )
        _list_anchors(found, output)
        for word, blocked in (("key", found.blocked_keys), ("name", found.blocked_names)):
            for one in blocked:
                output.line(("blocked", "red"), f" {word} {one}")

    run(action)


def _list_anchors(found: Trust, output: Output) -> None:
    if not found.anchors:
        add = here("conclavectl trust add FILE --label NAME --kind verified")
        output.line(f"no trust anchors: nobody can be verified; add one: {add}")
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
      conclavectl trust add office-ca.pem --label office --kind verified \\
          --domain example.com
      ssh admin@room trust add - --label office --kind verified < office-ca.pem
      conclavectl trust add roots.pem --bundle --label group --kind provider

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
        words += _in_place_of(report)
        output.data(**report.json(), certificates=as_json(certificates))
        report.say(output, words)
        if len(certificates) > 1:
            for one in certificates:
                output.line(f"  {one.subject}, {ends(one.not_after)}")

    run(action)


def _in_place_of(report: Report) -> str:
    """Which entries are gone: the same authority under another label, or for other domains."""
    former = [plain(change.before) for change in report.changes]
    known = [one for one in former if isinstance(one, dict)]
    was = [f"{one.get('label')}, for {domain_words(one.get('domains', ()))}" for one in known]
    return f"; in place of {' and '.join(was)}" if was else ""


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

    _distrust("RemoveAnchor", label, dry_run, f"no longer trusted: {label}", f"there is no anchor {label!r}")


@trust.command(short_help="Refuse a key or a name.")
@click.argument("what", metavar="FINGERPRINT|NAME")
@dry_run_option
@shared_options
def block(what: str, dry_run: bool) -> None:
    """Refuse a key (SHA-256 fingerprint) or a name (domain or mail address) at once, whoever vouches for it.

    An authority's key counts, too: nobody is believed whose chain goes through it. In a meeting everybody is
    judged anew.

    \b
    Examples:
      conclavectl trust block stolen-room.example.com
      conclavectl trust block 3f:a0:...:9c

    JSON: ok, changed, dry_run, changes [{key, before, after, effect}], no_longer_verified [name].
    """
    _distrust("Block", what, dry_run, f"blocked: {what}", f"{what!r} is blocked already")


@trust.command(short_help="Refuse a key or a name no longer.")
@click.argument("what", metavar="FINGERPRINT|NAME")
@dry_run_option
@shared_options
def unblock(what: str, dry_run: bool) -> None:
    """Refuse a key or a name no longer. Where it is not blocked, nothing changes.

    \b
    Example:
      conclavectl trust unblock stolen-room.example.com

    JSON: ok, changed, dry_run, changes [{key, before, after, effect}].
    """

    async def action(client: RoomClient, output: Output) -> None:
        report = await change(client, "Trust", "Unblock", "s", what, dry_run=dry_run)
        output.data(**report.json())
        report.say(output, f"no longer blocked: {what}")

    run(action)


@trust.group(short_help="Lists of revoked certificates.")
@shared_options
def crl() -> None:
    """Lists of revoked certificates (CRLs) of the CAs that this room trusts.

    Who is on one is not verified, and nobody behind a revoked authority is. A list must be signed by a trust
    anchor, and is never replaced by an older one. The room fetches lists itself from the addresses in the
    setting trust.crl_urls. After its time it revokes still, and `status` asks for the
    next.
    """


@crl.command("list", short_help="Show the lists.")
@shared_options
def list_crls() -> None:
    """Show the lists of revoked certificates.

    JSON: crls [{anchor, issuer, fingerprint, number, this_update, next_update, revoked}]; times are seconds
    since 1970, 0 for none; revoked is how many certificates the list names.

    \b
    Example:
      conclavectl trust crl list
    """

    async def action(client: RoomClient, output: Output) -> None:
        found = (await client.read(Trust)).crls
        output.data(crls=as_json(found))
        if not found:
            output.line(f"no lists; add one: {here('conclavectl trust crl add FILE')}")
            return
        rows = []
        for one in found:
            due = "not said" if not one.next_update else day(one.next_update)
            is_late = bool(one.next_update) and one.next_update < time.time()
            rows.append(
                (
                    one.anchor,
                    str(one.revoked),
                    day(one.this_update),
                    (due, "red" if is_late else ""),
                    one.number,
                )
            )
        output.table(("anchor", "revoked", "made", "next", "number"), rows)

    run(action)


@crl.command("add", short_help="Take a CA's list.")
@click.argument("file", type=click.File("rb"))
@dry_run_option
@shared_options
def add_crl(file: BinaryIO, dry_run: bool) -> None:
    """Take the list of revoked certificates in FILE (PEM or DER; - for stdin) in place of the CA's last one.

    \b
    Examples:
      conclavectl trust crl add office.crl
      curl -s http://ca.example.com/office.crl | ssh admin@room trust crl add -

    JSON: ok, changed, dry_run, changes [{key, before, after, effect}], no_longer_verified [name].
    """
    content = file.read(MAX_CRL_BYTES + 1)
    if len(content) > MAX_CRL_BYTES:
        raise CommandError(
            ErrorKind.INVALID_ARGUMENT,
            f"{file.name} is longer than {MAX_CRL_BYTES // (1024 * 1024)} MiB",
            hint="give the CA's CRL",
        )
    _distrust(
        "AddCrl", content, dry_run, "taken: from now on whom it names is refused", "the list is here already"
    )


@crl.command("remove", short_help="Forget a CA's list.")
@click.argument("anchor")
@dry_run_option
@shared_options
def remove_crl(anchor: str, dry_run: bool) -> None:
    """Forget the list of ANCHOR (its label or fingerprint): whom it revoked is believed again.

    \b
    Example:
      conclavectl trust crl remove office

    JSON: ok, changed, dry_run, changes [{key, before, after, effect}].
    """

    async def action(client: RoomClient, output: Output) -> None:
        report = await change(client, "Trust", "RemoveCrl", "s", anchor, dry_run=dry_run)
        output.data(**report.json())
        report.say(output, f"the list of {anchor} is forgotten")

    run(action)


def _distrust(member: str, argument: str | bytes, dry_run: bool, words: str, otherwise: str) -> None:
    """Use a verb after which fewer may be verified, and say who is not any more."""

    async def action(client: RoomClient, output: Output) -> None:
        before = await client.read(Meeting)
        signature = "s" if isinstance(argument, str) else "ay"
        report = await change(client, "Trust", member, signature, argument, dry_run=dry_run)
        after = await client.read(Meeting)
        lost = _no_longer_verified(before, after)
        output.data(**report.json(), no_longer_verified=lost)
        if not report.changed:
            output.line(f"{otherwise}: {NOTHING}; see: conclavectl trust list")
            return
        report.say(output, words)
        if lost:
            output.line(f"no longer verified in {meeting_name(after)}: {len(lost)} ({', '.join(lost)})")
        if before.state == "in_meeting" and after.state == "left":
            output.line(f"the room left {meeting_name(before)}: {after.left_reason}")

    run(action)


def _no_longer_verified(before: Meeting, after: Meeting) -> list[str]:
    """The names of those who are in the meeting still and were verified before."""
    were = {(p.leaf, p.name) for p in before.participants if p.assurance == "verified"}
    return [p.name for p in after.participants if p.assurance != "verified" and (p.leaf, p.name) in were]
