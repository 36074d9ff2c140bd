"""Packets of a Crystalfontz LCD."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conclave_hal.errors import UsageError
from conclave_hal.lcd.packets import MAX_DATA_BYTES, Command, Packet, PacketClass, PacketReader, crc

PING = Packet(PacketClass.COMMAND, Command.PING, b"\x00\x2a")
TEXT = Packet(PacketClass.COMMAND, Command.TEXT, b"\x00\x01south.rooms.example")

packets = st.builds(
    Packet,
    st.sampled_from(PacketClass),
    st.integers(0, 63),
    st.binary(max_size=MAX_DATA_BYTES),
)


def test_the_crc_is_the_one_of_hdlc() -> None:
    # The check value of CRC-16/X-25 in the catalogues of CRCs.
    assert crc(b"123456789") == 0x906E


def test_a_packet_is_type_length_data_and_crc_low_byte_first() -> None:
    wire = bytes(PING)
    assert wire[:4] == b"\x00\x02\x00\x2a"
    assert wire[4:] == crc(wire[:4]).to_bytes(2, "little")


def test_more_data_than_a_packet_has_room_for_is_refused() -> None:
    with pytest.raises(UsageError):
        bytes(Packet(PacketClass.COMMAND, Command.TEXT, bytes(MAX_DATA_BYTES + 1)))


@given(st.lists(packets, max_size=4), st.integers(1, 9))
def test_packets_are_found_however_they_are_cut(sent: list[Packet], size: int) -> None:
    wire = b"".join(map(bytes, sent))
    reader = PacketReader()
    found = [p for at in range(0, len(wire), size) for p in reader.feed(wire[at : at + size])]
    assert found == sent
    assert reader.skipped_bytes == 0


def test_a_packet_after_garbage_is_found() -> None:
    reader = PacketReader()
    assert reader.feed(b"\xff\xff\x80\x7f" + bytes(TEXT) + bytes(PING)) == (TEXT, PING)


def test_a_packet_with_a_wrong_crc_is_not_believed() -> None:
    damaged = bytearray(bytes(TEXT))
    damaged[5] ^= 1
    reader = PacketReader()
    assert TEXT not in reader.feed(bytes(damaged))


def test_what_follows_a_packet_that_never_ended_is_found_after_forgetting() -> None:
    reader = PacketReader()
    assert reader.feed(bytes(TEXT)[:9]) == ()
    reader.forget()
    assert reader.feed(bytes(PING)) == (PING,)


@given(st.binary(max_size=300))
def test_no_bytes_make_a_reader_fail_or_keep_more_than_a_packet(noise: bytes) -> None:
    reader = PacketReader()
    found = reader.feed(noise)
    kept = len(noise) - reader.skipped_bytes - sum(len(bytes(packet)) for packet in found)
    assert kept < 4 + MAX_DATA_BYTES


def test_a_packet_does_not_show_its_text() -> None:
    assert "south" not in repr(TEXT)
