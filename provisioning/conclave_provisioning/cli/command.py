"""The root of `conclavectl`, and the edge where every error becomes one line and an exit code."""

import os
import sys
from collections.abc import Sequence

import click

from conclave_provisioning.cli.errors import INTERRUPTED, OUTCOMES, CommandError, ErrorKind
from conclave_provisioning.cli.invocation import shared_options
from conclave_provisioning.cli.lazy_group import LazyGroup, Place
from conclave_provisioning.cli.output import Output

PROGRAM = "conclavectl"


def _print_version(context: click.Context, parameter: click.Parameter, value: bool) -> None:
    if value:
        # Here, because every command would pay for it.
        from importlib import metadata

        click.echo(f"{PROGRAM} {metadata.version('conclave')}")
        context.exit()


@click.group(
    cls=LazyGroup, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]}
)
@shared_options
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_version,
    help="Print the version.",
)
@click.pass_context
def root(context: click.Context) -> None:
    """Provision and watch a Conclave meeting room. Without a command: status.

    \b
    A new room, from nothing to a meeting:
      conclavectl trust add office-ca.pem --label office --kind verified
      conclavectl identity enroll room.example.com
      conclavectl meeting create --title Weekly --invite @example.com
      conclavectl meeting join LINK --wait
      conclavectl meeting code

    \b
    Exit codes:
      0  done
      1  another error
      2  wrong usage or argument; also a group without a command
      3  not permitted
      4  not found, not in a meeting, or not enrolled
      5  refused by CA, meeting or room, which takes no invitation but its link's
      6  unreachable or timed out
      7  conclaved (or its bus) is not running
      8  the room is busy: in a meeting already, or enrolling
      9  an invitation, record or file was changed, or nobody vouches for it
      10 the CA limits the rate
      11 the CA found another answer than ours
      12 the CA could not reach the room
      13 the answer to the CA could not be published (DNS, files)
      14 a CAA record forbids this CA
      15 this clock and the CA's differ, or a certificate is not of this time
      16 the CA has trouble of its own
      17 the CA rejects every nonce
      18 the connection to the CA was cut
      19 the TLS certificate of the CA's API is not trusted
      20 the CA issued for another name
      21 the CA issued for another key
      22 the CA issued a broken chain
      23 what answers is no ACME directory

    \b
    With --json every answer is one object with "schema": 1 on stdout (docs/schema
    has a JSON Schema of each); an error is
      {"schema": 1, "error": {"kind": ..., "message": ..., "hint": ...}}

    \b
    Shell completion, in the shell's own file (.bashrc, .zshrc, config.fish):
      bash  eval "$(_CONCLAVECTL_COMPLETE=bash_source conclavectl)"
      zsh   eval "$(_CONCLAVECTL_COMPLETE=zsh_source conclavectl)"
      fish  _CONCLAVECTL_COMPLETE=fish_source conclavectl | source
    """
    if context.invoked_subcommand is None:
        status = root.get_command(context, "status")
        assert status is not None  # noqa: S101  # it is in the table
        context.invoke(status)


PLACES = {
    "status": Place("status", "Show how the room is, and how to mend it."),
    "identity": Place("identity", "The certificate that proves the room's domain."),
    "trust": Place("trust", "The authorities whose word about a name is believed."),
    "policy": Place("policy", "The room's own rules."),
    "config": Place("config", "The room's settings."),
    "access": Place("access", "Who may log in as admin over SSH."),
    "provision": Place("provision", "Files that set up a room without anybody touching it."),
    "meeting": Place("meeting", "Invite, join, see who is in, decide who may be, leave."),
    "mute": Place("hardware", "Mute the camera, the microphone, or both."),
    "hardware": Place("hardware", "Camera, microphone, panel and the rest: list, test, watch."),
    "time": Place("time", "Show what time the device believes, and why."),
    "doctor": Place("doctor", "Look at everything, and say what mends it."),
    "logs": Place("logs", "Show the device's log."),
    "support-bundle": Place("support_bundle", "Collect what a supporter needs; no secrets."),
    "watch": Place("watch", "Print what happens in the room, line by line."),
    "update": Place("update", "Install a new firmware, and see which one runs."),
    "reboot": Place("reboot", "Start the device again."),
    "factory-reset": Place("factory_reset", "Erase everything, as it left the factory."),
    "enroll-for": Place("enroll_for", "From your machine: a certificate for a room behind a firewall."),
}
root.places = PLACES


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `conclavectl` and return its exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    # Before the options are parsed, because they may be what is wrong.
    output = Output(is_json="--json" in words)
    try:
        code = root.main(words, prog_name=PROGRAM, standalone_mode=False)
    except CommandError as error:
        output.error(error)
        return error.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        if output.is_json:
            output.error(
                CommandError(ErrorKind.USAGE, "a command is missing", hint=f"see: {_path(words)} --help")
            )
        else:
            click.echo(error.format_message(), err=True)
        return OUTCOMES[ErrorKind.USAGE][0]
    except click.UsageError as error:
        path = error.ctx.command_path if error.ctx else _path(words)
        usage = CommandError(ErrorKind.USAGE, error.format_message(), hint=f"see: {path} --help")
        output.error(usage)
        return usage.exit_code
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    # The program's root: a bug of ours is one line too, and its traceback is there for who asks.
    except Exception as error:
        if os.environ.get("CONCLAVE_DEBUG"):
            raise
        words_of_bug = f"a bug in conclavectl: {type(error).__name__}: {error}"
        bug = CommandError(ErrorKind.FAILED, words_of_bug, hint="see all of it with CONCLAVE_DEBUG=1")
        output.error(bug)
        return bug.exit_code
    return code if isinstance(code, int) else 0


def _path(words: Sequence[str]) -> str:
    """The command that the words begin with: the parser forgets it in some of its errors."""
    command: click.Command = root
    path = [PROGRAM]
    for word in words:
        if not isinstance(command, click.Group):
            break
        found = command.get_command(click.Context(command), word)
        if found is not None:
            command = found
            path.append(word)
    return " ".join(path)
