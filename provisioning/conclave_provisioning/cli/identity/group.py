"""The group `identity`, with the commands that other files here hold."""

import click

from conclave_provisioning.cli.identity.account import account, record, rehearse
from conclave_provisioning.cli.identity.enrolling import enroll, renew, revoke, set_domain
from conclave_provisioning.cli.identity.importing import csr, import_chain, import_key
from conclave_provisioning.cli.identity.showing import show
from conclave_provisioning.cli.invocation import shared_options


@click.group(short_help="The certificate that proves the room's domain.")
@shared_options
def identity() -> None:
    """The certificate that proves the room's domain to everybody else.

    \b
    By ACME, which renews by itself:
      conclavectl identity enroll room.example.com
    By any CA, carried by an admin; the key stays in the room:
      conclavectl identity csr room.example.com > room.csr
      conclavectl identity import-chain chain.pem
    """


for _command in (
    *(set_domain, rehearse, enroll, show, renew, revoke),
    *(csr, import_chain, import_key, account, record),
):
    identity.add_command(_command)
