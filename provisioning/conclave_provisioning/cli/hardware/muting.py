"""`conclavectl mute`: nothing that this room sees or hears leaves it."""

import click

from conclave_provisioning.cli.changes import Change, Report, dry_run_option
from conclave_provisioning.cli.client import RoomClient
from conclave_provisioning.cli.invocation import run, shared_options
from conclave_provisioning.cli.model import Hardware
from conclave_provisioning.cli.output import Output


@click.command(short_help="Mute the camera, the microphone, or both.")
@click.argument("what", type=click.Choice(["camera", "microphone", "both"]), required=False)
@dry_run_option
@shared_options
def mute(what: str | None, dry_run: bool) -> None:
    """Mute the camera, the microphone, or both (the default).

    Only people in the room can unmute: there is no command for it.

    \b
    Examples:
      conclavectl mute
      conclavectl mute microphone

    JSON: ok, changed, dry_run, changes [{key, before, after, effect}].
    """
    camera, microphone = what != "microphone", what != "camera"
    named = (("camera", camera), ("microphone", microphone))

    async def action(client: RoomClient, output: Output) -> None:
        before = await client.read(Hardware)
        was = {"camera": before.camera_muted, "microphone": before.microphone_muted}
        changes = tuple(
            Change(f"hardware.{name}_muted", "false", "true", "at once")
            for name, is_it in named
            if is_it and not was[name]
        )
        if not dry_run:
            # Said even where it is muted already: by a switch, say, which can be moved back.
            await client.act("Hardware", "Mute", "bb", camera, microphone)
        report = Report(bool(changes), changes, dry_run)
        output.data(**report.json())
        words = f"muted: {' and '.join(n for n, is_it in named if is_it)}"
        report.say(output, words)

    run(action)
