"""The header codec (RFC 9605 §4.3)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conclaved.sframe import Header, MalformedError, SframeUsageError
from conclaved.sframe.header import decode

U64 = st.one_of(st.integers(0, 9), st.integers(0, (1 << 64) - 1))


@given(U64, U64, st.binary(max_size=20))
def test_what_is_encoded_is_decoded_and_the_rest_is_left(kid: int, ctr: int, rest: bytes) -> None:
    encoded = Header(kid, ctr).encode()
    assert 1 <= len(encoded) <= 17
    assert decode(encoded + rest) == (Header(kid, ctr), len(encoded))


@given(st.binary(max_size=24))
def test_any_bytes_are_a_header_with_one_encoding_or_refused(data: bytes) -> None:
    try:
        header, size = decode(data)
    except MalformedError:
        return
    assert header.encode() == data[:size]


@pytest.mark.parametrize(
    "encoded",
    [
        pytest.param("", id="empty"),
        pytest.param("80", id="kid-missing"),
        pytest.param("0901", id="ctr-cut-short"),
        pytest.param("f0" + "01" * 7, id="kid-cut-short"),
        pytest.param("8007", id="kid-fits-the-config-byte"),
        pytest.param("0807", id="ctr-fits-the-config-byte"),
        pytest.param("900009", id="kid-with-leading-zero"),
        pytest.param("090009", id="ctr-with-leading-zero"),
    ],
)
def test_a_header_that_is_cut_short_or_not_minimal_is_refused(encoded: str) -> None:
    with pytest.raises(MalformedError):
        decode(bytes.fromhex(encoded))


@pytest.mark.parametrize(("kid", "ctr"), [(-1, 0), (0, -1), (1 << 64, 0), (0, 1 << 64)])
def test_numbers_beyond_64_bits_are_not_encoded(kid: int, ctr: int) -> None:
    with pytest.raises(SframeUsageError):
        Header(kid, ctr).encode()
