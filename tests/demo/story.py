"""The story of the demo: three rooms enroll, meet and encrypt; one leaves; a guest is let in, and removed.

Every step waits until the rooms themselves report that it holds, and raises StageError when it
does not.
"""

import asyncio
import contextlib
import struct
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from conclave_hal.encoding.h264_stream import LIBX264
from conclave_hal.encoding.stream_encoder import EncoderOptions, StreamEncoder
from conclave_hal.simulated.camera import CameraOptions, SimulatedCamera
from conclave_hal.simulated.privacy_switch import SimulatedPrivacySwitch
from conclave_hal.video_source import GatedVideoSource
from tests.demo.stage import Part, RoomProcess, Stage, StageError, until

ATRIUM = Part("atrium.example.com", "127.0.0.11", 440)
BERLIN = Part("berlin.example.net", "127.0.0.12", 660)
CHICAGO = Part("chicago.example.org", "127.0.0.13", 880, challenge="dns-01")
VISITOR = Part("visitor.provider.example", "127.0.0.14", 1100)

TONE_TOLERANCE = 0.03
MIN_FRAMES = 20

ENCODER = b"x264 - core"
"""libx264 writes its name and options in clear into the first frame of a stream."""
START_CODE = b"\0\0\0\1"
SEQUENCE_PARAMETER_SET = 7
MIN_NEEDLE_BYTES = 16
CAMERA_TIMEOUT_S = 30

REMOVED = "a host removed this room from the meeting"

Tell = Callable[[str], None]


async def enroll(it: Stage, tell: Tell) -> list[RoomProcess]:
    """Start three rooms and give each its domain."""
    rooms = list(
        await asyncio.gather(*(it.room(part, ca=it.public_ca) for part in (ATRIUM, BERLIN, CHICAGO)))
    )
    for room in rooms:
        it.overview.add(room.name, room.panel_url)
    await asyncio.gather(*(_trust(it, room) for room in rooms))

    async def one(room: RoomProcess) -> None:
        answer = await room.ctl("identity", "enroll", room.name)
        identity = answer["identity"]
        tell(
            f"enrolled   {room.name}: {room.part.challenge}, key {identity['key_protection']}, "
            f"{identity['days_left']} days, by {identity['issuer']}"
        )

    await asyncio.gather(*(one(room) for room in rooms))
    return rooms


async def meet(it: Stage, rooms: list[RoomProcess], tell: Tell) -> tuple[str, str]:
    """Invite, join, and wait for one code on all panels. Returns the link and the code."""
    host, *others = rooms
    created = await host.ctl(
        "meeting",
        "create",
        "--title",
        "Quarterly review",
        *(word for room in others for word in ("--invite", room.name)),
        "--conference",
        it.hub_url,
    )
    link = str(created["link"])
    tell(f"invited    by {host.name}: {', '.join(room.name for room in others)}")
    await asyncio.gather(*(room.ctl("meeting", "join", link, "--wait-admitted") for room in rooms))
    code = await same_code(rooms, members=len(rooms))
    for room in rooms:
        view = await room.panel()
        verified = sum(p["assurance"] == "verified" for p in view["participants"])
        tell(f"panel      {room.name}: {view['lock']}, {verified} verified, code {view['security_code']}")
    return link, code


async def media(rooms: list[RoomProcess], tell: Tell) -> None:
    """Wait until every room has decoded every other one: its name, its moving counter, its tone."""
    for room in rooms:
        others = [other.part for other in rooms if other is not room]
        streams = await until(
            partial(_hears_all, room, others),
            f"{room.name} to see and hear {', '.join(part.domain for part in others)}",
        )
        sent = {s["kind"]: s["frames_sent"] for s in streams if s["is_self"]}
        got = [s for s in streams if not s["is_self"]]
        tones = ", ".join(
            f"{s['name'].split('.')[0]} {s['detail']['frequency_hz']:.0f} Hz"
            for s in got
            if s["kind"] == "audio"
        )
        tell(
            f"media      {room.name}: sent {sent.get('video', 0)} video, {sent.get('audio', 0)} audio; "
            f"decrypted {sum(s['frames_decrypted'] for s in got if s['kind'] == 'video')} video, "
            f"{sum(s['frames_decrypted'] for s in got if s['kind'] == 'audio')} audio; hears {tones}"
        )


async def one_leaves(rooms: list[RoomProcess], code: str, tell: Tell) -> None:
    """The last room leaves: the key rotates and the code stays."""
    *staying, leaver = rooms
    before = (await staying[0].panel())["epoch"]
    await leaver.ctl("meeting", "leave")
    after_code = await same_code(staying, members=len(staying), after_epoch=before)
    after = (await staying[0].panel())["epoch"]
    if after_code != code:
        raise StageError("the code changed although somebody only left")
    tell(
        f"left       {leaver.name}: epoch {before} -> {after}, new keys; "
        f"on {len(staying)} panels still {after_code}"
    )


async def guest_comes(it: Stage, rooms: list[RoomProcess], link: str, code: str, tell: Tell) -> RoomProcess:
    """A guest with the provider's certificate asks; the host admits it; the code changes."""
    host = rooms[0]
    guest = await it.room(VISITOR, ca=it.provider_ca, is_providers=True)
    it.overview.add(guest.name, guest.panel_url)
    await _trust(it, guest)
    # Nobody gave it a domain: it has had itself vouched for by the provider.
    await until(partial(_is_enrolled, guest), f"{guest.name} to have the provider's certificate")
    await guest.ctl("meeting", "join", link)
    waiting = await until(lambda: _lobby(host), f"{guest.name} to wait in the lobby of {host.name}")
    tell(f"asks       {waiting['name']} ({waiting['assurance']}: not verified) waits in the lobby")
    await host.ctl("meeting", "admit", waiting["name"])
    everybody = [*rooms, guest]
    new = await same_code(everybody, members=len(everybody))
    if new == code:
        raise StageError("the code is the same although somebody joined")
    for room in everybody:
        view = await room.panel()
        shown = next(p for p in view["participants"] if p["name"] == guest.name)
        if shown["assurance"] != "provider" or shown["role"] != "guest":
            raise StageError(f"{room.name} shows the guest as {shown['assurance']}, {shown['role']}")
    tell(f"admitted   {guest.name} by {host.name}: new code {new} on {len(everybody)} panels, not verified")
    return guest


async def guest_goes(rooms: list[RoomProcess], guest: RoomProcess, link: str, tell: Tell) -> None:
    """The host removes the guest: new keys for the others, and a return that is refused."""
    host = rooms[0]
    before = await host.panel()
    await host.ctl("meeting", "kick", guest.name)
    after_code = await same_code(rooms, members=len(rooms), after_epoch=before["epoch"])
    if after_code != before["security_code"]:
        raise StageError("the code changed although somebody only went")
    await until(partial(_has_left, guest), f"{guest.name} to be out")
    after = (await host.panel())["epoch"]
    tell(f"removed    {guest.name} by {host.name}: epoch {before['epoch']} -> {after}, new keys, same code")
    try:
        await guest.ctl("meeting", "join", link, "--wait-admitted")
    except StageError as error:
        if REMOVED not in str(error):
            raise
    else:
        raise StageError(f"{guest.name} is in again, whom a host removed")
    if (await host.panel())["lobby"]:
        raise StageError(f"{host.name} is asked about somebody whom it removed")
    tell(f"refused    {guest.name} asks again, and is told: {REMOVED}")


async def relay_saw(it: Stage, names: Iterable[str], tell: Tell) -> None:
    """Look through everything that the hub saw for what it must not have seen.

    What stands for a frame is taken from frames of such a camera as the rooms have: a needle that is in
    no frame would be found nowhere, and prove nothing.
    """
    first, later = await _two_keyframes()
    parameters = _parameter_set(first)
    if ENCODER not in first or parameters not in later:
        raise StageError("the cameras' frames do not hold what they are looked for by")
    data = it.capture.read_bytes()
    count = at = 0
    while at + 4 <= len(data):
        (length,) = struct.unpack_from(">I", data, at)
        at += 4 + length
        count += 1
    secrets = {name: name.encode() for name in names}
    secrets |= {"a first frame": ENCODER, "a keyframe": parameters, "the title": b"Quarterly review"}
    found = [what for what, needle in secrets.items() if needle in data]
    if found or count < 1000:
        raise StageError(f"the relay saw {count} messages, and in them: {found}")
    tell(f"relay saw  {count} messages and packets, {len(data) // 1024} kB: no name, no title, no frame")


async def _two_keyframes() -> tuple[bytes, bytes]:
    """Two pictures that decode alone, of a camera like the rooms', before anything encrypts them."""
    camera = SimulatedCamera(CameraOptions(ATRIUM.domain))
    encoder = StreamEncoder((LIBX264,), EncoderOptions())
    source = GatedVideoSource(camera, encoder, SimulatedPrivacySwitch())
    for device in (camera, encoder, source):
        await device.open()
    found: list[bytes] = []
    try:
        async with asyncio.timeout(CAMERA_TIMEOUT_S), contextlib.aclosing(source.frames()) as frames:
            async for frame in frames:
                if frame.is_keyframe:
                    found.append(frame.data)
                if len(found) == 2:
                    break
                await source.request_keyframe()
    finally:
        await camera.close()
        await encoder.close()
    first, later = found
    return first, later


def _parameter_set(frame: bytes) -> bytes:
    """What stands in every keyframe of such a camera, start code included (H.264 §7.3.2.1, annex B)."""
    for unit in frame.split(START_CODE):
        if unit and unit[0] & 0x1F == SEQUENCE_PARAMETER_SET and len(unit) >= MIN_NEEDLE_BYTES:
            return START_CODE + unit
    raise StageError("a camera's keyframe holds no parameters of its stream")


async def same_code(rooms: list[RoomProcess], *, members: int, after_epoch: int = -1) -> str:
    """Wait until all panels are locked and show one code for `members` people; return it."""

    async def check() -> str:
        views = [await room.panel() for room in rooms]
        codes = {view.get("security_code", "") for view in views}
        holds = all(
            view.get("lock") == "locked"
            and len(view["participants"]) == members
            and view["epoch"] > after_epoch
            for view in views
        )
        return codes.pop() if holds and len(codes) == 1 else ""

    code = await until(check, f"one code on {len(rooms)} panels")
    return str(code)


async def _trust(it: Stage, room: RoomProcess) -> None:
    for name, kind in (("public", "verified"), ("provider", "provider")):
        await room.ctl(
            "trust", "add", str(it.folder / f"{name}-root.pem"), "--label", f"{name} CA", "--kind", kind
        )


async def _is_enrolled(room: RoomProcess) -> bool:
    identity = (await room.ctl("identity", "show"))["identity"]
    return bool(identity["state"] == "enrolled" and identity["method"] == "provider")


async def _has_left(room: RoomProcess) -> bool:
    return bool((await room.panel())["state"] == "left")


async def _lobby(host: RoomProcess) -> dict[str, Any] | None:
    waiting = (await host.ctl("meeting", "lobby"))["lobby"]
    return waiting[0] if waiting else None


async def _hears_all(room: RoomProcess, others: list[Part]) -> list[dict[str, Any]] | None:
    streams = await room.streams()
    found = {(s["name"], s["kind"]): s for s in streams if not s["is_self"]}
    for part in others:
        video, audio = found.get((part.domain, "video")), found.get((part.domain, "audio"))
        if video is None or audio is None:
            return None
        if video["frames_decoded"] < MIN_FRAMES or audio["frames_decoded"] < MIN_FRAMES:
            return None
        if (
            video["detail"].get("name") != part.domain
            or video["detail"].get("counter_advances", 0) < MIN_FRAMES
        ):
            return None
        heard = audio["detail"].get("frequency_hz", 0.0)
        if abs(heard - part.frequency_hz) > TONE_TOLERANCE * part.frequency_hz:
            return None
    return streams
