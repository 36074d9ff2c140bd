"""An admin asks the device into the meeting; people in its room unmute; all see and hear each other."""

import asyncio
import base64
import shutil
from array import array
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from tests.demo.stage import until
from tests.image.machine import Machine
from tests.image.meeting.host_rooms import GUEST_DOMAIN, PICTURE, HostSide
from tests.image.meeting.reading import bars_on, code_on, names_on
from tests.image.meeting.sound import left_of

WAIT_S = 240.0
"""An emulated processor that shares two cores with everything else."""
TONE_HZ = 700
MIN_PICTURES, MIN_PACKETS = 10, 50
CAMERA_SIZE = (320, 180)
"""As hal.toml of the board asks of the camera."""
COUNTDOWN_S = 20
MICROPHONE, CAMERA = "f1", "f2"
"""Which keys the buttons are (hal.toml of the board), as QEMU calls them."""
CAMERA_ON_GLASS = (0.38, 0.93)
"""Where the panel has the camera's button, from 0 to 1 of its width and height."""
TABLET_MOST = 0x7FFF
"""QEMU's axes (include/ui/input.h: INPUT_EVENT_ABS_MAX)."""
PLAYED, HEARD = "hw:CARD=Loopback,DEV=0,SUBDEV=0", "hw:CARD=Loopback,DEV=1,SUBDEV=1"
"""The far ends of the device's microphone and loudspeaker (hal.toml of the board)."""
SOUND = "-q -t raw -f S16_LE -r 48000 -c 2"

_MAKE_TONE = f"""python3 -c '
from array import array
from math import pi, sin
one = [round(9000 * sin(2 * pi * {TONE_HZ} * n / 48000)) for n in range(48000)]
open("/run/tone", "wb").write(array("h", (s for s in one for _ in (0, 1))).tobytes())'
systemd-run -q --unit=test-tone sh -c 'while cat /run/tone; do :; done | aplay {SOUND} -D {PLAYED}'
"""
_RECORD = f"arecord {SOUND} -D {HEARD} -d 4 /run/heard && base64 -w 0 /run/heard"

View = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Joined:
    """What was seen on the way in."""

    asked: View
    """The device's status while the panel counted down."""
    came: View
    """Its status as soon as it was in."""
    unmuted: View
    """And after people in its room had pressed two buttons."""
    touched: View
    """And when somebody had touched the camera's button on the glass; another press undid it."""
    countdown: Path
    panel: Path
    """Pictures of the panel: while it counted down; in the meeting, unmuted."""


@dataclass(frozen=True, slots=True)
class Meeting:
    """What everybody sees and hears once all are in."""

    code: str
    """As the host's rooms show it."""
    views: tuple[View, View]
    """Panels of atrium and visitor."""
    code_read: str
    """As it was read off the picture of the device's panel."""
    panel: Path
    wall: Path
    """The picture on the device's screen: the others' cameras."""
    far_wall: Path
    """The picture on atrium's screen: the device's camera among others."""
    streams: dict[str, list[View]]
    """Media as each room counts them: device, atrium, visitor."""
    heard: "array[int]" = field(repr=False)
    """A recording of the device's loudspeaker."""


async def join(host: HostSide, machine: Machine, pictures: Path) -> Joined:
    """Asked from outside, counted down, come, unmuted by hand."""
    admin = machine.admin
    await admin.ctl("config", "set", "join_countdown_s", str(COUNTDOWN_S))
    await admin.ctl("meeting", "join", "-", stdin=host.link)

    async def counts_down() -> View | None:
        status: View = await admin.ctl("status")
        return status if status["meeting"]["joining_in_s"] > 0 else None

    asked = await until(counts_down, "the panel to count down", WAIT_S)
    countdown = await machine.screendump(pictures / "countdown.png")
    came = await until(partial(_is_in, machine), "the device to be in the meeting", WAIT_S)
    await press(machine, MICROPHONE)
    await press(machine, CAMERA)
    unmuted = await until(partial(_is_muted, machine, camera=False), "two buttons to unmute", WAIT_S)
    panel = await machine.screendump(pictures / "unmuted.png")
    await touch(machine, *CAMERA_ON_GLASS)
    touched = await until(partial(_is_muted, machine, camera=True), "a touch to mute the camera", WAIT_S)
    await press(machine, CAMERA)
    await until(partial(_is_muted, machine, camera=False), "a button to unmute it again", WAIT_S)
    return Joined(asked, came, unmuted, touched, countdown, panel)


async def meet(host: HostSide, machine: Machine, pictures: Path) -> Meeting:
    """A tone is played in the device's room; all wait until they see and hear each other."""
    await machine.root.run(_MAKE_TONE)
    parts = {GUEST_DOMAIN: TONE_HZ, **{r.name: r.part.frequency_hz for r in (host.atrium, host.visitor)}}

    async def device_streams() -> list[View]:
        found: list[View] = (await machine.admin.ctl("hardware"))["hardware"]["streams"]
        return found

    async def see_and_hear() -> dict[str, list[View]] | None:
        streams = {
            GUEST_DOMAIN: await device_streams(),
            host.atrium.name: await host.atrium.streams(),
            host.visitor.name: await host.visitor.streams(),
        }
        last.update(streams)
        return streams if all(_gets_all(found, parts, me) for me, found in streams.items()) else None

    last: dict[str, list[View]] = {}
    streams = await until(see_and_hear, "all to see and hear all", WAIT_S, show=lambda: str(last))
    heard = left_of(base64.b64decode(await machine.root.run(_RECORD, timeout_s=120)))
    panel = pictures / "meeting.png"
    code = ""
    views: list[View] = []

    async def same_code() -> str:
        nonlocal code
        views[:] = [await room.panel() for room in (host.atrium, host.visitor)]
        code = views[0]["security_code"]
        await machine.screendump(panel)
        read = await asyncio.to_thread(code_on, panel)
        return read if read == code == views[1]["security_code"] else ""

    read = await until(same_code, "the code on the device's panel to be readable", WAIT_S, show=lambda: code)
    wall, far_wall = pictures / "screen.png", pictures / "atrium-sees.png"

    async def both_are_on_the_wall() -> bool:
        # A picture that comes late, as from a busy machine, is taken away for a while.
        await machine.screendump(wall, device="screen")
        return await asyncio.to_thread(names_on, wall, 2, PICTURE[:2]) == parts.keys() - {GUEST_DOMAIN}

    await until(both_are_on_the_wall, "both rooms' pictures on the device's screen", WAIT_S)

    async def the_device_is_on_their_wall() -> bool:
        shutil.copy(host.wall, far_wall)
        return await asyncio.to_thread(bars_on, far_wall, 2, CAMERA_SIZE)

    await until(the_device_is_on_their_wall, "the device's picture on a room's screen", WAIT_S)
    return Meeting(code, (views[0], views[1]), read, panel, wall, far_wall, streams, heard)


async def press(machine: Machine, key: str) -> None:
    """A key of the machine's keyboard, down and up; `key` is QEMU's name of it."""
    for is_down in (True, False):
        event = {"type": "key", "data": {"down": is_down, "key": {"type": "qcode", "data": key}}}
        await machine.qmp.execute("input-send-event", events=[event])


async def touch(machine: Machine, x: float, y: float) -> None:
    """A finger comes and goes on the panel; `x` and `y` from 0 to 1 of its width and height."""
    move = [
        {"type": "abs", "data": {"axis": axis, "value": round(part * TABLET_MOST)}}
        for axis, part in (("x", x), ("y", y))
    ]
    for is_down in (True, False):
        button = {"type": "btn", "data": {"down": is_down, "button": "left"}}
        await machine.qmp.execute("input-send-event", events=[*move, button])


async def _is_muted(machine: Machine, *, camera: bool) -> View | None:
    """The status, once the microphone is on and the camera as is said."""
    status: View = await machine.admin.ctl("status")
    muted = (status["hardware"]["microphone_muted"], status["hardware"]["camera_muted"])
    return status if muted == (False, camera) else None


async def _is_in(machine: Machine) -> View | None:
    status: View = await machine.admin.ctl("status")
    meeting = status["meeting"]
    return status if meeting["lock"] == "locked" and len(meeting["participants"]) == 3 else None


def _gets_all(streams: list[View], parts: dict[str, int], me: str) -> bool:
    decoded = {(s["name"], s["kind"]): s["frames_decoded"] for s in streams if not s["is_self"]}
    return all(
        decoded.get((name, "video"), 0) >= MIN_PICTURES and decoded.get((name, "audio"), 0) >= MIN_PACKETS
        for name in parts
        if name != me
    )


def pitch_heard(streams: list[View], name: str) -> float:
    """What a simulated loudspeaker has measured of somebody's sound, in hertz."""
    (stream,) = (s for s in streams if s["name"] == name and s["kind"] == "audio")
    return float(stream["detail"].get("frequency_hz", 0.0))
