"""The object on a real bus, seen by a client that shares no code with it."""

import asyncio
from dataclasses import replace
from importlib import resources
from typing import Any

import pytest
from dbus_next.introspection import Node
from dbus_next.signature import Variant

from conclaved.bus.room import (
    EnrollmentRequest,
    MeetingRequest,
    MeetingStatus,
    PolicyChange,
    RoomError,
    RoomErrorKind,
    Topic,
)
from tests.bus.fake_room import (
    ANCHOR,
    AUDIT,
    AUDITS,
    CODE,
    ENROLLED,
    HARDWARE,
    IN_MEETING,
    INVITATION,
    LINK,
    FakeRoom,
    muted,
)
from tests.bus.peer import NAME, Peer, PeerError, plain

ERROR = "org.conclave.Room1.Error."


def source() -> Node:
    return Node.parse(resources.files("conclaved.bus").joinpath("org.conclave.Room1.xml").read_text("utf-8"))


def shape(node: Node) -> dict[str, Any]:
    """What an introspected object offers, as plain values."""
    return {
        interface.name: {
            "methods": {m.name: (m.in_signature, m.out_signature) for m in interface.methods},
            "properties": {p.name: (p.signature, p.access.value) for p in interface.properties},
            "signals": {s.name: s.signature for s in interface.signals},
        }
        for interface in node.interfaces
    }


async def test_the_live_object_is_introspected_as_its_source_says(room: FakeRoom, peer: Peer) -> None:
    (live,) = await peer.call("org.freedesktop.DBus.Introspectable", "Introspect")
    assert shape(Node.parse(live)) == shape(source())


async def test_each_declared_property_is_served_with_its_declared_signature(
    room: FakeRoom, peer: Peer
) -> None:
    room.set(Topic.MEETING, IN_MEETING)
    room.set(Topic.IDENTITY, ENROLLED)
    for interface in source().interfaces:
        if interface.name.startswith(NAME):
            served = await peer.get_all(interface.name.removeprefix(NAME + "."))
            assert {n: v.signature for n, v in served.items()} == {
                p.name: p.signature for p in interface.properties
            }


async def test_each_declared_method_reaches_the_room(room: FakeRoom, peer: Peer) -> None:
    examples: dict[str, Any] = {
        "s": "x",
        "as": ["x"],
        "b": True,
        "x": 1,
        "a{sv}": {},
        "a{ss}": {},
        "ay": b"x",
    }
    room.error = RoomError(RoomErrorKind.BUSY, "reached")
    for interface in source().interfaces:
        if interface.name.startswith(NAME):
            for method in interface.methods:
                if method.name == "Introduce":
                    # The only one that the bus keeps to itself.
                    continue
                arguments = [examples[str(a.signature)] for a in method.in_args]
                with pytest.raises(PeerError, match="reached"):
                    await peer.call(interface.name, method.name, method.in_signature, *arguments)


async def test_the_way_down_to_the_object_can_be_introspected(room: FakeRoom, peer: Peer) -> None:
    found = []
    for path in ("/", "/org", "/org/conclave"):
        (xml,) = await peer.call("org.freedesktop.DBus.Introspectable", "Introspect", path=path)
        found.append(Node.parse(xml).nodes[0].name)
    assert found == ["org", "conclave", "Room1"]


async def test_the_meeting_is_served_with_roster_lobby_and_code(room: FakeRoom, peer: Peer) -> None:
    room.set(Topic.MEETING, IN_MEETING)
    meeting = plain(await peer.get_all("Meeting"))
    assert meeting["SecurityCode"] == CODE
    assert meeting["Epoch"] == 7
    assert meeting["Missing"] == ["boss.example.com"]
    assert meeting["Removed"] == [{"key_id": "00112233445566aa", "name": "rude.example.com"}]
    assert [p["is_expected"] for p in meeting["Participants"]] == [True, False]
    assert [(p["name"], p["assurance"], p["is_self"]) for p in meeting["Participants"]] == [
        ("room.example.com", "verified", True),
        ("guest.provider.example", "provider", False),
    ]
    assert meeting["Lobby"] == [
        {
            "request_id": "r-1",
            "name": "late.example.com",
            "assurance": "verified",
            "reason": "",
            "obstacle": "",
        }
    ]


async def test_a_streams_details_keep_their_types(room: FakeRoom, peer: Peer) -> None:
    (stream,) = plain(await peer.get("Hardware", "Streams"))
    counts = {key: value for key, value in stream.items() if key.startswith("frames_")}
    assert counts == {
        "frames_sent": 0,
        "frames_decrypted": 89,
        "frames_undecodable": 1,
        "frames_decoded": 88,
    }
    assert await peer.get("Hardware", "FramesRefused") == 4
    assert stream["detail"] == {"counter": 1234, "room": "guest", "level_db": -12.5, "moving": True}


async def test_certificates_are_served_as_bytes(room: FakeRoom, peer: Peer) -> None:
    room.set(Topic.IDENTITY, ENROLLED)
    assert await peer.get("Identity", "Certificates") == [b"\x30\x03leaf", b"\x30\x03root"]


async def test_only_what_has_changed_is_signalled(room: FakeRoom, peer: Peer) -> None:
    await peer.listen()
    room.set(Topic.MEETING, IN_MEETING)
    await peer.next_heard()
    room.set(Topic.MEETING, replace(IN_MEETING, epoch=8, lock="opening"))
    assert await peer.next_heard() == (NAME + ".Meeting", {"Epoch": 8, "Lock": "opening"})


async def test_an_announced_change_that_is_none_is_not_signalled(room: FakeRoom, peer: Peer) -> None:
    await peer.listen()
    room.set(Topic.MEETING, MeetingStatus("idle"))
    room.set(Topic.DEVICE, replace(room.device(), health="degraded", problems=("a problem",)))
    assert await peer.next_heard() == (NAME + ".Device", {"Health": "degraded", "Problems": ["a problem"]})
    await peer.ping()
    assert peer.heard.empty()


async def test_moving_counters_are_not_signalled(room: FakeRoom, peer: Peer) -> None:
    await peer.listen()
    room.set(Topic.HARDWARE, muted(replace(HARDWARE, streams=(), frames_refused=99)))
    assert await peer.next_heard() == (NAME + ".Hardware", {"CameraMuted": True})


async def test_verbs_reach_the_room_with_typed_arguments(room: FakeRoom, peer: Peer) -> None:
    options = {"directory_url": Variant("s", "https://ca/dir"), "challenge": Variant("s", "dns-01")}
    options["new_key"] = Variant("b", True)
    await peer.call(NAME + ".Identity", "Enroll", "sa{sv}", "room.example.com", options)
    domains = {"domains": Variant("as", ["example.com"])}
    await peer.call(NAME + ".Trust", "AddAnchor", "sssa{sv}", "PEM", "office", "verified", domains)
    await peer.call(NAME + ".Hardware", "Mute", "bb", True, False)
    assert room.done == [
        ("enroll", EnrollmentRequest("room.example.com", "https://ca/dir", "dns-01", is_new_key=True)),
        ("add_anchor", "PEM", "office", "verified", ("example.com",)),
        ("mute", True, False),
    ]


async def test_creating_a_meeting_returns_its_link_and_the_signed_invitation(
    room: FakeRoom, peer: Peer
) -> None:
    options = {
        "open": Variant("b", True),
        "not_after": Variant("x", 99),
        "hosts": Variant("as", ["ana.example.com"]),
        "service_ends": Variant("as", ["recorder.example.com"]),
    }
    answer = await peer.call(
        NAME + ".Meeting", "Create", "ssassa{sv}", "Weekly", "locked", ["@example.com"], "wss://h:1", options
    )
    assert answer == [LINK, INVITATION]
    assert room.done == [
        (
            "create_meeting",
            MeetingRequest(
                "Weekly",
                "locked",
                ("@example.com",),
                "wss://h:1",
                hosts=("ana.example.com",),
                service_ends=("recorder.example.com",),
                is_open=True,
                not_after=99,
            ),
        )
    ]


async def test_what_a_host_may_do_reaches_the_room(room: FakeRoom, peer: Peer) -> None:
    meeting = NAME + ".Meeting"
    await peer.call(meeting, "Kick", "xs", 3, "8899aabbccddeeff")
    await peer.call(meeting, "AllowBack", "s", "00112233445566aa")
    await peer.call(meeting, "HandOver", "xs", 4, "0123456789abcdef")
    await peer.call(meeting, "EndForAll")
    assert room.done == [
        ("kick", 3, "8899aabbccddeeff"),
        ("allow_back", "00112233445566aa"),
        ("hand_over", 4, "0123456789abcdef"),
        ("end_for_all",),
    ]


async def test_an_invitation_at_hand_reaches_the_room_with_its_link(room: FakeRoom, peer: Peer) -> None:
    await peer.call(NAME + ".Meeting", "JoinWith", "ss", LINK, INVITATION)
    assert room.done == [("join_meeting", LINK, INVITATION)]


async def test_records_of_meetings_are_listed_and_read_by_name(room: FakeRoom, peer: Peer) -> None:
    assert await peer.call(NAME + ".Meeting", "ListAudits") == [list(AUDITS)]
    assert await peer.call(NAME + ".Meeting", "Audit", "s", AUDITS[1]) == [AUDIT]
    assert room.done == [("list_audits",), ("audit", AUDITS[1])]


async def test_a_policy_changes_only_in_the_rules_that_are_given(room: FakeRoom, peer: Peer) -> None:
    await peer.call(NAME + ".Policy", "Set", "a{sv}", {"requires_verified": Variant("b", True)})
    await peer.call(NAME + ".Policy", "Set", "a{sv}", {"minimum_level": Variant("s", "locked")})
    assert room.done == [
        ("set_policy", PolicyChange(requires_verified=True)),
        ("set_policy", PolicyChange(minimum_level="locked")),
    ]


async def test_a_call_may_leave_the_interface_out(room: FakeRoom, peer: Peer) -> None:
    await peer.call("", "Leave")
    assert room.done == [("leave_meeting",)]


@pytest.mark.parametrize("kind", RoomErrorKind)
async def test_a_room_error_arrives_under_its_name_with_message_and_hint(
    room: FakeRoom, peer: Peer, kind: RoomErrorKind
) -> None:
    room.error = RoomError(kind, "it did\nnot work", hint="try  that")
    with pytest.raises(PeerError) as caught:
        await peer.call(NAME + ".Meeting", "Leave")
    assert caught.value.name == ERROR + kind.value
    assert caught.value.text == "it did not work\ntry that"


async def test_a_bug_in_the_room_shows_nothing_of_itself_to_the_caller(
    room: FakeRoom, peer: Peer, caplog: pytest.LogCaptureFixture
) -> None:
    room.error = ValueError("base key 00112233")
    with pytest.raises(PeerError) as caught:
        await peer.call(NAME + ".Meeting", "Leave")
    assert caught.value.name == ERROR + "Failed"
    assert "00112233" not in caught.value.text
    assert "Traceback" not in caught.value.text
    assert [record.levelname for record in caplog.records] == ["ERROR"]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"challenge": Variant("u", 1)}, "challenge"),
        ({"surprise": Variant("s", "x")}, "surprise"),
        ({"directory_url": Variant("as", ["x"])}, "directory_url"),
    ],
)
async def test_an_option_of_wrong_type_or_name_is_refused_before_the_room_hears_of_it(
    room: FakeRoom, peer: Peer, options: dict[str, Variant], says: str
) -> None:
    with pytest.raises(PeerError, match=says) as caught:
        await peer.call(NAME + ".Identity", "Enroll", "sa{sv}", "room.example.com", options)
    assert caught.value.name == ERROR + "InvalidArgument"
    assert room.done == []


@pytest.mark.parametrize(
    ("call", "error"),
    [
        ((NAME + ".Meeting", "Explode"), "UnknownMethod"),
        ((NAME + ".Kitchen", "Leave"), "UnknownInterface"),
        ((NAME + ".Meeting", "Leave", "s", "x"), "InvalidArgs"),
        (("org.freedesktop.DBus.Properties", "Get", "ss", NAME + ".Meeting", "Nonsense"), "UnknownProperty"),
        (("org.freedesktop.DBus.Properties", "GetAll", "s", NAME + ".Nonsense"), "UnknownInterface"),
        (
            (
                "org.freedesktop.DBus.Properties",
                "Set",
                "ssv",
                NAME + ".Policy",
                "MinimumLevel",
                Variant("s", "x"),
            ),
            "PropertyReadOnly",
        ),
    ],
)
async def test_a_call_of_what_is_not_there_gets_the_standard_error(
    room: FakeRoom, peer: Peer, call: tuple[Any, ...], error: str
) -> None:
    with pytest.raises(PeerError) as caught:
        await peer.call(*call)
    assert caught.value.name == "org.freedesktop.DBus.Error." + error
    assert room.done == []


async def test_another_object_is_unknown(room: FakeRoom, peer: Peer) -> None:
    with pytest.raises(PeerError) as caught:
        await peer.call(NAME + ".Meeting", "Leave", path="/org/conclave/Room2")
    assert caught.value.name == "org.freedesktop.DBus.Error.UnknownObject"


@pytest.mark.parametrize("name", ["a\0b", "half a surrogate \ud800", "\x1b[31m", "[red]", "ünïcödé\u202e"])
async def test_a_hostile_name_does_not_cut_the_room_off_the_bus(
    room: FakeRoom, peer: Peer, name: str
) -> None:
    hostile = replace(IN_MEETING.participants[1], name=name)
    room.set(Topic.MEETING, replace(IN_MEETING, title=name, participants=(hostile,)))
    meeting = plain(await peer.get_all("Meeting"))
    assert meeting["Title"] == name.replace("\0", "\ufffd").replace("\ud800", "\ufffd" * 3)
    await peer.ping()


async def test_a_call_that_takes_long_does_not_hold_up_another(room: FakeRoom, peer: Peer) -> None:
    release = asyncio.Event()

    async def wait(link: str, invitation: str = "") -> None:
        await release.wait()

    room.join_meeting = wait  # type: ignore[method-assign]
    joining = asyncio.create_task(peer.call(NAME + ".Meeting", "Join", "s", LINK))
    assert await peer.get("Policy", "MinimumLevel") == "standard"
    assert not joining.done()
    release.set()
    assert await joining == []


async def test_more_calls_at_once_than_can_be_answered_are_told_busy(room: FakeRoom, peer: Peer) -> None:
    release = asyncio.Event()
    room.leave_meeting = release.wait  # type: ignore[method-assign, assignment]
    calls = [asyncio.create_task(peer.call(NAME + ".Meeting", "Leave")) for _ in range(65)]
    done, _ = await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)
    refused = done.pop().exception()
    assert isinstance(refused, PeerError)
    assert refused.name == ERROR + "Busy"
    release.set()
    await asyncio.gather(*calls, return_exceptions=True)


async def test_anchors_and_policy_are_served(room: FakeRoom, peer: Peer) -> None:
    (anchor,) = plain(await peer.get("Trust", "Anchors"))
    assert anchor == {
        "label": "office",
        "kind": "verified",
        "domains": ["example.com"],
        "fingerprint": ANCHOR.fingerprint,
        "not_after": ANCHOR.not_after,
    }
    assert await peer.get("Policy", "MinimumLevel") == "standard"


async def test_an_unchanged_snapshot_is_encoded_once(room: FakeRoom, peer: Peer) -> None:
    seen = 0

    class Counted(tuple[Any, ...]):
        __slots__ = ()

        def __iter__(self) -> Any:
            nonlocal seen
            seen += 1
            return super().__iter__()

    room.meeting_status = replace(IN_MEETING, participants=Counted(IN_MEETING.participants))
    for _ in range(3):
        await peer.get("Meeting", "SecurityCode")
    assert seen == 1
