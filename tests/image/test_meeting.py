"""One device, provisioned over SSH by an admin, meets two rooms of the host: everything real but the lens.

The story is told once (`tests/image/meeting`); each test looks at one thing that was seen in it. Pictures of
it are kept in build/image/.
"""

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import fastjsonschema
import pytest
import pytest_asyncio
from cryptography import x509

from tests.demo.stage import until
from tests.image.machine import Machine
from tests.image.meeting.far_camera import FarCamera, far_camera
from tests.image.meeting.host_rooms import GUEST_DOMAIN, PICTURE, HostSide, host_side
from tests.image.meeting.joining import CAMERA_SIZE, TONE_HZ, Joined, Meeting, join, meet, pitch_heard
from tests.image.meeting.provisioning import Provisioned, provision
from tests.image.meeting.reading import bars_on, names_on, words_on
from tests.image.meeting.sound import strengths

ROOT = Path(__file__).parents[2]
PICTURES = ROOT / "build/image"
TONE_TOLERANCE = 0.03
MIN_SHARE = 0.1
"""Of the loudspeaker's power for each of two voices; what is between their pitches has a hundredth of it."""
P256_PKCS8 = bytes.fromhex("020100301306072a8648ce3d020106082a8648ce3d030107")
"""How every PKCS#8 private key on P-256 goes on after its length (RFC 5958 §2, RFC 5480 §2.1.1.1)."""
PRIVATE_PEM = b"PRIVATE KEY-----"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def host(shared_device: Machine, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[HostSide]:
    async with host_side(tmp_path_factory.mktemp("host")) as made:
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def camera(shared_device: Machine) -> AsyncIterator[FarCamera]:
    async with far_camera(shared_device.visca) as made:
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def provisioned(
    host: HostSide, camera: FarCamera, shared_device: Machine, tmp_path_factory: pytest.TempPathFactory
) -> Provisioned:
    PICTURES.mkdir(parents=True, exist_ok=True)
    return await provision(host, shared_device, tmp_path_factory.mktemp("wire"))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def camera_test(provisioned: Provisioned, camera: FarCamera, shared_device: Machine) -> Any:
    """What the device says of its camera's turn, asked for by an admin."""

    async def is_ready() -> bool:
        devices = (await shared_device.admin.ctl("hardware", "list"))["devices"]
        return any(d["slot"] == "camera_control" and d["health"] == "ready" for d in devices)

    await until(is_ready, "the camera at the far end of the serial line to be found", 120.0)
    return await shared_device.admin.ctl("hardware", "test", "camera_control")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def joined(camera_test: Any, host: HostSide, shared_device: Machine) -> Joined:
    await host.meet()
    return await join(host, shared_device, PICTURES)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def meeting(joined: Joined, host: HostSide, shared_device: Machine) -> Meeting:
    return await meet(host, shared_device, PICTURES)


# An admin provisions it over SSH.


def test_what_is_said_again_changes_nothing(provisioned: Provisioned) -> None:
    changed = {
        name: (first["changed"], again["changed"]) for name, (first, again) in provisioned.answers.items()
    }
    assert changed == dict.fromkeys(changed, (True, False))


def test_the_device_has_its_name_from_the_ca(provisioned: Provisioned) -> None:
    identity = provisioned.identity
    assert (identity["state"], identity["domain"]) == ("enrolled", GUEST_DOMAIN)
    assert "Pebble" in identity["issuer"]


def test_port_80_is_open_only_while_the_ca_looks(provisioned: Provisioned) -> None:
    seen = (provisioned.was_open_before, provisioned.was_open_meanwhile, provisioned.is_open_after)
    assert seen == (False, True, False)


def test_the_path_unit_has_started_the_helper_and_it_has_ended_by_itself(provisioned: Provisioned) -> None:
    lines = provisioned.helper_log.splitlines()
    started = [n for n, line in enumerate(lines) if line.startswith("Started conclave-http01.service")]
    ended = [
        n for n, line in enumerate(lines) if line == "conclave-http01.service: Deactivated successfully."
    ]
    assert len(started) == len(ended) == 1
    assert started < ended


def test_the_certificate_is_for_the_key_that_the_device_signs_with(provisioned: Provisioned) -> None:
    request = x509.load_pem_x509_csr(provisioned.csr.encode())
    assert request.is_signature_valid
    (leaf, *_) = x509.load_pem_x509_certificates("".join(provisioned.identity["certificates"]).encode())
    assert leaf.public_key() == request.public_key()


@pytest.mark.asyncio(loop_scope="module")
async def test_the_key_lies_nowhere_in_the_clear(provisioned: Provisioned, shared_device: Machine) -> None:
    assert provisioned.identity["key_protection"] in ("tpm2", "sealed")
    der = "".join(f"\\x{byte:02x}" for byte in P256_PKCS8)
    search = f"LC_ALL=C grep -rlaP '{der}|{PRIVATE_PEM.decode()}' /var/lib/conclave"
    found = await shared_device.root.try_run(f"ls /var/lib/conclave/* >&2 && {search}")
    assert (found.code, found.out) == (1, ""), found.err


def test_nothing_that_passed_the_wire_or_the_console_looks_like_a_private_key(
    provisioned: Provisioned, shared_device: Machine
) -> None:
    # It proves that none went in the clear, no more: TLS and SSH hide what they carry, and what they carry is
    # `conclavectl`'s and the ACME client's. That the look finds what is in the clear, the CA's visit shows.
    seen = provisioned.wire + shared_device.console_log.read_bytes()
    assert b"GET /.well-known/acme-challenge/" in seen
    assert P256_PKCS8 not in seen
    assert PRIVATE_PEM not in seen


def test_the_status_is_as_its_schema_says(provisioned: Provisioned) -> None:
    schema = json.loads((ROOT / "docs/schema/status.json").read_text())
    fastjsonschema.compile(schema)(provisioned.status)


# Its hardware.


def test_every_device_of_the_board_is_ready(joined: Joined) -> None:
    health = {d["slot"]: d["health"] for d in joined.unmuted["hardware"]["devices"] if d["driver"] != "none"}
    assert health == dict.fromkeys(health, "ready")
    assert {"camera", "camera_control", "microphone", "speaker", "panel", "screen", "buttons"} <= set(health)


def test_the_camera_on_the_serial_line_turns_and_turns_back(camera_test: Any, camera: FarCamera) -> None:
    assert [check["state"] for check in camera_test["checks"]] == ["ok"]
    assert camera.widest_pan > 0
    assert camera.body.pan.steps == 0


# An admin asks it into a meeting.


def test_the_panel_counts_down_and_says_who_asked(joined: Joined) -> None:
    words = words_on(joined.countdown).lower()
    assert "asked for by an admin" in words
    assert re.search(r"joins in \d+ seconds?", words)
    assert joined.asked["meeting"]["lock"] != "locked"


def test_it_comes_muted(joined: Joined) -> None:
    hardware = joined.came["hardware"]
    assert (hardware["camera_muted"], hardware["microphone_muted"]) == (True, True)
    assert (hardware["camera_live"], hardware["microphone_live"]) == (False, False)


def test_buttons_in_the_room_unmute(joined: Joined) -> None:
    hardware = joined.unmuted["hardware"]
    assert (hardware["camera_changed_by"], hardware["microphone_changed_by"]) == ("a button", "a button")


def test_a_touch_on_the_glass_mutes(joined: Joined) -> None:
    hardware = joined.touched["hardware"]
    assert (hardware["camera_muted"], hardware["camera_changed_by"]) == (True, "the panel")


def test_all_rooms_agree_on_who_is_verified(meeting: Meeting, joined: Joined) -> None:
    wanted = {
        GUEST_DOMAIN: "verified",
        "atrium.example.com": "verified",
        "visitor.provider.example": "provider",
    }
    for view in (*meeting.views, joined.unmuted["meeting"]):
        assert {p["name"]: p["assurance"] for p in view["participants"]} == wanted


def test_the_code_read_off_the_panel_is_the_one_that_the_others_show(meeting: Meeting) -> None:
    assert len(meeting.code.split()) == 6
    assert meeting.code_read == meeting.code == meeting.views[1]["security_code"]


def test_the_panel_shows_the_lock_and_that_one_is_not_verified(meeting: Meeting) -> None:
    words = words_on(meeting.panel).lower()
    assert "locked" in words
    assert "not verified" in words


# Pictures and sound, both ways.


def test_both_rooms_hear_the_tone_of_the_devices_room(meeting: Meeting) -> None:
    pitches = [
        pitch_heard(streams, GUEST_DOMAIN)
        for name, streams in meeting.streams.items()
        if name != GUEST_DOMAIN
    ]
    assert pitches == [pytest.approx(TONE_HZ, rel=TONE_TOLERANCE)] * 2


def test_the_devices_loudspeaker_plays_the_tones_of_both_rooms(meeting: Meeting) -> None:
    share = strengths(meeting.heard, (440, 1100, 300, TONE_HZ))
    assert min(share[440], share[1100]) > MIN_SHARE
    assert max(share[300], share[TONE_HZ]) < MIN_SHARE / 10


def test_the_device_shows_the_pictures_of_both_rooms(meeting: Meeting) -> None:
    assert names_on(meeting.wall, 2, PICTURE[:2]) == set(meeting.streams) - {GUEST_DOMAIN}


def test_a_room_sees_what_the_kernels_camera_sees(meeting: Meeting) -> None:
    assert bars_on(meeting.far_wall, 2, CAMERA_SIZE)


def test_pictures_of_each_room_are_decoded_in_each_other(meeting: Meeting) -> None:
    names = set(meeting.streams)
    for me, streams in meeting.streams.items():
        decoded = {
            s["name"] for s in streams if s["kind"] == "video" and not s["is_self"] and s["frames_decoded"]
        }
        assert decoded == names - {me}
