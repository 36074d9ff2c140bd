"""`conclavectl hardware` and `mute`: camera, microphone, panel, and what flows through them."""

import click

from conclave_provisioning.cli.changes import Change, Report, dry_run_option
from conclave_provisioning.cli.client import RoomClient
from conclave_provisioning.cli.invocation import run, shared_options
from conclave_provisioning.cli.model import Hardware, as_json
from conclave_provisioning.cli.output import Output
from conclave_provisioning.cli.status import HEALTH_COLOURS, label, muted_words


@click.command(short_help="Show camera, microphone, panel and streams.")
@shared_options
def hardware() -> None:
    """Show camera, microphone, panel and the media streams.

    JSON: hardware {camera_muted, microphone_muted, shutter, mute_switch, panel_serial, panel_epoch,
    devices [{slot, health, reason}], frames_refused, streams [{leaf, name, kind, is_self, frames_sent,
    frames_decrypted, frames_undecodable, frames_decoded, detail {...}}]}.
    frames_refused counts what no key opened: forged, replayed or late, and of nobody that could be known.

    \b
    Examples:
      conclavectl hardware
      conclavectl hardware --json
    """

    async def action(client: RoomClient, output: Output) -> None:
        found = await client.read(Hardware)
        output.data(hardware=as_json(found))
        label(output, "camera", [muted_words(found.camera_muted), f", shutter {found.shutter}"])
        label(
            output,
            "microphone",
            [muted_words(found.microphone_muted), f", switch {found.mute_switch}"],
        )
        label(output, "panel", [f"shows view {found.panel_serial}, epoch {found.panel_epoch}"])
        for device in found.devices:
            health = (device.health, HEALTH_COLOURS.get(device.health, "red"))
            label(
                output, "device", [f"{device.slot}: ", health, f", {device.reason}" if device.reason else ""]
            )
        if found.streams and not output.is_json:
            output.line("")
            rows = [
                (
                    f"{s.name} (self)" if s.is_self else s.name,
                    s.kind,
                    *map(str, (s.frames_sent, s.frames_decrypted, s.frames_undecodable, s.frames_decoded)),
                )
                for s in found.streams
            ]
            output.table(("stream", "kind", "sent", "decrypted", "undecodable", "decoded"), rows)
            label(output, "refused", [f"{found.frames_refused} frames that no key opened"])

    run(action)


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
