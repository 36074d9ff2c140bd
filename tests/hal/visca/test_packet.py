"""Packets, and finding them in a stream."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conclave_hal.errors import DeviceError, UsageError
from conclave_hal.visca.packet import BROADCAST, MAX_PACKET, Packet, PacketReader, parse_packet

ACK = bytes.fromhex("9041ff")
POSITION = bytes.fromhex("9050 0f0e0d00 00010200 ff")


def packets() -> st.SearchStrategy[Packet]:
    message = st.binary(min_size=1, max_size=14).map(lambda data: data.replace(b"\xff", b"\x00"))
    return st.builds(Packet, st.integers(1, 7), st.just(0), message)


@given(packets())
def test_a_packet_says_the_same_after_the_wire(packet: Packet) -> None:
    assert parse_packet(bytes(packet)) == packet


@given(st.lists(packets(), max_size=5), st.data())
def test_packets_are_found_however_the_wire_cuts_them(sent: list[Packet], data: st.DataObject) -> None:
    stream = b"".join(map(bytes, sent))
    reader, found = PacketReader(), []
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        found += reader.feed(stream[:size])
        stream = stream[size:]
    assert found == sent
    assert reader.noise_bytes == 0


@given(st.binary(max_size=200))
def test_whatever_comes_before_a_terminator_the_packet_after_it_is_found(noise: bytes) -> None:
    reader = PacketReader()
    reader.feed(noise + b"\xff")
    assert reader.feed(ACK) == [parse_packet(ACK)]


def test_noise_without_a_header_before_a_packet_costs_only_itself() -> None:
    reader = PacketReader()
    assert reader.feed(bytes(100) + POSITION) == [parse_packet(POSITION)]
    assert reader.noise_bytes == 100


def test_noise_without_an_end_does_not_fill_the_memory() -> None:
    reader = PacketReader()
    reader.feed(b"\x90" * 100_000)
    assert reader.noise_bytes >= 100_000 - MAX_PACKET


@pytest.mark.parametrize(
    "wrong",
    ["", "90ff", "9041", "90 41 ff 41 ff", "1041ff", "9841ff", "90" + "00" * 15 + "ff"],
)
def test_what_is_no_packet_is_refused(wrong: str) -> None:
    with pytest.raises(DeviceError):
        parse_packet(bytes.fromhex(wrong))


@pytest.mark.parametrize(
    ("sender", "receiver", "message"),
    [
        (8, 0, b"\x41"),
        (0, 9, b"\x41"),
        (1, BROADCAST, b"\x38"),
        (0, 1, b""),
        (0, 1, b"\xff"),
        (0, 1, bytes(15)),
    ],
)
def test_no_packet_is_made_that_the_wire_could_not_carry(sender: int, receiver: int, message: bytes) -> None:
    with pytest.raises(UsageError):
        Packet(sender, receiver, message)


def test_the_broadcast_header_is_its_own() -> None:
    assert bytes(Packet(0, BROADCAST, b"\x30\x01")).hex() == "883001ff"
    assert parse_packet(bytes.fromhex("883002ff")).receiver == BROADCAST
