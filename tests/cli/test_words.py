"""What is made of the room's values before a person or a program sees them."""

from dataclasses import replace

import pytest

from conclave_provisioning.cli.advice import as_said_here, problems
from conclave_provisioning.cli.certificates import check_domains
from conclave_provisioning.cli.errors import CommandError
from conclave_provisioning.cli.model import (
    DAY_S,
    Device,
    Hardware,
    Identity,
    Meeting,
    Policy,
    Request,
    RoomView,
    Slot,
    Trust,
    field_name,
    property_name,
    read,
)
from conclave_provisioning.cli.output import LONGEST, _without_trailing_blanks, assurance_words, safe
from conclave_provisioning.cli.status import (
    camera_words,
    case_words,
    identity_words,
    microphone_words,
    policy_words,
)

NOW = 2_000_000_000.0
WELL = RoomView(
    device=Device("0.1.0", "ready"),
    identity=Identity(
        "enrolled", "room.example.com", not_after=int(NOW) + 60 * DAY_S, key_protection="sealed"
    ),
    trust=Trust(),
    policy=Policy("standard"),
    meeting=Meeting("idle", "none"),
    hardware=Hardware(shutter="passing", devices=(Slot("camera", "ready"),)),
)


def test_a_room_that_is_well_has_no_problem() -> None:
    assert problems(WELL, NOW) == ()


@pytest.mark.parametrize(
    ("room", "says", "command"),
    [
        (replace(WELL, identity=Identity("none")), "no identity", "conclavectl identity enroll DOMAIN"),
        (
            replace(WELL, identity=Identity("none", error="this device's key is gone")),
            "this device's key is gone: nobody can verify this room",
            "conclavectl identity enroll DOMAIN",
        ),
        (
            replace(
                WELL, identity=replace(WELL.identity, state="failed", error="no A record", hint="add one")
            ),
            "no A record; add one",
            "conclavectl identity enroll DOMAIN",
        ),
        (
            replace(WELL, identity=Identity("failed", "new.example.com", error="no A record")),
            "no A record",
            "conclavectl identity enroll new.example.com",
        ),
        (
            replace(WELL, identity=replace(WELL.identity, not_after=int(NOW) + 5 * DAY_S + 1)),
            "ends in 5 days",
            "conclavectl identity enroll room.example.com",
        ),
        (
            replace(WELL, identity=replace(WELL.identity, not_after=int(NOW) - 1)),
            "has expired",
            "conclavectl identity enroll room.example.com",
        ),
        (replace(WELL, identity=replace(WELL.identity, key_protection="plain")), "unprotected", "sealed"),
        (replace(WELL, meeting=Meeting("in_meeting", "broken")), "the lock is off", "meeting leave"),
        (
            replace(WELL, meeting=Meeting("in_meeting", "locked", is_host=True, lobby=(Request("r"),))),
            "1 waiting",
            "conclavectl meeting lobby",
        ),
        (replace(WELL, meeting=Meeting("in_meeting", "locked", notices=("a fork",))), "a fork", ""),
        (
            replace(WELL, meeting=Meeting("in_meeting", "locked", minds="b is expired", leaving_in_s=12)),
            "leaves in 12 s, by its own rules: b is expired",
            "conclavectl meeting roster",
        ),
        (
            replace(
                WELL, hardware=Hardware(shutter="passing", devices=(Slot("camera", "failed", "unplugged"),))
            ),
            "camera is failed: unplugged",
            "cable",
        ),
        (
            replace(WELL, hardware=Hardware(shutter="passing", tamper="tripped")),
            "opened the case",
            "conclavectl hardware clear-tamper",
        ),
        (
            replace(WELL, hardware=Hardware(shutter="passing", panel_problem="it is dark")),
            "cannot read the panel, nor compare the code: it is dark",
            "conclavectl hardware list",
        ),
        (replace(WELL, hardware=Hardware()), "count it as open", "conclavectl hardware"),
        (replace(WELL, device=Device("0.1.0", "failed")), "does not work", "conclavectl logs"),
        (replace(WELL, device=Device("0.1.0", "degraded", ("no clock: set it",))), "no clock: set it", ""),
    ],
)
def test_each_problem_is_told_with_what_mends_it(room: RoomView, says: str, command: str) -> None:
    (problem,) = problems(room, NOW)
    assert says in problem.text
    assert command in problem.command


def test_grave_problems_come_first() -> None:
    room = replace(
        WELL, identity=Identity("none", key_protection="plain"), device=Device("", "ready", ("a small one",))
    )
    assert [p.is_grave for p in problems(room, NOW)] == [True, False, False]


def test_a_problem_that_the_device_tells_comes_with_its_command() -> None:
    device = Device(
        "0.1.0", "degraded", ("no trust anchor: conclavectl trust add FILE --label NAME --kind verified",)
    )
    (problem,) = problems(replace(WELL, device=device), NOW)
    assert (problem.text, problem.command) == (
        "no trust anchor",
        "conclavectl trust add FILE --label NAME --kind verified",
    )


def test_what_two_tell_is_told_once() -> None:
    device = Device("0.1.0", "degraded", ("no certificate yet: conclavectl identity enroll DOMAIN",))
    (problem,) = problems(replace(WELL, device=device, identity=Identity("none")), NOW)
    assert problem.text == "the room has no identity: nobody can verify it"


def test_the_room_knows_for_which_domain_to_enroll_and_it_is_told_once() -> None:
    for command in ("conclavectl identity enroll new.example.com", "conclavectl identity csr DOMAIN"):
        device = Device("0.1.0", "degraded", (f"no certificate yet: {command}",))
        for state in ("none", "failed"):
            (problem,) = problems(replace(WELL, device=device, identity=Identity(state)), NOW)
            assert problem.command == command


def test_a_long_error_leaves_room_for_what_to_do() -> None:
    identity = Identity("failed", "new.example.com", error="Get " + "x" * 400, hint="open port 80")
    (problem,) = problems(replace(WELL, identity=identity), NOW)
    assert problem.text.endswith("…; open port 80")
    assert len(problem.text) < 300


@pytest.mark.parametrize(
    ("command", "is_remote", "said"),
    [
        ("conclavectl trust crl add FILE", True, "ssh DEVICE trust crl add - < FILE"),
        ("conclavectl trust crl add FILE", False, "conclavectl trust crl add FILE"),
        ("conclavectl config set a.key - < FILE", True, "ssh DEVICE config set a.key - < FILE"),
        ("conclavectl status", True, "conclavectl status"),
        ("check the FILE", True, "check the FILE"),
    ],
)
def test_over_ssh_a_file_is_said_to_come_by_stdin(command: str, is_remote: bool, said: str) -> None:
    assert as_said_here(command, is_remote=is_remote) == said


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        (Policy("standard"), "any meeting"),
        (Policy("locked", requires_verified=True), "locked meetings only, verified people only"),
        (Policy("standard", allows_service_ends=False), "any meeting, no recorders"),
    ],
)
def test_the_rooms_own_rules_are_one_line(policy: Policy, words: str) -> None:
    assert policy_words(policy) == words


@pytest.mark.parametrize(
    ("hostile", "shown"),
    [
        ("plain ünïcödé 会議", "plain ünïcödé 会議"),
        ("\x1b[2J", "\\u001b[2J"),
        ("a\u202eb\u200b", "a\\u202eb\\u200b"),
        ("line\r\nline\u2028", "line\\u000d\\u000aline\\u2028"),
        ("\x9b31m", "\\u009b31m"),
    ],
)
def test_unprintable_characters_are_made_visible(hostile: str, shown: str) -> None:
    assert safe(hostile) == shown


@pytest.mark.parametrize(
    ("identity", "words"),
    [
        (WELL.identity, "enrolled, 60 days left, key sealed"),
        (replace(WELL.identity, state="failed", error="no"), "enrolled, 60 days left, key sealed"),
        (replace(WELL.identity, not_after=int(NOW) - 1), "expired"),
        (replace(WELL.identity, state="failed", error="no", not_after=int(NOW) - 1), "expired"),
        (Identity("failed", "new.example.com", error="no"), "none, the last enrollment failed"),
        (Identity("none"), "none"),
    ],
)
def test_an_identity_is_told_by_its_certificate_whatever_was_tried(identity: Identity, words: str) -> None:
    parts = identity_words(identity, NOW)
    assert "".join(part if isinstance(part, str) else part[0] for part in parts) == words


@pytest.mark.parametrize("domain", ["example.com", "a.b-c.example", "xn--bcher-kva.example", "x1.y2.z3x"])
def test_a_domain_passes(domain: str) -> None:
    check_domains((domain,))


@pytest.mark.parametrize(
    "domain", ["", "foo bar", "com", "*.example.com", "example.com.", "192.0.2.1", "-a.example", "bücher.de"]
)
def test_what_is_no_domain_is_named(domain: str) -> None:
    with pytest.raises(CommandError) as caught:
        check_domains(("example.com", domain))
    assert caught.value.message == f"--domain {domain!r} is not a domain"


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("a  ", "a"),
        ("\x1b[1ma \x1b[0m\x1b[1m  \x1b[0m", "\x1b[1ma\x1b[0m\x1b[1m\x1b[0m"),
        ("a b", "a b"),
    ],
)
def test_a_line_of_a_table_ends_with_its_last_word(line: str, shown: str) -> None:
    assert _without_trailing_blanks(line) == shown


def test_an_endless_name_is_cut() -> None:
    assert safe("x" * 10_000) == "x" * (LONGEST - 1) + "…"


def test_only_verified_is_called_verified() -> None:
    assert [assurance_words(a) for a in ("verified", "provider", "unknown", "Verified", "")] == [
        "verified",
        "not verified",
        "unknown, not verified",
        "unknown, not verified",
        "unknown, not verified",
    ]


def test_a_room_of_another_version_is_read_as_far_as_it_is_understood() -> None:
    meeting = read(
        Meeting, {"state": "in_meeting", "epoch": "seven", "lobby": [{"name": "x", "new": 1}, 5], "newer": 1}
    )
    assert meeting == Meeting("in_meeting", lobby=(Request(name="x"),))


def test_what_hardware_mutes_is_muted_and_a_switch_that_nobody_can_read_is_red() -> None:
    closed = Hardware(shutter="blocking", camera_off=True, mute_switch="unknown", microphone_live=True)
    assert camera_words(closed)[:3] == ["muted", ", shutter ", ("blocking", "")]
    words = microphone_words(closed)
    assert words[:4] == ["on", ", switch ", ("unknown", "red"), ", heard by the others"]


def test_who_changed_a_mute_last_is_told_with_the_time() -> None:
    words = camera_words(Hardware(camera_muted=True, camera_changed_at=86400 * 365, camera_changed_by="x"))
    assert str(words[-1]).endswith(" by x")
    assert microphone_words(Hardware())[-1] == ""


@pytest.mark.parametrize(
    ("tamper", "colour"), [("tripped", "red"), ("intact", "green"), ("unknown", "yellow")]
)
def test_only_an_intact_case_is_green(tamper: str, colour: str) -> None:
    assert case_words(Hardware(tamper=tamper))[0][1] == colour


def test_what_is_unknown_is_not_safe() -> None:
    hardware = read(Hardware, {})
    assert (hardware.camera_muted, hardware.shutter) == (False, "unknown")
    assert read(Meeting, {}).lock == "unknown"


@pytest.mark.parametrize("name", Meeting.__dataclass_fields__)
def test_property_and_field_names_map_both_ways(name: str) -> None:
    if name != "INTERFACE":
        assert field_name(property_name(name)) == name
