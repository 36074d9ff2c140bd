"""`identity csr`, `import-chain`, `import-key`: a certificate that an admin carries in."""

import sys
from typing import BinaryIO

import click

from conclave_provisioning.cli.certificates import check_domains
from conclave_provisioning.cli.changes import Report, change, dry_run_option, one_change, tell
from conclave_provisioning.cli.client import RoomClient
from conclave_provisioning.cli.errors import CommandError, ErrorKind
from conclave_provisioning.cli.invocation import run, shared_options
from conclave_provisioning.cli.model import Identity
from conclave_provisioning.cli.output import Output
from conclave_provisioning.cli.question import ask

MAX_FILE_BYTES = 128 * 1024
"""What the room takes, too."""

DOMAIN = click.option(
    "--domain", default="", help="Which domain it must be for. Default: the last request's, or the room's."
)


@click.command(short_help="Print a certificate request for the room's key.")
@click.argument("domain", default="")
@click.option("--new-key", is_flag=True, help="For a new key; it comes into force with its certificate.")
@dry_run_option
@shared_options
def csr(domain: str, new_key: bool, dry_run: bool) -> None:
    """Print a certificate request (PKCS#10, PEM) for DOMAIN: for any CA to sign. The key stays in the room.

    Without DOMAIN it is for the one that is set, or that the room has. The chain that comes back is put into
    force by: conclavectl identity import-chain.

    \b
    Examples:
      conclavectl identity csr room.example.com > room.csr
      ssh admin@room identity csr room.example.com > room.csr

    JSON: csr (PEM); with --dry-run ok, changed, dry_run, changes.
    """
    check_domains((domain,) if domain else (), option="")

    async def action(client: RoomClient, output: Output) -> None:
        if dry_run:
            has_none = (await client.read(Identity)).key_protection == "none"
            kept = "" if has_none else "the present one"
            after = "the first one" if has_none else "one more, beside it" if new_key else kept
            tell(output, one_change("identity.key", kept, after, dry_run=True), "")
            return
        options = {"new_key": True} if new_key else {}
        (pem,) = await client.act("Identity", "Csr", "s", domain, options=options)
        output.data(csr=pem)
        output.raw(str(pem).rstrip("\n"))

    run(action)


@click.command("import-chain", short_help="Put a certificate chain for the room's key into force.")
@click.argument("file", type=click.File("rb"))
@DOMAIN
@dry_run_option
@shared_options
def import_chain(file: BinaryIO, domain: str, dry_run: bool) -> None:
    """Put the certificate chain in FILE (PEM; - for stdin) into force.

    It is refused unless it is for this room's key and for the domain of the last request. A meeting that the
    room is in goes on with it. Give the leaf and its issuers, in any order; a root may be left out.

    \b
    Examples:
      conclavectl identity import-chain chain.pem --dry-run
      ssh admin@room identity import-chain - < chain.pem

    JSON: ok, changed, dry_run, changes [{key, before, after, effect}].
    """
    check_domains((domain,) if domain else ())
    pem = _read(file).decode("utf-8", "replace")

    async def action(client: RoomClient, output: Output) -> None:
        options = {"domain": domain} if domain else {}
        report = await change(client, "Identity", "ImportChain", "s", pem, options=options, dry_run=dry_run)
        _say(output, report)

    run(action)


@click.command("import-key", short_help="Put a key from elsewhere into force, with its chain.")
@click.argument("file", type=click.File("rb"))
@click.option(
    "--secret-stdin",
    is_flag=True,
    help="Stdin begins with the secret, on a line of its own; else it is asked for on the terminal.",
)
@DOMAIN
@dry_run_option
@shared_options
def import_key(file: BinaryIO, secret_stdin: bool, domain: str, dry_run: bool) -> None:
    """Put a private key and its chain into force that come in FILE (- for stdin), wrapped under a secret.

    FILE is PKCS#12, or the JWE that RoomOS devices take (alg dir, cisco-kdf, cisco-action add). Such a key
    has been elsewhere: better is one that is made in the room, by `identity enroll` or `identity csr`.

    \b
    Examples:
      conclavectl identity import-key room.p12
      cat secret.txt room.jwe |
          ssh admin@room identity import-key - --secret-stdin

    JSON: ok, changed, dry_run, changes [{key, before, after, effect}].
    """
    check_domains((domain,) if domain else ())
    secret = _read_secret(is_on_stdin=secret_stdin)
    content = _read(file)

    async def action(client: RoomClient, output: Output) -> None:
        options = {"domain": domain} if domain else {}
        report = await change(
            client, "Identity", "ImportKey", "ayay", content, secret, options=options, dry_run=dry_run
        )
        _say(output, report)

    run(action)


def _say(output: Output, report: Report) -> None:
    output.data(**report.json())
    if report.changed and not report.is_dry_run:
        report.say_diff(output)
    report.say(output, "in force; see: conclavectl identity show")


def _read(file: BinaryIO) -> bytes:
    content = file.read(MAX_FILE_BYTES + 1)
    if len(content) > MAX_FILE_BYTES:
        raise CommandError(
            ErrorKind.INVALID_ARGUMENT,
            f"{file.name} is longer than {MAX_FILE_BYTES // 1024} KiB",
            hint="give the room's own certificate and its issuers only",
        )
    return content


def _read_secret(*, is_on_stdin: bool) -> bytes:
    """The secret: never an argument, which every process of the machine could read."""
    if is_on_stdin:
        return sys.stdin.buffer.readline().rstrip(b"\r\n")
    if not sys.stdin.isatty():
        raise CommandError(
            ErrorKind.USAGE, "there is no terminal to ask for the secret on", hint="use --secret-stdin"
        )
    return ask("secret", hidden=True).encode()
