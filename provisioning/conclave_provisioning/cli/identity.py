"""`conclavectl identity`: a domain becomes the room's identity."""

import asyncio
import time
from datetime import UTC, datetime

import click

from conclave_provisioning.cli.advice import failure_words
from conclave_provisioning.cli.client import RoomClient
from conclave_provisioning.cli.errors import CommandError, ErrorKind
from conclave_provisioning.cli.invocation import done, run, shared_options
from conclave_provisioning.cli.model import Identity, as_pem
from conclave_provisioning.cli.output import Output
from conclave_provisioning.cli.status import identity_json, identity_words, label

FAILURES = {
    "refused": ErrorKind.REFUSED,
    "unreachable": ErrorKind.UNREACHABLE,
    "timed_out": ErrorKind.TIMED_OUT,
}
"""What an enrollment's error kind means to whoever asked for it; anything else is a fault of the device."""


@click.group(short_help="The certificate that proves the room's domain.")
@shared_options
def identity() -> None:
    """The certificate that proves the room's domain to everybody else."""


@identity.command(short_help="Get a certificate for a domain.")
@click.argument("domain")
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
@shared_options
def enroll(
    domain: str, directory: str, challenge: str | None, new_key: bool, no_wait: bool, timeout_s: float
) -> None:
    """Get a certificate for DOMAIN from an ACME CA.

    The key is made on the device and never leaves it. Say it again at any time: a new certificate
    replaces the old, and a meeting that the room is in goes on with it.

    \b
    Examples:
      conclavectl identity enroll room.example.com
      conclavectl identity enroll room.example.com --challenge dns-01

    JSON: identity, as in `identity show`.
    """
    texts = {"directory_url": directory, "challenge": challenge or ""}
    chosen: dict[str, str | bool | int | tuple[str, ...]] = {k: v for k, v in texts.items() if v}
    if new_key:
        chosen["new_key"] = True

    async def action(client: RoomClient, output: Output) -> None:
        await client.listen()
        await client.act("Identity", "Enroll", "s", domain, options=chosen)
        if no_wait:
            done(output, f"enrolling {domain}; follow it: conclavectl identity show")
            return
        try:
            async with asyncio.timeout(timeout_s):
                found = await _follow(client, output, domain)
        except TimeoutError as error:
            raise CommandError(
                ErrorKind.TIMED_OUT,
                f"enrolling {domain} takes longer than {timeout_s:g} seconds; it goes on",
                hint="follow it: conclavectl identity show",
            ) from error
        output.data(identity=identity_json(found, time.time()))
        output.line(
            ("enrolled", "green"), f" {found.domain}, until {_date(found.not_after)}, by {found.issuer}"
        )

    run(action)


async def _follow(client: RoomClient, output: Output, domain: str) -> Identity:
    """Wait for the end of the enrollment that was just asked for. Raises CommandError with the CA's words."""
    with output.progress(f"enrolling {domain}") as say:
        async for found in client.states(Identity):
            if found.state == "enrolled":
                return found
            if found.state == "failed":
                raise CommandError(
                    FAILURES.get(found.error_kind, ErrorKind.FAILED),
                    f"enrolling {domain} failed: {_own_words(found.error, domain)}",
                    hint=found.hint or "mend that, then say it again",
                )
            if found.step:
                say(found.step)
    raise AssertionError("states end only by an error")


def _own_words(error: str, domain: str) -> str:
    """An error without the domain that it begins with."""
    return error.removeprefix(f"{domain.lower()}: ")


@identity.command()
@click.option("--pem", is_flag=True, help="Print the certificate chain as PEM.")
@shared_options
def show(pem: bool) -> None:
    """Show the room's certificate.

    JSON: identity {state, domain, step, error, error_kind, hint, not_before, not_after, days_left, issuer,
    fingerprint, key_protection, certificates [PEM]}; times are seconds since 1970, 0 for none.
    After a failed enrollment the state is "failed"; domain and times stay those of the certificate, if there
    is one. error_kind: refused, unreachable, timed_out or failed.

    \b
    Examples:
      conclavectl identity show
      conclavectl identity show --pem > room.pem
    """

    async def action(client: RoomClient, output: Output) -> None:
        found, now = await client.read(Identity), time.time()
        output.data(identity=identity_json(found, now))
        if pem:
            if not found.certificates:
                raise CommandError(ErrorKind.NOT_ENROLLED, "the room has no certificate")
            output.raw("".join(map(as_pem, found.certificates)).rstrip("\n"))
            return
        label(output, "domain", [found.name or "none"])
        label(output, "state", identity_words(found, now))
        if found.not_after:
            label(output, "valid", [f"{_date(found.not_before)} to {_date(found.not_after)}"])
            label(output, "issuer", [found.issuer])
            label(output, "fingerprint", [found.fingerprint])
        if found.state == "failed":
            output.line(("! ", "yellow" if found.name else "red"), failure_words(found))

    run(action)


def _date(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")
