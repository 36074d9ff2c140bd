"""`identity show`: the certificate that the room has."""

import time
from datetime import UTC, datetime

import click

from conclave_provisioning.cli.advice import failure_words
from conclave_provisioning.cli.client import RoomClient
from conclave_provisioning.cli.errors import CommandError, ErrorKind
from conclave_provisioning.cli.invocation import run, shared_options
from conclave_provisioning.cli.model import Identity, as_pem
from conclave_provisioning.cli.output import Output
from conclave_provisioning.cli.status import identity_json, identity_words, label


@click.command(short_help="Show the room's certificate.")
@click.option("--pem", is_flag=True, help="Print the certificate chain as PEM.")
@shared_options
def show(pem: bool) -> None:
    """Show the room's certificate.

    JSON: identity {state, domain, step, error, error_kind, hint, not_before, not_after, days_left, issuer,
    fingerprint, key_protection, certificates [PEM], method, renew_at, renew_reason}; times are seconds since
    1970, 0 for none. After a failed enrollment the state is "failed"; domain and times stay those of the
    certificate, if there is one. error_kind says what failed: the exit code of `identity enroll` follows it.

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
            label(output, "valid", [f"{day_and_time(found.not_before)} to {day_and_time(found.not_after)}"])
            label(output, "renewed", [renewal_words(found)])
            label(output, "issuer", [found.issuer])
            label(output, "fingerprint", [found.fingerprint])
        if found.state == "failed":
            output.line(("! ", "yellow" if found.name else "red"), failure_words(found))

    run(action)


def renewal_words(identity: Identity) -> str:
    """When the certificate is renewed, and by whom."""
    if not identity.renew_at:
        return (
            "by an admin: conclavectl identity csr"
            if identity.method in ("csr", "import")
            else "by nobody yet"
        )
    return f"by itself, {day_and_time(identity.renew_at)}: {identity.renew_reason}"


def day_and_time(seconds: int) -> str:
    """A time for people."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")
