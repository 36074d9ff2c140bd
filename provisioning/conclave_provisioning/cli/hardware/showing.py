"""`conclavectl hardware show`: mutes, panel and the media streams."""

import click

from conclave_provisioning.cli.client import RoomClient
from conclave_provisioning.cli.invocation import run, shared_options
from conclave_provisioning.cli.model import Hardware, as_json
from conclave_provisioning.cli.output import Output
from conclave_provisioning.cli.status import HEALTH_COLOURS, label, muted_words


@click.command("show", short_help="Show mutes, panel, devices and streams.")
@shared_options
def show() -> None:
    """Show camera, microphone, panel and the media streams.

    JSON: hardware {camera_muted, microphone_muted, shutter, mute_switch, panel_serial, panel_epoch,
    devices [as in `hardware list`], frames_refused, streams [{leaf, name, kind, is_self, frames_sent,
    frames_decrypted, frames_undecodable, frames_decoded, detail {...}}]}.
    frames_refused counts what no key opened: forged, replayed or late, and of nobody that could be known.

    \b
    Examples:
      conclavectl hardware
      conclavectl hardware show --json
    """
    run(_show)


async def _show(client: RoomClient, output: Output) -> None:
    found = await client.read(Hardware)
    output.data(hardware=as_json(found))
    label(output, "camera", [muted_words(found.camera_muted), f", shutter {found.shutter}"])
    label(output, "microphone", [muted_words(found.microphone_muted), f", switch {found.mute_switch}"])
    label(output, "panel", [f"shows view {found.panel_serial}, epoch {found.panel_epoch}"])
    for device in found.devices:
        health = (device.health, HEALTH_COLOURS.get(device.health, "red"))
        label(output, "device", [f"{device.slot}: ", health, f", {device.reason}" if device.reason else ""])
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
