"""The hardware as D-Bus and panel see it, and what is wrong with it."""

from collections.abc import Iterator

from conclaved.bus.room import HardwareStatus, StreamStatus
from conclaved.media import MediaEngine
from conclaved.service.hardware import Hardware
from conclaved.service.meeting_runner import MeetingRunner
from conclaved.service.meeting_status import frames_refused, stream_statuses
from conclaved.service.slots import slot_statuses
from conclaved.service.tampering import Tampering


def hardware_status(
    hardware: Hardware, tampering: Tampering, runner: MeetingRunner | None, engine: MediaEngine | None
) -> HardwareStatus:
    """A snapshot; `runner` and `engine` are of the present meeting."""
    drawn = hardware.devices.panel.drawn()
    streams: tuple[StreamStatus, ...] = ()
    refused = 0
    if runner is not None and engine is not None:
        stats = engine.stats()
        streams = stream_statuses(runner.view(), stats)
        refused = frames_refused(stats)
    mutes = hardware.mutes
    return HardwareStatus(
        camera_muted=hardware.camera_muted,
        microphone_muted=hardware.microphone_muted,
        shutter=hardware.shutter.value,
        mute_switch=hardware.mute_switch.value,
        panel_serial=0 if drawn is None else drawn.serial,
        panel_epoch=0 if drawn is None else drawn.epoch,
        devices=slot_statuses(hardware.devices),
        frames_refused=refused,
        streams=streams,
        camera_off=hardware.is_camera_off,
        microphone_off=hardware.is_microphone_off,
        camera_live=engine is not None and engine.is_camera_live,
        microphone_live=engine is not None and engine.is_microphone_live,
        camera_changed_at=mutes.camera.changed_at,
        camera_changed_by=mutes.camera.changed_by,
        microphone_changed_at=mutes.microphone.changed_at,
        microphone_changed_by=mutes.microphone.changed_by,
        tamper=tampering.status,
        tampered_at=tampering.tripped_at,
        panel_problem=hardware.panel_watch.problem,
    )


def hardware_problems(hardware: Hardware, engine: MediaEngine | None) -> Iterator[str]:
    """What an admin should see to."""
    for line in engine.disobeying if engine else ():
        yield f"nothing of it leaves, but the {line}"
    why = hardware.panel_watch.problem
    if why:
        yield f"people in the room cannot read the panel: {why}: conclavectl hardware list"
    for slot, health, reason in hardware.states():
        if health == "failed":
            yield f"{slot}: {reason or health}"
