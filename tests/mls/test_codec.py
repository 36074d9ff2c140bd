"""The TLS presentation language: one encoding a value, and nothing read beyond the end."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conclaved.mls import DecodeError, LocalError
from conclaved.mls.codec import (
    MAX_LENGTH,
    Reader,
    decode_whole,
    opaque,
    optional,
    uint16,
    vector,
    vector_length,
)


@given(st.binary(max_size=20_000))
def test_opaque_comes_back_as_it_went(data: bytes) -> None:
    assert decode_whole(opaque(data), Reader.opaque) == data


@pytest.mark.parametrize(
    ("length", "size"), [(0, 1), (63, 1), (64, 2), (16383, 2), (16384, 4), (MAX_LENGTH, 4)]
)
def test_a_length_takes_its_shortest_form(length: int, size: int) -> None:
    header = vector_length(length)
    assert len(header) == size
    assert Reader(header).vector_length() == length


def test_a_length_beyond_30_bits_is_refused_when_encoding() -> None:
    with pytest.raises(LocalError):
        vector_length(MAX_LENGTH + 1)


@pytest.mark.parametrize("value", [-1, 0x10000])
def test_a_number_that_does_not_fit_is_refused_when_encoding(value: int) -> None:
    with pytest.raises(LocalError, match="2 bytes"):
        uint16(value)


@pytest.mark.parametrize("header", ["4000", "403f", "80000000", "80003fff", "c0", "ffffffff", "40", ""])
def test_a_length_in_another_form_is_refused(header: str) -> None:
    with pytest.raises(DecodeError):
        Reader(bytes.fromhex(header)).vector_length()


@pytest.mark.parametrize("data", [b"\x05abcd", b"\x80\xff\xff\xff", b"\xbf\xff\xff\xff"])
def test_a_vector_longer_than_what_is_left_is_refused(data: bytes) -> None:
    with pytest.raises(DecodeError):
        Reader(data).opaque()
    with pytest.raises(DecodeError):
        Reader(data).vector(Reader.uint8)


def test_an_item_may_not_reach_beyond_its_vector() -> None:
    data = vector([b"\x01\x02\x03"]) + b"\x04"
    with pytest.raises(DecodeError):
        Reader(data).vector(Reader.uint16)


def test_bytes_after_the_value_are_refused() -> None:
    with pytest.raises(DecodeError):
        decode_whole(opaque(b"a") + b"\x00", Reader.opaque)


def test_a_presence_byte_is_0_or_1() -> None:
    assert decode_whole(optional(None), lambda reader: reader.optional(Reader.uint8)) is None
    assert decode_whole(optional(b"\x07"), lambda reader: reader.optional(Reader.uint8)) == 7
    with pytest.raises(DecodeError):
        decode_whole(b"\x02\x07", lambda reader: reader.optional(Reader.uint8))
