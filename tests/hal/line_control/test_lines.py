"""Lines in a stream that may be damaged."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conclave_hal.line_control.lines import MAX_LINE_BYTES, Garbage, Line, LineReader


@pytest.mark.parametrize("end", [b"\r", b"\n", b"\r\n"])
def test_every_end_of_line_ends_one_line(end: bytes) -> None:
    assert LineReader().feed(b"status" + end + b"help" + end) == (Line("status"), Line("help"))


def test_a_line_comes_in_pieces() -> None:
    reader = LineReader()
    assert reader.feed(b"sta") == ()
    assert reader.feed(b"tus\r") == (Line("status"),)
    assert reader.feed(b"\n") == ()


def test_an_idle_wire_makes_nuls_that_mean_nothing() -> None:
    assert LineReader().feed(b"\0\0\0status\r\n\0") == (Line("status"),)


def test_a_broken_byte_within_a_line_makes_all_of_it_garbage() -> None:
    assert LineReader().feed(b"command mute\0camera\rhelp\r") == (Garbage(), Line("help"))


@pytest.mark.parametrize("noise", [b"\xff\xfe\x80", b"\x1b[A", b"caf\xc3\xa9", b"\x7f"])
def test_what_is_not_printable_ascii_is_garbage(noise: bytes) -> None:
    assert LineReader().feed(noise + b"\r\nhelp\r\n") == (Garbage(), Line("help"))


def test_a_line_that_never_ends_is_one_piece_of_garbage() -> None:
    reader = LineReader()
    for _ in range(100):
        assert reader.feed(b"x" * MAX_LINE_BYTES) == ()
    assert reader.feed(b"\rhelp\r") == (Garbage(), Line("help"))


@given(st.binary(max_size=2000))
def test_after_any_garbage_the_next_line_but_one_is_understood(noise: bytes) -> None:
    reader = LineReader()
    reader.feed(noise + b"\r\n")
    assert reader.feed(b"help\r\n") == (Line("help"),)


def test_a_line_does_not_show_its_text() -> None:
    assert "secret" not in repr(Line("login secret"))
