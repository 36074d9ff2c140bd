"""`conclavectl hardware show`: mutes, panel and the media streams."""

import click

from conclave_provisioning.cli.client import RoomClient
from conclave_provisioning.cli.invocation import run, shared_options
from conclave_provisioning.cli.model import Hardware, as_json
from conclave_provisioning.cli.output import Output
from conclave_provisioning.cli.status import (
    HEALTH_COLOURS,
    camera_words,
    case_words,
    label,
    microphone_words,
)


@click.command("show", short_help="Show mutes, panel, devices and streams.")
@shared_options
def show() -> None:
    """Show camera, microphone, panel and the media streams.

    Muted is what software or the shutter (the microphone's switch) mutes. A switch that is unknown mutes
    nothing. Live is what really leaves the room now.

    JSON: hardware {camera_muted and microphone_muted (by software), shutter, mute_switch, camera_off and
    microphone_off (by either), camera_live, microphone_live, camera_changed_at, camera_changed_by,
    microphone_changed_at, microphone_changed_by, tamper (intact, tripped, unknown, not fitted), tampered_at,
    panel_serial, panel_epoch, panel_problem, devices [as in `hardware list`], frames_refused, streams [{leaf,
    name, kind, is_self, frames_sent, frames_decrypted, frames_undecodable, frames_decoded, detail {...}}]}.
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
    label(output, "camera", camera_words(found))
    label(output, "microphone", microphone_words(found))
    label(output, "case", case_words(found))
    label(output, "panel", [f"shows view {found.panel_serial}, epoch {found.panel_epoch}"])
    if found.panel_problem:
        label(output, "", [(f"people cannot read it: {found.panel_problem}", "red")])
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
