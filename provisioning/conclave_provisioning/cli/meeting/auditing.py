"""`conclavectl meeting audit`: the signed record of a meeting, and the check of one on another machine."""

from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import click

from conclave_provisioning.cli import private_file
from conclave_provisioning.cli.certificates import check_domains, read_pem
from conclave_provisioning.cli.client import RoomClient
from conclave_provisioning.cli.errors import CommandError, ErrorKind
from conclave_provisioning.cli.invitation import moment
from conclave_provisioning.cli.invocation import done, run, run_alone, shared_options
from conclave_provisioning.cli.model import as_json
from conclave_provisioning.cli.named_file import MayNameFile
from conclave_provisioning.cli.output import ASSURANCE_STYLES, Output, assurance_words

if TYPE_CHECKING:
    from conclave_provisioning.cli.audit_record import AuditRecord
    from conclave_provisioning.cli.vouching import Anchor

SHORT_FINGERPRINT = 16
MOST_NAMES = 3
"""So many of those who were in a meeting are shown in the list of records."""
# Where the record's own word is not one that people use.
WORDS = {
    "present": "was in before",
    "host": "became host",
    "code_epoch": "new code",
    "terms": "terms changed",
    "policy": "own rules",
    "behind": "fell behind",
}


@click.command(short_help="Show, save or check the signed record of a meeting.")
@click.option("--list", "lists", is_flag=True, help="List the records that the room keeps.")
@click.option("--of", "which", default="", metavar="RECORD", help="Which one; default: the present or last.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=None,
    metavar="FILE",
    help="Write the signed record to FILE (- for stdout), to be checked elsewhere.",
)
@click.option(
    "--verify",
    type=click.File("rb"),
    default=None,
    metavar="FILE",
    help="Check the record in FILE (- for stdin). Needs no room.",
)
@click.option(
    "--anchor",
    "anchors",
    type=MayNameFile(),
    multiple=True,
    metavar="ROOT.pem[=DOMAIN]",
    help="With --verify: an authority whose word you believe, about names in DOMAIN only; again for more.",
)
@shared_options
def audit(
    lists: bool, which: str, out: Path | None, verify: BinaryIO | None, anchors: tuple[str, ...]
) -> None:
    """Show the record of the present or the last meeting: who came and went, and why codes changed.

    The room signs it with its certificate's key; it holds no key, code or link. --verify checks on any
    machine that nothing in it was changed and that one of the given authorities vouches for who signed it
    (at the time of its last entry), and prints it; else it fails with exit code 9. Records of two rooms show
    the same "group" at a code change if, and only if, they were in the same group.

    \b
    Examples:
      conclavectl meeting audit
      conclavectl meeting audit --list
      conclavectl meeting audit --of 20310501T090000Z-4711aaaa --out review.jws
      conclavectl meeting audit --verify review.jws --anchor root.pem=example.com

    JSON: record (the signed object), signer (its name), token (the signed text);
    --list: records [name], summaries [{record, began, title, with, lasted_s}]; --out: ok, file;
    --verify: record, signer {name, authority, domain, fingerprint, not_before, not_after}.
    """
    _check_usage(lists=lists, which=which, out=out, verify=verify, anchors=anchors)
    if verify is not None:
        _verify(verify, anchors)
    elif lists:
        run(_list)
    elif out is not None:
        _save(which, out)
    else:
        _show(which)


def _check_usage(
    *, lists: bool, which: str, out: Path | None, verify: BinaryIO | None, anchors: tuple[str, ...]
) -> None:
    """Raise CommandError for options that do not go together."""
    help_hint = "see: conclavectl meeting audit --help"
    if verify is not None and (lists or which or out):
        raise CommandError(ErrorKind.USAGE, "--verify goes with --anchor and nothing else", hint=help_hint)
    if lists and (which or out):
        raise CommandError(ErrorKind.USAGE, "--list stands alone", hint=help_hint)
    if anchors and verify is None:
        raise CommandError(ErrorKind.USAGE, "--anchor goes with --verify FILE", hint=help_hint)
    if verify is not None and not anchors:
        raise CommandError(
            ErrorKind.USAGE,
            "a record is checked against an authority that you believe",
            hint="give its root certificate: --anchor ROOT.pem",
        )
    private_file.check_places(out)


async def _list(client: RoomClient, output: Output) -> None:
    # A large library comes with it.
    from conclave_provisioning.cli.audit_record import read_record

    (names,) = await client.act("Meeting", "ListAudits")
    rows, summaries = [], []
    for name in names:
        try:
            (token,) = await client.act("Meeting", "Audit", "s", name)
            record = read_record(token)
        except CommandError as error:
            # One that is gone meanwhile, or damaged, hides no other.
            rows.append((name, "", "", "", error.message))
            summaries.append({"record": name, "error": error.message})
            continue
        others = record.others
        summaries.append(
            {"record": name, "began": record.began, "title": record.title, "with": list(others)}
            | {"lasted_s": record.lasted_s}
        )
        with_whom = ", ".join(others[:MOST_NAMES]) + (" and others" if len(others) > MOST_NAMES else "")
        rows.append(
            (name, moment(record.began), duration(record.lasted_s), record.title, with_whom or "nobody")
        )
    output.data(records=names, summaries=summaries)
    if names:
        output.table(("record", "began", "lasted", "title", "with"), rows)
    else:
        output.line("no record: the room keeps one of each meeting that it was in")


def duration(seconds: int) -> str:
    """How long, as people say it: "1 h 5 min", "12 min", "40 s"."""
    minutes = seconds // 60
    if minutes < 1:
        return f"{seconds} s"
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def _save(which: str, out: Path) -> None:
    async def action(client: RoomClient, output: Output) -> None:
        (token,) = await client.act("Meeting", "Audit", "s", which)
        private_file.write(out, token.encode() + b"\n")
        done(
            output,
            f"written: {out}; check it: conclavectl meeting audit --verify {out} --anchor ROOT.pem",
            file=str(out),
        )

    run(action)


def _show(which: str) -> None:
    async def action(client: RoomClient, output: Output) -> None:
        # A large library comes with it.
        from conclave_provisioning.cli.audit_record import read_record

        (token,) = await client.act("Meeting", "Audit", "s", which)
        record = read_record(token)
        output.data(record=record.content, signer=record.claimed_signer, token=token)
        output.line(f"signed by {record.claimed_signer or 'nobody by name'}")
        _print(record, output)

    run(action)


def _verify(file: BinaryIO, given: tuple[str, ...]) -> None:
    def action(output: Output) -> None:
        from conclave_provisioning.cli.audit_record import MAX_BYTES, read_record

        anchors = [anchor for text in given for anchor in _read_anchor(text)]
        content = file.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise CommandError(ErrorKind.NOT_GENUINE, f"{file.name} is longer than a record can be")
        record = read_record(content.decode("ascii", "replace"))
        signer = record.check(anchors)
        output.data(record=record.content, signer=as_json(signer))
        output.line(("genuine", "green"), f": signed by {signer.name}, for whom {signer.authority} vouches")
        if signer.domain:
            output.line(f"that authority was believed about {signer.domain} and the names in it only")
        else:
            output.line(
                ("! ", "yellow"),
                "that authority was believed about every name; for those of one domain: --anchor FILE=DOMAIN",
            )
        _print(record, output)

    run_alone(action)


def _read_anchor(text: str) -> "tuple[Anchor, ...]":
    """The certificates of `FILE` or `FILE=DOMAIN`. Raises CommandError."""
    from cryptography import x509

    from conclave_provisioning.cli.vouching import Anchor

    name, equals, domain = text, "", ""
    if not Path(text).exists():
        # A file may have the sign in its name.
        name, equals, domain = text.rpartition("=") if "=" in text else (text, "", "")
    if equals:
        check_domains((domain,), option="--anchor FILE=")
    try:
        with Path(name).open("rb") as file:
            pem, _ = read_pem(file)
    except OSError as error:
        raise CommandError(
            ErrorKind.USAGE,
            f"--anchor {name}: {error.strerror or 'it cannot be read'}",
            hint="give the authority's root certificate: --anchor ROOT.pem=DOMAIN",
        ) from error
    found = x509.load_pem_x509_certificates(pem.encode())
    return tuple(Anchor(certificate, domain.lower()) for certificate in found)


def _print(record: "AuditRecord", output: Output) -> None:
    output.line(f"meeting {record.title} ({record.meeting}) at {record.service}")
    if record.missing:
        output.line(
            ("! ", "yellow"), f"entries before number {record.missing + 1} are not kept: there were too many"
        )
    if record.left_out:
        output.line(("! ", "yellow"), f"{record.left_out} entries in between are not kept")
    if not record.has_end:
        output.line(("! ", "yellow"), "made before the meeting ended")
    rows = [
        (
            moment(entry.time, "%Y-%m-%d %H:%M:%S"),
            WORDS.get(entry.event, entry.event),
            entry.name,
            (assurance_words(entry.assurance), ASSURANCE_STYLES.get(entry.assurance, "red"))
            if entry.assurance
            else "",
            entry.role,
            str(entry.epoch or ""),
            entry.transcript[:SHORT_FINGERPRINT],
            entry.cause,
        )
        for entry in record.entries
    ]
    output.table(("time (UTC)", "what", "who", "assurance", "role", "epoch", "group", "why"), rows)
