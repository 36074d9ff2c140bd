"""`identity enroll`, `identity set-domain`: which domain the room is to have, and the way to it by ACME."""

import asyncio
import time
from collections.abc import Mapping

import click

from conclave_provisioning.cli.certificates import check_domains
from conclave_provisioning.cli.changes import Report, change, dry_run_option, one_change, plain, tell
from conclave_provisioning.cli.client import RoomClient
from conclave_provisioning.cli.errors import CommandError, ErrorKind
from conclave_provisioning.cli.identity.failures import kind_of
from conclave_provisioning.cli.identity.showing import day_and_time, renewal_words
from conclave_provisioning.cli.invocation import done, run, shared_options
from conclave_provisioning.cli.model import Config, Identity
from conclave_provisioning.cli.output import Output
from conclave_provisioning.cli.question import confirm
from conclave_provisioning.cli.status import identity_json

CERTIFICATE = "identity.certificate"


@click.command("set-domain", short_help="Say which domain the room is to have.")
@click.argument("domain")
@click.option(
    "--method",
    type=click.Choice(["acme", "csr", "import", "provider"]),
    default=None,
    help="How it gets its certificate: acme renews by itself; csr and import are carried by an admin.",
)
@click.option("--challenge", default=None, help="How the CA checks the domain (acme): see config schema.")
@dry_run_option
@shared_options
def set_domain(domain: str, method: str | None, challenge: str | None, dry_run: bool) -> None:
    """Say which DOMAIN the room is to have, without asking any CA for it yet.

    `identity enroll`, `identity csr` and renewals are for it then.

    \b
    Examples:
      conclavectl identity set-domain room.example.com
      conclavectl identity set-domain room.example.com --challenge dns-01

    JSON: ok, changed, dry_run, changes [{key, before, after, effect}].
    """
    check_domains((domain,), option="")
    given = {"identity.domain": domain, "identity.method": method, "acme.challenge": challenge}
    values = {key: value for key, value in given.items() if value is not None}

    async def action(client: RoomClient, output: Output) -> None:
        report = await change(client, "Config", "Set", "a{ss}", values, dry_run=dry_run)
        output.data(**report.json())
        report.say(output, f"the room is to have {domain}; next: conclavectl identity enroll")

    run(action)


@click.command(short_help="Get a certificate for a domain.")
@click.argument("domain", default="")
@click.option(
    "--directory", metavar="URL", default="", help="The CA's ACME directory; default: as configured."
)
@click.option(
    "--challenge",
    type=click.Choice(["http-01", "dns-01", "tls-alpn-01", "dns-persist-01"]),
    default=None,
    help="How the CA checks the domain.",
)
@click.option(
    "--new-key",
    is_flag=True,
    help="For a new key; a meeting follows it from the old one. Default: for the present key.",
)
@click.option(
    "--no-wait", is_flag=True, help="Start it and return; follow it with: conclavectl identity show."
)
@click.option(
    "--timeout",
    "timeout_s",
    type=click.FloatRange(min=0, min_open=True),
    default=600,
    show_default=True,
    help="Seconds to wait.",
)
@dry_run_option
@shared_options
def enroll(
    domain: str,
    directory: str,
    challenge: str | None,
    new_key: bool,
    no_wait: bool,
    timeout_s: float,
    dry_run: bool,
) -> None:
    """Get a certificate for DOMAIN from an ACME CA. Without DOMAIN: for the one that is set.

    The key is made on the device and never leaves it. Say it again at any time: a new certificate
    replaces the old, and a meeting that the room is in goes on with it.

    \b
    Examples:
      conclavectl identity enroll room.example.com
      conclavectl identity enroll room.example.com --challenge dns-01
      conclavectl identity test    (rehearses at the CA; --dry-run asks nobody)

    JSON: ok, changed, identity as in `identity show`; with --dry-run ok, changed, dry_run, changes.
    """
    texts = {"directory_url": directory, "challenge": challenge or ""}
    chosen: dict[str, str | bool | int | tuple[str, ...]] = {k: v for k, v in texts.items() if v}
    if new_key:
        chosen["new_key"] = True

    async def action(client: RoomClient, output: Output) -> None:
        await client.listen()
        name = domain or await _domain_set(client)
        if dry_run:
            check_domains((name,), option="")
            tell(output, await _foreseen(client, name, chosen), "")
            return
        await client.act("Identity", "Enroll", "s", name, options=chosen)
        if no_wait:
            done(output, f"enrolling {name}; follow it: conclavectl identity show", changed=True)
            return
        try:
            async with asyncio.timeout(timeout_s):
                found = await _follow(client, output, name)
        except TimeoutError as error:
            raise CommandError(
                ErrorKind.TIMED_OUT,
                f"enrolling {name} takes longer than {timeout_s:g} seconds; it goes on",
                hint="follow it: conclavectl identity show",
            ) from error
        output.data(ok=True, changed=True, identity=identity_json(found, time.time()))
        output.line(
            ("enrolled", "green"),
            f" {found.domain}, until {day_and_time(found.not_after)}, by {found.issuer}",
        )

    run(action)


@click.command(short_help="Renew the certificate, if it is time.")
@click.option("--force", is_flag=True, help="Now, whatever the time: each one counts at the CA.")
@dry_run_option
@shared_options
def renew(force: bool, dry_run: bool) -> None:
    """Renew the certificate at the CA that issued it, if it is time; the room does so by itself.

    A meeting that the room is in goes on with the new one.

    \b
    Examples:
      conclavectl identity renew
      conclavectl identity renew --force

    JSON: ok, changed, identity as in `identity show`; with --dry-run ok, changed, dry_run, changes.
    """

    async def action(client: RoomClient, output: Output) -> None:
        await client.listen()
        if dry_run:
            found = await client.read(Identity)
            is_due = bool(found.name) and (force or 0 < found.renew_at <= time.time())
            now = _words(found)
            tell(output, one_change(CERTIFICATE, now, "a new one" if is_due else now, dry_run=True), "")
            return
        (started,) = await client.act("Identity", "Renew", options={"force": True} if force else {})
        found = await client.read(Identity)
        if not started:
            output.data(ok=True, changed=False, identity=identity_json(found, time.time()))
            output.line(f"nothing to do: renewed {renewal_words(found)}")
            return
        found = await _follow(client, output, found.domain)
        output.data(ok=True, changed=True, identity=identity_json(found, time.time()))
        output.line(("renewed", "green"), f" {found.domain}, until {day_and_time(found.not_after)}")

    run(action)


@click.command(short_help="Have the CA revoke the certificate.")
@click.option(
    "--reason",
    type=click.Choice(["keyCompromise", "superseded", "cessationOfOperation"]),
    default=None,
    help="What the CA is told (RFC 5280 §5.3.1).",
)
@click.option("--yes", is_flag=True, help="Do not ask.")
@dry_run_option
@shared_options
def revoke(reason: str | None, yes: bool, dry_run: bool) -> None:
    """Have the CA revoke the certificate, and give it up with its key. The room has no identity then.

    \b
    Example:
      conclavectl identity revoke --reason keyCompromise

    JSON: ok, changed, dry_run, changes [{key, before, after, effect}].
    """

    async def action(client: RoomClient, output: Output) -> None:
        found = await client.read(Identity)
        if dry_run:
            tell(output, one_change(CERTIFICATE, _words(found), "", dry_run=True), "")
            return
        if found.name and not yes:
            confirm(
                f"revoke the certificate of {found.name}?",
                lacking="revoking takes the room's identity away, and nobody is here to confirm",
                refused="not confirmed, so nothing was revoked",
                instead="for a new certificate: conclavectl identity renew --force",
            )
        options = {"reason": reason} if reason else {}
        report = await change(client, "Identity", "Revoke", options=options, dry_run=False)
        output.data(**report.json())
        report.say(output, "revoked; the room has no identity now: conclavectl identity enroll DOMAIN")

    run(action)


async def _foreseen(client: RoomClient, domain: str, chosen: Mapping[str, object]) -> Report:
    """What an enrollment would change. Nobody is asked, the CA least of all."""
    settings = {one.key: plain(one.value) for one in (await client.read(Config)).settings}
    directory = chosen.get("directory_url") or settings.get("acme.directory_url") or "no CA yet"
    challenge = chosen.get("challenge") or settings.get("acme.challenge")
    key = "a new key" if "new_key" in chosen else "the present key"
    after = f"{domain}, from {directory} by {challenge}, for {key}"
    found = await client.read(Identity)
    named = one_change("identity.domain", str(settings.get("identity.domain") or ""), domain, dry_run=True)
    certified = one_change(CERTIFICATE, _words(found), after, dry_run=True)
    return Report(True, (*named.changes, *certified.changes), is_dry_run=True)


def _words(identity: Identity) -> str:
    """The certificate in force, as a change tells it."""
    return f"{identity.name}, until {day_and_time(identity.not_after)}" if identity.name else ""


async def _domain_set(client: RoomClient) -> str:
    """The domain that the room is to have, or has. Raises CommandError."""
    settings = (await client.read(Config)).settings
    values = [plain(one.value) for one in settings if one.key == "identity.domain"]
    found = str(values[0]) if values and values[0] else (await client.read(Identity)).name
    if not found:
        raise CommandError(
            ErrorKind.INVALID_ARGUMENT, "nobody has said which domain the room is to have", hint="name it"
        )
    return found


async def _follow(client: RoomClient, output: Output, domain: str) -> Identity:
    """Wait for the end of the enrollment that was just asked for. Raises CommandError with the CA's words."""
    is_first = True
    with output.progress(f"enrolling {domain}") as say:
        async for found in client.states(Identity):
            if found.state == "enrolled":
                return found
            if found.state == "failed":
                raise CommandError(
                    kind_of(found.error_kind),
                    f"enrolling {domain} failed: {_own_words(found.error, domain)}",
                    hint=found.hint or "mend that, then say it again",
                )
            # What was read first may be ahead of the signals, which tell every step, from the first on.
            if found.step and not is_first:
                say(found.step)
            is_first = False
    raise AssertionError("states end only by an error")


def _own_words(error: str, domain: str) -> str:
    """An error without the domain that it begins with."""
    return error.removeprefix(f"{domain.lower()}: ")
