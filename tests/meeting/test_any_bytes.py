"""Any bytes, in any event, in any state: an error that is told, or nothing, and the state as it was."""

import os
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conclaved.meeting import MeetingError, Role, State, lobby
from conclaved.meeting.admission import issue
from conclaved.meeting.events import (
    CarrierEvent,
    Connected,
    Entry,
    Leader,
    Live,
    Lobby,
    Publish,
    PublishResult,
    SendLive,
    SendLobby,
)
from conclaved.meeting.link import NONCE_BYTES
from conclaved.mls import MlsError
from tests.meeting.simulated_service import PROVIDER_CA, Meeting, Room, agree, identity

MANY = settings(deadline=None, max_examples=40)


@cache
def table() -> tuple[Meeting, dict[str, Room]]:
    """A host and a member in a group, and one in each state outside of it."""
    meeting = Meeting.invite(("a.example.com", "b.example.com"))
    rooms = {"host": meeting.room(meeting.host), "member": meeting.room(identity("a.example.com"))}
    meeting.service.run(4)
    agree(*rooms.values())
    rooms["asking"] = meeting.room(identity("guest.provider.example", PROVIDER_CA))
    meeting.service.run(3)
    meeting.service.filter = lambda room, event: [] if isinstance(event, Lobby) else [event]
    offering = meeting.room(identity("b.example.com"))
    meeting.service.run(0.5)
    rooms["offering"] = offering
    assert [room.view.state for room in rooms.values()] == [
        State.IN_GROUP,
        State.IN_GROUP,
        State.ASKING,
        State.ASKING,
    ]
    for grant in grants(meeting):
        offering.hear(Lobby(grant))
    meeting.service.settle()
    for room in rooms.values():
        room.bad_inputs.clear()
    return meeting, rooms


def grants(meeting: Meeting) -> list[bytes]:
    """A grant for everybody who asked."""
    made = []
    for effect in meeting.service.sent:
        if isinstance(effect, SendLobby):
            message = lobby.unseal(effect.data, meeting.link.sealer())
            if isinstance(message, lobby.Request) and b"b.example.com" in message.chain[0]:
                meeting_id = meeting.invitation.content.meeting_id
                admission = issue(meeting.host.signer, meeting_id, message.signature_key, Role.MEMBER)
                made.append(
                    lobby.seal(
                        lobby.Grant(message.request_id, admission),
                        meeting.link.sealer(),
                        os.urandom(NONCE_BYTES),
                    )
                )
    return made


def refused(*events: CarrierEvent) -> None:
    """Every room hears these; none changes, none raises, and what is told is an error of its kind."""
    meeting, rooms = table()
    for room in rooms.values():
        before = (room.state(), room.view.lobby, room.view.alarms)
        for event in events:
            room.hear(event)
        meeting.service.settle()
        assert (room.state(), room.view.lobby, room.view.alarms) == before
        assert room.ended is None
        assert all(isinstance(error, MlsError | MeetingError) for error in room.bad_inputs)
        room.bad_inputs.clear()


def sealed(body: bytes) -> Lobby:
    meeting, _ = table()
    return Lobby(meeting.link.sealer().seal(body, lobby.PURPOSE, os.urandom(NONCE_BYTES)))


def into_the_log(data: bytes) -> None:
    """As an entry in its place, so that the log goes on."""
    meeting, _ = table()
    meeting.service.log.append(data)
    refused(Entry(len(meeting.service.log) - 1, data))


@MANY
@given(st.binary(max_size=200))
def test_any_bytes_in_the_log(data: bytes) -> None:
    into_the_log(data)


@MANY
@given(st.binary(max_size=200))
def test_any_bytes_in_the_lobby(data: bytes) -> None:
    refused(Lobby(data))


@MANY
@given(st.binary(max_size=200))
def test_any_bytes_live(data: bytes) -> None:
    refused(Live(data))


@MANY
@given(st.integers(0, 6), st.binary(max_size=200))
def test_any_bytes_under_the_links_seal(kind: int, body: bytes) -> None:
    refused(sealed(bytes([kind]) + body))


def sent(kind: type) -> list[bytes]:
    meeting, _ = table()
    return [effect.data for effect in meeting.service.sent[:40] if isinstance(effect, kind)]


def bent(data: bytes, bit: int, cut: int) -> bytes:
    """The same with one bit turned, and some of its end missing."""
    changed = bytearray(data)
    changed[bit // 8 % len(changed)] ^= 1 << bit % 8
    return bytes(changed[: len(changed) - cut % len(changed)])


@MANY
@given(st.integers(0), st.integers(0), st.sampled_from([0, 0, 0, 1, 7]))
def test_bent_handshake_messages_in_the_log(which: int, bit: int, cut: int) -> None:
    messages = sent(Publish)
    into_the_log(bent(messages[which % len(messages)], bit, cut))


@MANY
@given(st.integers(0), st.integers(0), st.sampled_from([0, 0, 0, 1, 7]))
def test_bent_live_messages(which: int, bit: int, cut: int) -> None:
    messages = sent(SendLive)
    refused(Live(bent(messages[which % len(messages)], bit, cut)))


@MANY
@given(st.integers(0), st.integers(0), st.sampled_from([0, 0, 0, 1, 7]))
def test_bent_lobby_messages(which: int, bit: int, cut: int) -> None:
    messages = sent(SendLobby)
    refused(Lobby(bent(messages[which % len(messages)], bit, cut)))


@MANY
@given(st.integers(0), st.integers(8 * 24), st.sampled_from([0, 0, 0, 1, 7]))
def test_bent_lobby_messages_under_the_links_seal(which: int, bit: int, cut: int) -> None:
    # Past the request id: a request under another id is another request.
    meeting, _ = table()
    messages = [meeting.link.sealer().open(data, lobby.PURPOSE) for data in sent(SendLobby)]
    refused(sealed(bent_after(messages[which % len(messages)], 24, bit, cut)))


def bent_after(data: bytes, start: int, bit: int, cut: int) -> bytes:
    return data[:start] + bent(data[start:], bit, cut)


@MANY
@given(st.integers(1, 2**64 - 1) | st.integers(1, 5000), st.binary(max_size=20))
def test_entries_from_anywhere_ahead(ahead: int, data: bytes) -> None:
    meeting, _ = table()
    refused(Entry(len(meeting.service.log) + ahead, data))


@MANY
@given(st.integers(0, 2**64 - 1), st.booleans())
def test_any_result_of_a_publishing(token: int, is_accepted: bool) -> None:
    refused(PublishResult(token, is_accepted))


@pytest.mark.parametrize("is_self", [True, False])
def test_any_leader(is_self: bool) -> None:
    refused(Leader(is_self), Leader(is_self))


@MANY
@given(st.integers(0, 2**64 - 1))
def test_any_head_that_is_not_behind(head: int) -> None:
    meeting, _ = table()
    refused(Connected(len(meeting.service.log) + head))


def test_the_meeting_goes_on_after_all_that() -> None:
    meeting, rooms = table()
    meeting.service.filter = lambda room, event: [event]
    for room in rooms.values():
        meeting.service.connect(room)
    meeting.service.run(20)
    agree(rooms["host"], rooms["member"], rooms["offering"])
    assert rooms["asking"].view.state is State.ASKING
