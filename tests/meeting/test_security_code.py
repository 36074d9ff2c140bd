"""The security code, beside known answers that were worked out with the formula by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conclaved.meeting import security_code
from tests.meeting.cast import PATIENT

# Bytes 5i..5i+4 as one big-endian number, modulo 100000, five digits.
KNOWN = [
    (bytes(32), "00000 00000 00000 00000 00000 00000"),
    # 0x00000186A0 = 100000, 0x000001869F = 99999, 0x0000000007 = 7: the modulus and the padding.
    (
        bytes.fromhex("00000186a0000001869f000000000700000186a10000030d400000000000ffff"),
        "00000 99999 00007 00001 00000 00000",
    ),
    # 2^40 - 1 = 1099511627775
    (b"\xff" * 30, "27775 27775 27775 27775 27775 27775"),
    # 0x0001020304 = 16909060, 0x0506070809 = 21575960585, 0x0A0B0C0D0E = 43135012110,
    # 0x0F10111213 = 64694063635, 0x1415161718 = 86253115160, 0x191A1B1C1D = 107812166685
    (bytes(range(32)), "09060 60585 12110 63635 15160 66685"),
]


@pytest.mark.parametrize(("authenticator", "code"), KNOWN)
def test_known_answers(authenticator: bytes, code: str) -> None:
    assert security_code(authenticator) == code


@PATIENT
@given(st.binary(min_size=30, max_size=64))
def test_a_code_is_six_groups_of_five_digits(authenticator: bytes) -> None:
    groups = security_code(authenticator).split(" ")
    assert [len(group) for group in groups] == [5] * 6
    assert all(group.isascii() and group.isdigit() for group in groups)


@PATIENT
@given(st.binary(min_size=30, max_size=30), st.integers(0, 239))
def test_every_bit_of_thirty_bytes_counts(authenticator: bytes, bit: int) -> None:
    # No power of two below 2^40 is a multiple of 100000 = 2^5 * 5^5.
    other = bytearray(authenticator)
    other[bit // 8] ^= 1 << bit % 8
    assert security_code(bytes(other)) != security_code(authenticator)


@pytest.mark.parametrize("length", [0, 29])
def test_too_short_an_authenticator_is_refused(length: int) -> None:
    with pytest.raises(ValueError, match="30 bytes"):
        security_code(bytes(length))
