"""The messages between device and hub."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conclaved.conference import wire
from conclaved.conference.errors import ProtocolError

octets = st.binary(max_size=300)
u8, u32, u64 = (st.integers(0, 2**bits - 1) for bits in (8, 32, 64))
messages = st.one_of(
    st.builds(wire.Hello, u8, octets),
    st.builds(wire.PublishEntry, u32, st.none() | u64, octets),
    st.builds(wire.LobbyData, octets),
    st.builds(wire.LiveData, octets),
    st.builds(wire.ReplayFrom, u64),
    st.builds(wire.AnnounceMember, st.booleans()),
    st.builds(wire.PutBlob, octets),
    st.builds(wire.GetBlob, octets),
    st.builds(wire.OpenMedia),
    st.builds(wire.Ready, u64),
    st.builds(wire.LogEntry, u64, octets),
    st.builds(wire.PublishAnswer, u32, st.booleans()),
    st.builds(wire.LeaderIs, st.booleans()),
    st.builds(wire.Blob, octets, st.none() | octets),
    st.builds(wire.MediaPlace, octets),
    st.builds(wire.NoMediaPlace, st.text(max_size=100)),
    st.builds(wire.Refused, st.text(max_size=100)),
)

EXAMPLES: list[wire.Message] = [
    wire.Hello(1, bytes(32)),
    wire.PublishEntry(7, 3, b"commit"),
    wire.ReplayFrom(9),
    wire.AnnounceMember(True),
    wire.PublishAnswer(7, False),
    wire.Blob(bytes(32), b"sealed"),
    wire.Refused("no"),
]


@given(messages)
def test_every_message_is_read_as_it_was_written(message: wire.Message) -> None:
    assert wire.decode(wire.encode(message)) == message


@given(octets)
def test_any_other_bytes_are_a_protocol_error_or_the_one_form_of_a_message(data: bytes) -> None:
    try:
        message = wire.decode(data)
    except ProtocolError:
        return
    assert wire.encode(message) == data


MALFORMED: dict[str, bytes | str] = {
    "nothing": b"",
    "text": "hello",
    "unknown type": b"\x0a",
    "type of no direction": b"\xff\x00",
    "one byte too many": wire.encode(wire.OpenMedia()) + b"\0",
    "address cut short": wire.encode(wire.Hello(1, bytes(32)))[:-1],
    "length beyond the end": b"\x03\x7f\xff",
    "length not in its shortest form": b"\x03\x40\x01x",
    "length with a reserved prefix": b"\x03\xc0\0\0\0\0\0\0\0",
    "a flag of two": b"\x06\x02",
    "a presence byte of two": b"\x02\0\0\0\x01\x02\0",
    "a reason that is not UTF-8": b"\x46\x01\xff",
}


@pytest.mark.parametrize("data", MALFORMED.values(), ids=MALFORMED.keys())
def test_malformed_messages_are_protocol_errors(data: bytes | str) -> None:
    with pytest.raises(ProtocolError):
        wire.decode(data)


@pytest.mark.parametrize("message", EXAMPLES, ids=lambda message: type(message).__name__)
def test_no_message_can_be_cut_short_unseen(message: wire.Message) -> None:
    data = wire.encode(message)
    for length in range(len(data)):
        with pytest.raises(ProtocolError):
            wire.decode(data[:length])


def test_no_repr_shows_what_is_carried() -> None:
    carried = b"CARRIED"
    for message in (
        wire.PublishEntry(1, None, carried),
        wire.LobbyData(carried),
        wire.LiveData(carried),
        wire.LogEntry(1, carried),
        wire.PutBlob(carried),
        wire.Blob(bytes(32), carried),
        wire.MediaPlace(carried),
    ):
        assert "CARRIED" not in repr(message)
