"""`conclavectl trust` and `conclavectl policy`: whose word counts, and what the room puts up with."""

from typing import BinaryIO

import click

from conclave_provisioning.cli.client import RoomClient
from conclave_provisioning.cli.errors import CommandError, ErrorKind
from conclave_provisioning.cli.invocation import done, run, shared_options
from conclave_provisioning.cli.model import Policy, Trust, as_json
from conclave_provisioning.cli.output import ASSURANCE_STYLES, Output, assurance_words

# A chain of a few large certificates; more is not one.
MAX_PEM_BYTES = 256 * 1024


@click.group()
@shared_options
def trust() -> None:
    """The certificate authorities whose word about a name is believed."""


@trust.command("list")
@shared_options
def list_anchors() -> None:
    """List the trust anchors.

    JSON: anchors [{label, kind, domains, fingerprint, not_after}].
    """

    async def action(client: RoomClient, output: Output) -> None:
        found = await client.read(Trust)
        output.data(anchors=as_json(found.anchors))
        if not found.anchors:
            output.line(
                "no trust anchors: nobody can be verified; add one: conclavectl trust add FILE.pem ..."
            )
            return
        rows = [
            (
                anchor.label,
                (assurance_words(anchor.kind), ASSURANCE_STYLES.get(anchor.kind, "red")),
                ", ".join(anchor.domains) or "any domain",
                anchor.fingerprint,
            )
            for anchor in found.anchors
        ]
        output.table(("label", "makes", "for", "fingerprint"), rows)

    run(action)


@trust.command("add")
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
@shared_options
def add_anchor(file: BinaryIO, label: str, kind: str, domains: tuple[str, ...]) -> None:
    """Trust the CA certificate in FILE (PEM; - for stdin).

    \b
    Example:
      conclavectl trust add office-ca.pem --label office --kind verified --domain example.com
    """
    content = file.read(MAX_PEM_BYTES + 1)
    try:
        pem = content.decode("ascii")
    except UnicodeDecodeError as error:
        raise _no_pem(file.name) from error
    if len(content) > MAX_PEM_BYTES or "-----BEGIN CERTIFICATE-----" not in pem:
        raise _no_pem(file.name)

    async def action(client: RoomClient, output: Output) -> None:
        await client.act("Trust", "AddAnchor", "sss", pem, label, kind, options={"domains": domains})
        done(output, f"trusted as {kind}: {label}")

    run(action)


@trust.command("remove")
@click.argument("label")
@shared_options
def remove_anchor(label: str) -> None:
    """Trust the anchor LABEL no longer."""

    async def action(client: RoomClient, output: Output) -> None:
        await client.act("Trust", "RemoveAnchor", "s", label)
        done(output, f"no longer trusted: {label}")

    run(action)


def _no_pem(name: str) -> CommandError:
    return CommandError(
        ErrorKind.INVALID_ARGUMENT,
        f"{name} is not a PEM certificate",
        hint="convert it: openssl x509 -inform der -in FILE -out FILE.pem",
    )


@click.group()
@shared_options
def policy() -> None:
    """The room's own rules; they may be stricter than a meeting's."""


@policy.command("show")
@shared_options
def show_policy() -> None:
    """Show the room's own rules.

    JSON: policy {minimum_level}.
    """

    async def action(client: RoomClient, output: Output) -> None:
        found = await client.read(Policy)
        output.data(policy=as_json(found))
        output.line(f"minimum level  {found.minimum_level}")

    run(action)


@policy.command("set")
@click.option(
    "--minimum-level",
    type=click.Choice(["standard", "locked"]),
    required=True,
    help="Meetings below are refused. locked: verified participants only, no services.",
)
@shared_options
def set_policy(minimum_level: str) -> None:
    """Change the room's own rules.

    \b
    Example:
      conclavectl policy set --minimum-level locked
    """

    async def action(client: RoomClient, output: Output) -> None:
        await client.act("Policy", "SetMinimumLevel", "s", minimum_level)
        done(output, f"minimum level: {minimum_level}")

    run(action)
