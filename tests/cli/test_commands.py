"""Commands that are done at once: what the room is asked for, and what is printed."""

import json
import re
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from conclaved.bus.change_report import Change, ChangeReport
from conclaved.bus.room import (
    EnrollmentRequest,
    IdentityStatus,
    MeetingStatus,
    PolicyChange,
    PolicyStatus,
    Topic,
)
from tests.bus.fake_room import (
    ALICE,
    ANCHOR,
    CODE,
    ENROLLED,
    GUEST,
    HARDWARE,
    IN_MEETING,
    NOT_AFTER,
    STREAM,
    WAITING,
    FakeRoom,
)
from tests.cli.conftest import Cli
from tests.pki import TestAuthority

CA = TestAuthority("Office CA", not_after=NOT_AFTER)
PEM = CA.root_pem
END = "2096-10-02"


async def test_status_as_json_has_everything(room: FakeRoom, cli: Cli) -> None:
    room.set(Topic.MEETING, IN_MEETING)
    room.set(Topic.IDENTITY, ENROLLED)
    status = (await cli("status", "--json")).json
    assert status["schema"] == 1
    assert status["device"] == json.loads(json.dumps(asdict(room.device())))
    assert status["meeting"] == json.loads(json.dumps(asdict(IN_MEETING)))
    assert status["identity"]["days_left"] > 0
    assert status["identity"]["domain"] == "room.example.com"
    assert status["hardware"]["streams"] == [asdict(STREAM)]
    assert status["anchors"] == [{**asdict(ANCHOR), "domains": ["example.com"]}]
    assert status["policy"] == asdict(room.policy())
    assert status["code_shown"] is True
    assert [p["command"] for p in status["problems"]] == ["conclavectl meeting lobby"]


async def test_without_a_command_the_status_is_shown_on_one_plain_screen(room: FakeRoom, cli: Cli) -> None:
    room.set(Topic.MEETING, IN_MEETING)
    room.set(Topic.IDENTITY, ENROLLED)
    result = await cli()
    assert result.code == 0
    assert result.err == ""
    assert "Weekly, standard: 2 in, 1 verified, 1 missing, 1 waiting" in result.out
    assert "on the panel" in result.out
    assert "office; 2 blocked; 2 revoked" in result.out
    assert "\x1b" not in result.out
    assert len(result.out.splitlines()) <= 24


async def test_a_new_room_is_told_to_enroll(room: FakeRoom, cli: Cli) -> None:
    assert "conclavectl identity enroll DOMAIN" in (await cli("status")).out


async def test_json_may_stand_before_the_command(room: FakeRoom, cli: Cli) -> None:
    assert (await cli("--json", "policy", "show")).json == {
        "schema": 1,
        "policy": asdict(room.policy()),
    }


async def test_the_identity_is_shown_with_its_chain_as_pem(room: FakeRoom, cli: Cli) -> None:
    room.set(Topic.IDENTITY, ENROLLED)
    identity = (await cli("identity", "show", "--json")).json["identity"]
    assert identity["fingerprint"] == ENROLLED.fingerprint
    assert identity["certificates"][0] == (
        "-----BEGIN CERTIFICATE-----\nMANsZWFm\n-----END CERTIFICATE-----\n"
    )
    printed = (await cli("identity", "show", "--pem")).out
    assert printed == "".join(identity["certificates"])


async def test_an_anchor_is_added_from_a_file_with_its_domains(
    room: FakeRoom, cli: Cli, tmp_path: Path
) -> None:
    file = tmp_path / "ca.pem"
    file.write_text(PEM)
    words = ("--label", "office", "--kind", "verified", "--domain", "a.example", "--domain", "b.example")
    result = await cli("trust", "add", str(file), *words)
    assert (result.code, result.out) == (
        0,
        f"trusted as verified for a.example, b.example: office (CN=Office CA, until {END})\n",
    )
    assert room.done == [("add_anchor", PEM, "office", "verified", ("a.example", "b.example"))]


async def test_an_anchor_is_added_from_stdin_without_domains(room: FakeRoom, cli: Cli) -> None:
    words = ("trust", "add", "-", "--label", "p", "--kind", "provider", "--json")
    end = int(CA.certificate.not_valid_after_utc.timestamp())
    answer = (await cli(*words, stdin=PEM.encode())).json
    assert (answer["ok"], answer["changed"]) == (True, True)
    assert answer["certificates"] == [{"subject": "CN=Office CA", "not_after": end}]
    assert room.done == [("add_anchor", PEM, "p", "provider", ())]


async def test_an_empty_file_is_told_to_be_empty(room: FakeRoom, cli: Cli) -> None:
    result = await cli("trust", "add", "-", "--label", "p", "--kind", "verified", stdin=b"")
    assert (result.code, room.done) == (2, [])
    assert "<stdin> is empty; give the CA's certificate" in result.err


async def test_the_entry_that_another_takes_the_place_of_is_told(room: FakeRoom, cli: Cli) -> None:
    before = '{label = "former", kind = "verified", domains = ["a.example"]}'
    room.report = ChangeReport(True, (Change("trust.anchors.p", before, '{label = "p"}', "at once"),))
    result = await cli("trust", "add", "-", "--label", "p", "--kind", "verified", stdin=PEM.encode())
    assert result.out.endswith("; in place of former, for a.example\n")


async def test_a_bundle_is_answered_with_each_of_its_certificates(room: FakeRoom, cli: Cli) -> None:
    pem = PEM + TestAuthority("Branch CA", not_after=NOT_AFTER).root_pem
    words = ("trust", "add", "-", "--label", "all", "--kind", "verified", "--bundle")
    assert (await cli(*words, stdin=pem.encode())).out.splitlines() == [
        "trusted as verified for any domain: all, 2 certificates",
        f"  CN=Office CA, until {END}",
        f"  CN=Branch CA, until {END}",
    ]
    assert room.done == [("add_anchor", pem, "all", "verified", ())]


async def test_anchors_are_listed_and_removed(room: FakeRoom, cli: Cli) -> None:
    _, line, *_ = (await cli("trust", "list")).out.splitlines()
    assert line.split() == ["office", "verified", "example.com", "until", "2096-10-02", "cd" * 8 + "…"]
    assert (await cli("trust", "remove", "office")).code == 0
    assert room.done == [("remove_anchor", "office")]


async def test_removing_an_anchor_in_a_meeting_says_who_is_no_longer_verified(
    room: FakeRoom, cli: Cli
) -> None:
    other = replace(GUEST, name="b.example.com", assurance="verified")
    room.set(Topic.MEETING, replace(IN_MEETING, participants=(ALICE, other)))
    judged = replace(other, assurance="unknown")
    room.then["remove_anchor"] = [(Topic.MEETING, replace(IN_MEETING, participants=(ALICE, judged)))]
    result = await cli("trust", "remove", "office")
    assert result.out.splitlines() == [
        "no longer trusted: office",
        "no longer verified in Weekly: 1 (b.example.com)",
    ]


POLICY_LINES = [
    "minimum level  standard",
    "participants   as the meeting says",
    "service ends   as the meeting says",
]


async def test_a_stricter_policy_says_which_meeting_it_ended(room: FakeRoom, cli: Cli) -> None:
    room.set(Topic.MEETING, IN_MEETING)
    reason = "this room's policy has become: locked meetings only"
    room.then["set_policy"] = [(Topic.MEETING, MeetingStatus("left", title="Weekly", left_reason=reason))]
    result = await cli("policy", "set", "--minimum-level", "locked")
    assert result.out.splitlines() == [*POLICY_LINES, f"the room left Weekly: {reason}"]


async def test_a_stricter_policy_that_somebody_breaks_says_that_the_room_counts_down(
    room: FakeRoom, cli: Cli
) -> None:
    room.set(Topic.MEETING, IN_MEETING)
    minding = replace(IN_MEETING, minds="guest.provider.example is not verified", leaving_in_s=30)
    room.then["set_policy"] = [(Topic.MEETING, minding)]
    result = await cli("policy", "set", "--verified-only")
    assert result.out.splitlines()[-1] == (
        "the room leaves Weekly in 30 s: guest.provider.example is not verified"
    )


async def test_a_stricter_policy_warns_of_the_meeting_that_the_room_is_on_its_way_to(
    room: FakeRoom, cli: Cli
) -> None:
    room.set(Topic.MEETING, MeetingStatus("joining", title="Weekly", level="standard"))
    result = await cli("policy", "set", "--minimum-level", "locked")
    assert "on its way into Weekly, which is standard; to stay out: conclavectl meeting leave" in result.out


async def test_only_the_rules_that_are_given_are_set(room: FakeRoom, cli: Cli) -> None:
    stricter = PolicyStatus("standard", requires_verified=True, allows_service_ends=False)
    room.then["set_policy"] = [(Topic.POLICY, stricter)]
    result = await cli("policy", "set", "--verified-only", "--no-service-ends")
    assert room.done == [("set_policy", PolicyChange(requires_verified=True, allows_service_ends=False))]
    assert result.out.splitlines() == [
        "minimum level  standard",
        "participants   verified only",
        "service ends   none",
    ]


async def test_rules_are_relaxed_by_name(room: FakeRoom, cli: Cli) -> None:
    result = await cli("policy", "set", "--no-verified-only", "--service-ends", "--json")
    assert room.done == [("set_policy", PolicyChange(requires_verified=False, allows_service_ends=True))]
    assert result.json["policy"] == asdict(room.policy())


async def test_the_policy_is_set(room: FakeRoom, cli: Cli) -> None:
    assert (await cli("policy", "set", "--minimum-level", "locked")).code == 0
    assert room.done == [("set_policy", PolicyChange(minimum_level="locked"))]


async def test_the_roster_says_who_is_missing_not_expected_compared_or_a_service(
    room: FakeRoom, cli: Cli
) -> None:
    compared = replace(GUEST, leaf=2, name="b.example.com", is_expected=True, is_compared=True)
    recorder = replace(GUEST, leaf=3, name="rec.example.com", role="service end", is_heard=False)
    people = (ALICE, GUEST, compared, recorder)
    room.set(Topic.MEETING, replace(IN_MEETING, participants=people, missing=("c.example.com", "d.example")))
    lines = (await cli("meeting", "roster")).out.splitlines()
    assert [
        [word for word in ("not heard", "not expected", "compared") if word in line] for line in lines[1:5]
    ] == [[], ["not expected"], ["compared"], ["not heard", "not expected"]]
    assert lines[5:] == [
        "it is being recorded or transcribed by: rec.example.com",
        "missing: c.example.com, d.example",
    ]


async def test_the_roster_says_not_verified_of_whom_only_the_provider_vouches_for(
    room: FakeRoom, cli: Cli
) -> None:
    room.set(Topic.MEETING, IN_MEETING)
    result = await cli("meeting", "roster", "--json")
    assert result.json == {
        "schema": 1,
        "epoch": 7,
        "participants": [asdict(ALICE), asdict(GUEST)],
        "missing": ["boss.example.com"],
    }
    first, alice, guest, _ = (await cli("meeting", "roster")).out.splitlines()
    assert first.split()[:4] == ["leaf", "name", "assurance", "role"]
    assert " ".join(alice.split()) == "0 room.example.com (this room) verified host by Example CA"
    assert "not verified" in guest


async def test_the_roster_says_who_is_muted_and_of_whom_nobody_knows(room: FakeRoom, cli: Cli) -> None:
    silent = replace(GUEST, leaf=2, name="silent.example.com", microphone="unknown", camera="unknown")
    room.set(Topic.MEETING, replace(IN_MEETING, participants=(ALICE, GUEST, silent)))
    _, alice, guest, silence, _ = (await cli("meeting", "roster")).out.splitlines()
    assert "microphone" not in alice
    assert "microphone muted, camera closed by its shutter" in guest
    assert "microphone unknown, camera unknown" in silence


async def test_tables_have_no_blanks_at_the_end_of_a_line(room: FakeRoom, cli: Cli) -> None:
    room.set(Topic.MEETING, IN_MEETING)
    for words in (["meeting", "roster"], ["meeting", "lobby"], ["trust", "list"], ["hardware"]):
        lines = (await cli(*words)).out.splitlines()
        assert lines == [line.rstrip() for line in lines]


async def test_whom_nobody_vouches_for_is_called_unknown_and_not_verified(room: FakeRoom, cli: Cli) -> None:
    people = (ALICE, replace(GUEST, assurance="unknown"))
    waiting = replace(WAITING, assurance="unknown")
    room.set(Topic.MEETING, replace(IN_MEETING, participants=people, lobby=(waiting,)))
    for words in (["meeting", "roster"], ["meeting", "lobby"]):
        assert "unknown, not verified" in (await cli(*words)).out


async def test_the_code_is_printed_to_compare(room: FakeRoom, cli: Cli) -> None:
    room.set(Topic.MEETING, IN_MEETING)
    code, since = (await cli("meeting", "code")).out.splitlines()
    assert code == CODE
    assert re.fullmatch(r"since 2023-11-1[45] \d\d:\d\d:\d\d: guest.provider.example \(guest\) joined", since)
    assert (await cli("meeting", "code", "--json")).json == {
        "schema": 1,
        "code": CODE,
        "epoch": 7,
        "code_epoch": 6,
        "code_time": IN_MEETING.code_time,
        "reason": IN_MEETING.code_reason,
        "compared": [],
    }


async def test_outside_a_meeting_there_is_no_roster(room: FakeRoom, cli: Cli) -> None:
    result = await cli("meeting", "roster", "--json")
    assert result.code == 4
    assert result.json["error"]["kind"] == "NotInMeeting"


async def test_the_lobby_is_listed(room: FakeRoom, cli: Cli) -> None:
    room.set(Topic.MEETING, IN_MEETING)
    assert (await cli("meeting", "lobby", "--json")).json == {"schema": 1, "lobby": [asdict(WAITING)]}


async def test_somebody_is_admitted_by_name_and_denied_by_id(room: FakeRoom, cli: Cli) -> None:
    room.set(Topic.MEETING, IN_MEETING)
    admitted = await cli("meeting", "admit", "late.example.com", "--json")
    answer = admitted.json
    assert (answer["ok"], answer["changed"]) == (True, True)
    assert (answer["request_id"], answer["name"], answer["assurance"]) == (
        *("r-1", "late.example.com", "verified"),
    )
    await cli("meeting", "deny", "r-1")
    assert room.done == [("admit", "r-1"), ("deny", "r-1")]


async def test_a_name_that_two_have_chosen_admits_neither(room: FakeRoom, cli: Cli) -> None:
    other = replace(WAITING, request_id="r-2", assurance="unknown")
    room.set(Topic.MEETING, replace(IN_MEETING, lobby=(WAITING, other)))
    result = await cli("meeting", "admit", "late.example.com")
    assert result.code == 2
    assert "say which by its id: r-1, r-2" in result.err
    assert room.done == []


async def test_a_name_that_is_somebodys_id_means_the_id(room: FakeRoom, cli: Cli) -> None:
    imposter = replace(WAITING, request_id="r-2", name="r-1")
    room.set(Topic.MEETING, replace(IN_MEETING, lobby=(imposter, WAITING)))
    await cli("meeting", "admit", "r-1")
    assert room.done == [("admit", "r-1")]


async def test_nobody_of_that_name_is_exit_code_4(room: FakeRoom, cli: Cli) -> None:
    room.set(Topic.MEETING, IN_MEETING)
    result = await cli("meeting", "admit", "nobody")
    assert (result.code, room.done) == (4, [])


async def test_muting_names_what_is_muted_and_nothing_unmutes(room: FakeRoom, cli: Cli) -> None:
    for words in (["mute"], ["mute", "both"], ["mute", "camera"], ["mute", "microphone"]):
        assert (await cli(*words)).code == 0
    both = ("mute", True, True)
    assert room.done == [both, both, ("mute", True, False), ("mute", False, True)]


async def test_hardware_as_json_has_streams_with_their_details(room: FakeRoom, cli: Cli) -> None:
    hardware = (await cli("hardware", "--json")).json["hardware"]
    assert hardware["streams"] == [asdict(STREAM)]
    assert hardware["frames_refused"] == 4
    assert hardware["devices"] == [asdict(device) for device in HARDWARE.devices]
    assert (hardware["panel_serial"], hardware["panel_epoch"]) == (HARDWARE.panel_serial, 7)


async def test_hardware_for_people_counts_each_stream(room: FakeRoom, cli: Cli) -> None:
    *_, line, refused = (await cli("hardware")).out.splitlines()
    assert line.split() == ["guest.provider.example", "video", "0", "89", "1", "88"]
    assert refused.split() == ["refused", "4", "frames", "that", "no", "key", "opened"]


async def test_a_strangers_name_cannot_touch_the_terminal(room: FakeRoom, cli: Cli) -> None:
    name = "evil\x1b]0;owned\x07\u202e[bold]moc.elpmaxe"
    hostile = replace(GUEST, name=name)
    room.set(
        Topic.MEETING,
        replace(IN_MEETING, title=name, participants=(hostile,), lobby=(replace(WAITING, name=name),)),
    )
    for words in (["status"], ["meeting", "roster"], ["meeting", "lobby"]):
        out = (await cli(*words)).out
        assert not {"\x1b", "\x07", "\u202e"} & set(out)
        assert "evil\\u001b]0;owned\\u0007\\u202e" in out


async def test_leaving_reaches_the_room(room: FakeRoom, cli: Cli) -> None:
    assert (await cli("meeting", "leave")).out == "left the meeting\n"
    assert room.done == [("leave_meeting",)]


async def test_an_enrollment_need_not_be_waited_for(room: FakeRoom, cli: Cli) -> None:
    words = ("--directory", "https://ca/dir", "--challenge", "dns-01", "--no-wait")
    result = await cli("identity", "enroll", "room.example.com", *words)
    assert result.out == "enrolling room.example.com; follow it: conclavectl identity show\n"
    assert room.done == [("enroll", EnrollmentRequest("room.example.com", "https://ca/dir", "dns-01"))]


async def test_a_code_that_the_panel_has_not_drawn_is_not_called_shown(room: FakeRoom, cli: Cli) -> None:
    room.set(Topic.MEETING, IN_MEETING)
    room.set(Topic.HARDWARE, replace(HARDWARE, panel_epoch=5))
    assert (await cli("status", "--json")).json["code_shown"] is False


@pytest.mark.parametrize(
    ("compared", "says"),
    [
        ((False, False), "on the panel; compare it with the others'"),
        ((True, False), "on the panel; compared with 1 of 2"),
    ],
)
async def test_the_status_counts_with_whom_the_code_was_compared(
    room: FakeRoom, cli: Cli, compared: tuple[bool, bool], says: str
) -> None:
    others = [replace(GUEST, leaf=i + 1, is_compared=ticked) for i, ticked in enumerate(compared)]
    room.set(Topic.MEETING, replace(IN_MEETING, participants=(ALICE, *others)))
    assert f"code          {says}\n" in (await cli("status")).out


async def test_a_left_meeting_says_why(room: FakeRoom, cli: Cli) -> None:
    room.set(Topic.MEETING, MeetingStatus("left", left_reason="the host removed this room"))
    assert "none; left the meeting: the host removed this room\n" in (await cli("status")).out


@pytest.mark.parametrize(
    ("meeting", "says"),
    [
        (MeetingStatus("idle"), "none"),
        (MeetingStatus("joining", title="Review"), "joining Review"),
        (MeetingStatus("lobby", title="Review"), "in the lobby of Review; a host has to admit this room"),
        (
            MeetingStatus("left", title="Review", left_reason="left the meeting"),
            "none; left Review",
        ),
    ],
)
async def test_the_status_says_which_meeting_it_is_about(
    room: FakeRoom, cli: Cli, meeting: MeetingStatus, says: str
) -> None:
    room.set(Topic.MEETING, meeting)
    assert f"meeting       {says}\n" in (await cli("status")).out


FAILED = replace(ENROLLED, state="failed", error="new.example.com: no A record", hint="add one")


async def test_a_failed_enrollment_is_told_apart_from_the_certificate(room: FakeRoom, cli: Cli) -> None:
    room.set(Topic.IDENTITY, FAILED)
    failure = "! the last enrollment failed: new.example.com: no A record; add one"
    for command, name in ((["status"], "room"), (["identity", "show"], "domain")):
        lines = (await cli(*command)).out.splitlines()
        assert f"{name:<14}room.example.com" in lines
        assert any("enrolled, " in line and "days left" in line for line in lines)
        assert failure in lines


async def test_a_first_enrollment_that_failed_gives_the_room_no_name(room: FakeRoom, cli: Cli) -> None:
    room.set(Topic.IDENTITY, IdentityStatus("failed", domain="new.example.com", error="no A record"))
    lines = (await cli("status")).out.splitlines()
    assert lines[:2] == [
        "room          without a name",
        "identity      none, the last enrollment failed",
    ]
    assert "    conclavectl identity enroll new.example.com" in lines
