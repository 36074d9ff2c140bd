"""Packets of Samsung MDC."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conclave_hal.mdc.packets import MdcCommand, Reply, ReplyReader, Request, RequestReader

replies = st.builds(Reply, st.integers(0, 255), st.integers(0, 253), st.booleans(), st.binary(max_size=30))


@pytest.mark.parametrize(
    ("request_", "wire"),
    [
        # Power on, off and asked of display 1: Samsung's manuals.
        (Request(MdcCommand.POWER, 1, b"\x01"), "aa 11 01 01 01 14"),
        (Request(MdcCommand.POWER, 1, b"\x00"), "aa 11 01 01 00 13"),
        (Request(MdcCommand.POWER, 1), "aa 11 01 00 12"),
        # The protocol's own example of a sum that overflows: 11 + FE + 01 + 01 = 111.
        (Request(MdcCommand.POWER, 0xFE, b"\x01"), "aa 11 fe 01 01 11"),
    ],
)
def test_a_request_is_the_manuals_bytes(request_: Request, wire: str) -> None:
    assert bytes(request_) == bytes.fromhex(wire)
    assert RequestReader().feed(bytes.fromhex(wire)) == (request_,)


def test_an_answer_says_whether_it_was_done() -> None:
    reader = ReplyReader()
    assert reader.feed(bytes.fromhex("aa ff 01 03 41 11 01 56")) == (Reply(0x11, 1, True, b"\x01"),)
    assert reader.feed(bytes.fromhex("aa ff 01 03 4e 11 01 63")) == (Reply(0x11, 1, False, b"\x01"),)


@given(st.lists(replies, max_size=3), st.integers(1, 7))
def test_answers_are_found_however_they_are_cut(sent: list[Reply], size: int) -> None:
    wire = b"".join(map(bytes, sent))
    reader = ReplyReader()
    assert [r for at in range(0, len(wire), size) for r in reader.feed(wire[at : at + size])] == sent


def test_an_answer_after_garbage_is_found() -> None:
    answer = Reply(0x14, 1, True, b"\x21")
    assert ReplyReader().feed(b"\xaa\xff\x01\xaa\x00\xff" + bytes(answer)) == (answer,)


def test_an_answer_with_a_wrong_checksum_is_not_believed() -> None:
    damaged = bytearray(bytes(Reply(0x11, 1, True, b"\x01")))
    damaged[-2] ^= 1
    assert ReplyReader().feed(bytes(damaged)) == ()


@given(st.binary(max_size=600))
def test_no_bytes_make_a_reader_fail(noise: bytes) -> None:
    ReplyReader().feed(noise)
    RequestReader().feed(noise)
