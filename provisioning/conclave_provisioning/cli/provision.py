"""`conclavectl provision`: files that set up a room without anybody touching it."""

import time
from pathlib import Path
from typing import BinaryIO

import click

from conclave_provisioning.cli import private_file
from conclave_provisioning.cli.changes import change, dry_run_option
from conclave_provisioning.cli.client import RoomClient
from conclave_provisioning.cli.errors import CommandError, ErrorKind
from conclave_provisioning.cli.invocation import done, run, run_alone, shared_options
from conclave_provisioning.cli.output import Output

DAY_S = 86_400
MAX_SETTINGS_BYTES = 768 * 1024
MAX_FILE_BYTES = 1024 * 1024
SHOWN_DEVICES = 5


@click.group(short_help="Files that set up a room without anybody touching it.")
@shared_options
def provision() -> None:
    """Files that set up a room without anybody touching it: signed settings, for named devices.

    \b
    Once, on your laptop; the fingerprint goes into the image's conclave.toml:
      conclavectl provision signer --out signer.pem
    \b
    For each room, onto a USB stick or the server that the image names:
      conclavectl provision sign room.toml --signer signer.pem \\
          --device CN-4711 --out room.jws
    """


@provision.command("signer", short_help="Make the key that signs such files.")
@click.option(
    "--out", type=click.Path(path_type=Path), required=True, metavar="FILE", help="Where the key goes (0600)."
)
@click.option("--name", default="Conclave provisioning", show_default=True, help="Whose it is.")
@click.option("--passphrase", "asks", is_flag=True, help="Ask for a passphrase, and encrypt the key with it.")
@shared_options
def make_signer_file(out: Path, name: str, asks: bool) -> None:
    """Make a key that signs provisioning files. Whoever has it sets up rooms: keep it as you keep a CA's.

    \b
    Example:
      conclavectl provision signer --out signer.pem --passphrase

    JSON: ok, file, fingerprint (for [provisioning] signers).
    """
    private_file.check_places(out)
    if out.exists():
        raise CommandError(
            ErrorKind.REFUSED,
            f"{out} exists, and a key that is lost cannot be made again",
            hint="name another file",
        )

    def action(output: Output) -> None:
        # A large library: other commands come without it.
        from conclave_provisioning.cli.provisioning_file import make_signer, signer_pem

        passphrase = (
            click.prompt("Passphrase", hide_input=True, confirmation_prompt=True, err=True) if asks else ""
        )
        signer = make_signer(name)
        private_file.write(out, signer_pem(signer, passphrase))
        done(output, f"written: {out}", file=str(out), fingerprint=signer.fingerprint)
        output.line("in the image's conclave.toml:")
        output.line("  [provisioning]")
        output.line(f'  signers = ["{signer.fingerprint}"]')

    run_alone(action)


@provision.command(short_help="Sign settings for some devices.")
@click.argument("settings", type=click.File("rb"))
@click.option("--signer", type=click.File("rb"), required=True, metavar="FILE", help="By `provision signer`.")
@click.option(
    "--device",
    "devices",
    multiple=True,
    required=True,
    metavar="SERIAL",
    help="A device's serial number, as its `status --json` shows it; again for more.",
)
@click.option(
    "--days", type=click.IntRange(1, 3650), default=30, show_default=True, help="For how long it is good."
)
@click.option("--replace", is_flag=True, help="Unset on the device what SETTINGS does not name.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    required=True,
    metavar="FILE",
    help="FILE.jws, for a stick or a server; - for stdout.",
)
@shared_options
def sign(
    settings: BinaryIO, signer: BinaryIO, devices: tuple[str, ...], days: int, replace: bool, out: Path
) -> None:
    """Sign SETTINGS (TOML, what `config apply` takes; - for stdin) for some devices.

    A device applies a file once, and none that is older. Nothing in it is encrypted. What the settings hold
    is for a device to judge: try them on any with `config diff`, which changes nothing.

    \b
    Example:
      conclavectl provision sign room.toml --signer signer.pem \\
          --device CN-4711 --out room.jws
      ssh admin@room config diff - < room.toml

    JSON: ok, file, serial, devices, not_after, fingerprint (the signer's), sets [key].
    """
    private_file.check_places(out)

    def action(output: Output) -> None:
        from conclave_provisioning.cli import provisioning_file

        now = int(time.time())
        content = provisioning_file.Content(
            serial=now,
            devices=tuple(dict.fromkeys(devices)),
            # The laptop's clock and the room's are never quite the same.
            not_before=now - DAY_S,
            not_after=now + days * DAY_S,
            replace=replace,
            settings=_text(settings, MAX_SETTINGS_BYTES),
        )
        pem = signer.read(MAX_FILE_BYTES)
        passphrase = ""
        if provisioning_file.is_encrypted(pem):
            passphrase = click.prompt("Passphrase of the signer", hide_input=True, err=True)
        by = provisioning_file.read_signer(pem, passphrase)
        private_file.write(out, provisioning_file.sign(content, by).encode() + b"\n")
        done(
            output,
            f"written: {out}, for {_devices(content.devices)}, good for {days} days",
            file=str(out),
            serial=content.serial,
            devices=list(content.devices),
            not_after=content.not_after,
            fingerprint=by.fingerprint,
            sets=list(content.keys),
        )
        output.line(f"sets: {', '.join(content.keys)}")

    run_alone(action)


@provision.command(short_help="Show what a file would set, and who signed it.")
@click.argument("file", type=click.File("rb"))
@shared_options
def show(file: BinaryIO) -> None:
    """Show what FILE (- for stdin) would set, on which devices, and who signed it. Values are not shown.

    A file that was changed is refused (exit code 9). Whether a device obeys the signer only it knows.

    \b
    Example:
      conclavectl provision show room.jws

    JSON: serial, devices, not_before, not_after, replace, fingerprint (the signer's), sets [key].
    """

    def action(output: Output) -> None:
        from conclave_provisioning.cli.invitation import moment
        from conclave_provisioning.cli.provisioning_file import read

        content, fingerprint = read(_text(file, MAX_FILE_BYTES))
        output.data(
            serial=content.serial,
            devices=list(content.devices),
            not_before=content.not_before,
            not_after=content.not_after,
            replace=content.replace,
            fingerprint=fingerprint,
            sets=list(content.keys),
        )
        output.line(f"for {_devices(content.devices)}, until {moment(content.not_after)}")
        output.line(f"signed by the key {fingerprint}")
        output.line(f"sets: {', '.join(content.keys)}")
        if content.replace:
            output.line("and unsets everything else")

    run_alone(action)


@provision.command(short_help="Apply a file to this room.")
@click.argument("file", type=click.File("rb"))
@dry_run_option
@shared_options
def apply(file: BinaryIO, dry_run: bool) -> None:
    """Apply a provisioning file to this room (- for stdin), as it would do itself at its first boot.

    \b
    Examples:
      conclavectl provision apply room.jws --dry-run
      ssh admin@room provision apply - < room.jws

    JSON: ok, changed, dry_run, changes [{key, before, after, effect}].
    """
    token = _text(file, MAX_FILE_BYTES).strip()

    async def action(client: RoomClient, output: Output) -> None:
        report = await change(client, "Config", "Provision", "s", token, dry_run=dry_run)
        output.data(**report.json())
        report.say(
            output, f"provisioned: {len(report.changes)} settings changed; see: conclavectl config get"
        )

    run(action)


def _text(file: BinaryIO, longest: int) -> str:
    content = file.read(longest + 1)
    if len(content) > longest:
        raise CommandError(
            ErrorKind.INVALID_ARGUMENT, f"{file.name} is longer than {longest // 1024} KiB", hint="give less"
        )
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise CommandError(
            ErrorKind.INVALID_ARGUMENT, f"{file.name} is not text", hint="save it as UTF-8"
        ) from error


def _devices(devices: tuple[str, ...]) -> str:
    more = len(devices) - SHOWN_DEVICES
    return ", ".join(devices[:SHOWN_DEVICES]) + (f" and {more} more" if more > 0 else "")
