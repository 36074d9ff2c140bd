"""`conclavectl enroll-for`: from an admin's machine, a certificate for a room that no CA can reach.

The room makes the request and keeps its key; this machine knows how to write the domain's zone and speaks
with the CA; the chain goes back to the room. Over OpenSSH's client, whose configuration, agent and known
hosts are the admin's own.
"""

import asyncio
import json
import os
import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click

from conclave_provisioning.cli.certificates import check_domains
from conclave_provisioning.cli.errors import CommandError, ErrorKind
from conclave_provisioning.cli.identity.failures import kind_of
from conclave_provisioning.cli.invocation import run_alone, shared_options
from conclave_provisioning.cli.model import as_pem
from conclave_provisioning.cli.output import Output

LETS_ENCRYPT = "https://acme-v02.api.letsencrypt.org/directory"
SSH_WITHIN_S = 120.0
AGAIN = "mend that, then say it again: what was begun is taken up"
MAX_ANSWER_BYTES = 256 * 1024
SSH_FAILED = 255
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}")
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,252})|[0-9a-fA-F:.]+(%[A-Za-z0-9]+)?")


@dataclass(frozen=True, slots=True)
class Room:
    """Where the room is, for OpenSSH's client."""

    user: str
    host: str
    port: int | None
    options: tuple[str, ...] = ()

    @property
    def shown(self) -> str:
        """For people."""
        return f"{self.user}@{self.host}" if self.user else self.host

    def command(self, words: Sequence[str]) -> list[str]:
        """The client's command line: no word of it is taken for an option or seen by a shell here."""
        port = [] if self.port is None else ["-p", str(self.port)]
        given = [word for option in self.options for word in ("-o", option)]
        return ["ssh", "-T", *given, *port, "--", self.shown, " ".join(words)]


def read_room(text: str, options: Sequence[str] = ()) -> Room:
    """A room from `ssh://[USER@]HOST[:PORT]`. Raises CommandError."""
    try:
        url = urlsplit(text)
        user, host, port = url.username or "", url.hostname or "", url.port
    except ValueError:
        url, user, host, port = urlsplit(""), "", "", None
    is_plain = url.scheme == "ssh" and not url.password and url.path in ("", "/") and not url.query
    if not is_plain or not _HOST.fullmatch(host) or (user and not _USER.fullmatch(user)):
        raise CommandError(
            ErrorKind.INVALID_ARGUMENT,
            f"{text!r} is no room",
            hint="give it like ssh://admin@room.example.com",
        )
    return Room(user, host, port, tuple(options))


OPTIONS = {
    "conclavectl config set acme.agree_terms true": "add --agree-terms",
    "conclavectl config set acme.ca_pem - < FILE": "--ca-file FILE",
    "set acme.dns_update, or dns_hook in conclave.toml": "give --dns-hook FILE, or --dns-update SERVER",
}
"""What is an option here, by what is said of it in a room."""


@click.command("enroll-for", short_help="From your machine: a certificate for a room behind a firewall.")
@click.argument("room")
@click.argument("domain")
@click.option("--dns-hook", type=FILE, help="A program, called as: HOOK present|cleanup NAME VALUE.")
@click.option("--dns-update", metavar="SERVER[:PORT]", default="", help="The zone's primary (RFC 2136).")
@click.option("--tsig-key", metavar="NAME", default="", help="With --dns-update: the TSIG key's name.")
@click.option("--tsig-file", type=FILE, help="With --dns-update: its secret, mode 0600.")
@click.option("--resolver", "resolvers", multiple=True, metavar="ADDRESS[:PORT]", help="To ask about DNS.")
@click.option("--dns-port", type=int, default=53, show_default=True, help="Where zones' servers answer.")
@click.option("--directory", metavar="URL", default=LETS_ENCRYPT, help="The CA's; default: Let's Encrypt.")
@click.option("--ca-file", type=FILE, help="Roots of a private CA's API, PEM.")
@click.option("--email", default=None, help="Where the CA may write to.")
@click.option("--agree-terms", is_flag=True, help="You have read the CA's terms and agree.")
@click.option("--new-key", is_flag=True, help="For a new key of the room.")
@click.option("--ssh-option", "ssh_options", multiple=True, metavar="NAME=VALUE", help="For ssh, as its -o.")
@shared_options
def enroll_for(
    room: str,
    domain: str,
    dns_hook: Path | None,
    dns_update: str,
    tsig_key: str,
    tsig_file: Path | None,
    resolvers: tuple[str, ...],
    dns_port: int,
    directory: str,
    ca_file: Path | None,
    email: str | None,
    agree_terms: bool,
    new_key: bool,
    ssh_options: tuple[str, ...],
) -> None:
    """Get a certificate for DOMAIN into ROOM (ssh://admin@host), which the CA need not reach.

    The room makes the request and its key never leaves it; what may write the zone never comes to the room.
    This machine keeps the ACME account, in its state folder (XDG_STATE_HOME), one for each CA.

    \b
    Examples:
      conclavectl enroll-for ssh://admin@room room.example.com \\
          --dns-hook ./dns.sh --agree-terms
      conclavectl enroll-for ssh://admin@10.0.0.7 room.example.com \\
          --dns-update ns1.example.com \\
          --tsig-key acme --tsig-file acme.secret --agree-terms

    JSON: ok, changed, domain, not_after, changes [{key, before, after, effect}].
    """
    check_domains((domain,), option="")
    if os.environ.get("CONCLAVE_SHELL"):
        raise CommandError(
            ErrorKind.NOT_PERMITTED,
            "enroll-for is for your own machine",
            hint="say it there, not in the room",
        )
    target = read_room(room, ssh_options)
    given = {
        "dns_hook": dns_hook,
        "ca_file": ca_file,
        "email": email,
        "agree_terms": agree_terms,
        "resolvers": resolvers,
        "dns_port": dns_port,
        "directory_url": directory,
    }

    def action(output: Output) -> None:
        answer = asyncio.run(
            _enroll_for(target, domain, given, (dns_update, tsig_key, tsig_file), new_key, output)
        )
        output.data(**answer)
        if answer["changed"]:
            output.line(("enrolled", "green"), f" {domain} in {target.shown}, {answer['until']}")
        else:
            output.line("nothing to change")

    run_alone(action)


async def _enroll_for(
    room: Room,
    domain: str,
    given: dict[str, Any],
    update: tuple[str, str, Path | None],
    new_key: bool,
    output: Output,
) -> dict[str, Any]:
    # Other commands come without what speaks ACME.
    from cryptography import x509

    from conclave_provisioning.enrollment import (
        AcmeSettings,
        CarriedRequest,
        ChallengeKind,
        DnsUpdateSettings,
        Enrollment,
        EnrollmentError,
        Progress,
    )

    with output.progress(f"asking {room.shown} for a certificate request") as say:
        words = ["identity", "csr", domain, *(["--new-key"] if new_key else []), "--json"]
        try:
            server, key, file = update
            by_update = DnsUpdateSettings(server, key, file or Path()) if server else None
            settings = AcmeSettings(challenge=ChallengeKind.DNS_01, dns_update=by_update, **given)
            enrollment = Enrollment(settings, _state_folder(settings.directory_url, domain))
            pem = str((await _ask(room, words)).get("csr", ""))
            request = CarriedRequest(x509.load_pem_x509_csr(pem.encode("ascii", "replace")))

            def tell(progress: Progress) -> None:
                say(progress.text)

            certificate = await enrollment.enroll(domain, request, progress=tell)
        except EnrollmentError as error:
            raise CommandError(kind_of(error.kind), str(error), hint=_hint_here(error.hint)) from error
        except ValueError as error:
            raise CommandError(
                ErrorKind.FAILED,
                f"{room.shown} gave no certificate request",
                hint="see: ssh to it, and: status",
            ) from error
        say(f"giving {room.shown} its certificate")
        chain = "".join(map(as_pem, certificate.chain))
        words = ["identity", "import-chain", "-", "--domain", domain, "--json"]
        answer = await _ask(room, words, stdin=chain.encode())
        enrollment.confirm()
    leaf = x509.load_der_x509_certificate(certificate.chain[0])
    return {
        "ok": True,
        "changed": answer.get("changed") is True,
        "domain": domain,
        "not_after": certificate.not_after,
        "until": f"until {leaf.not_valid_after_utc:%Y-%m-%d %H:%M} UTC, by {leaf.issuer.rfc4514_string()}",
        "changes": answer.get("changes", []),
    }


def _hint_here(hint: str) -> str:
    """What to do on this machine, which has options where a room has settings."""
    for setting, option in OPTIONS.items():
        hint = hint.replace(setting, option)
    return hint or "mend that, then say it again"


async def _ask(room: Room, words: Sequence[str], *, stdin: bytes = b"") -> dict[str, Any]:
    """What a command in the room answers, as JSON. Raises CommandError, the room's own where it gave one."""
    try:
        process = await asyncio.create_subprocess_exec(
            *room.command(words), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
    except FileNotFoundError as error:
        raise CommandError(
            ErrorKind.FAILED, "there is no ssh on this machine", hint="install OpenSSH's client"
        ) from error
    try:
        async with asyncio.timeout(SSH_WITHIN_S):
            out, err = await process.communicate(stdin)
    except TimeoutError as error:
        raise CommandError(
            ErrorKind.TIMED_OUT,
            f"{room.shown} did not answer within {SSH_WITHIN_S:g} s",
            hint="try: ssh to it",
        ) from error
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    lines = err.decode("utf-8", "replace").strip().splitlines()
    if process.returncode == SSH_FAILED:
        raise CommandError(
            ErrorKind.UNREACHABLE,
            f"{room.shown}: {lines[-1] if lines else 'ssh failed'}",
            hint=f"try: ssh {room.shown} status",
        )
    answer = _json(out[:MAX_ANSWER_BYTES])
    failure = answer.get("error")
    if isinstance(failure, dict):
        kinds = {kind.value: kind for kind in ErrorKind}
        raise CommandError(
            kinds.get(str(failure.get("kind")), ErrorKind.FAILED),
            f"{room.shown}: {failure.get('message')}",
            hint=str(failure.get("hint", "")),
        )
    if process.returncode != 0 or not answer:
        raise CommandError(
            ErrorKind.FAILED,
            f"{room.shown} does not answer as a room: {lines[-1] if lines else 'no JSON'}",
            hint=f"try: ssh {room.shown} status --json",
        )
    return answer


def _json(content: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(content)
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}


def _state_folder(directory_url: str, domain: str) -> Path:
    """Where this machine keeps the account and the order: a folder for each CA and domain."""
    base = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    ca = re.sub(r"[^A-Za-z0-9.-]+", "_", urlsplit(directory_url).netloc + urlsplit(directory_url).path)
    folder = Path(base) / "conclave" / "acme" / ca.strip("_.") / domain
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder
