"""UpdatePath as it travels: ciphertexts are taken apart without a look at each."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from conclaved.mls.codec import Reader, decode_whole, opaque, vector
from conclaved.mls.crypto import HpkeCiphertext
from conclaved.mls.errors import DecodeError
from conclaved.mls.update_path import SealedSecrets

BYTES = st.binary(max_size=70)
CIPHERTEXTS = st.lists(st.builds(HpkeCiphertext, BYTES, BYTES), max_size=6).map(tuple)
ALIKE = st.builds(
    lambda first, count: (first,) * count, st.builds(HpkeCiphertext, BYTES, BYTES), st.integers(0, 40)
)


def one_by_one(data: bytes) -> tuple[HpkeCiphertext, ...]:
    return decode_whole(data, lambda reader: reader.vector(HpkeCiphertext.read))


def outcome_of(read: object, data: bytes) -> object:
    try:
        return read(data)  # type: ignore[operator]
    except DecodeError:
        return DecodeError


@given(CIPHERTEXTS | ALIKE)
def test_what_is_read_is_what_was_written(ciphertexts: tuple[HpkeCiphertext, ...]) -> None:
    data = vector(each.encode() for each in ciphertexts)
    sealed = decode_whole(data, SealedSecrets.read)
    assert tuple(sealed) == ciphertexts
    assert len(sealed) == len(ciphertexts)
    assert opaque(sealed.encoded) == data
    assert sealed[-1:] == ciphertexts[-1:]


@given(CIPHERTEXTS | ALIKE, st.data())
def test_changed_bytes_are_read_as_each_alone_would_be(
    ciphertexts: tuple[HpkeCiphertext, ...], data: st.DataObject
) -> None:
    content = bytearray(b"".join(each.encode() for each in ciphertexts))
    for _ in range(data.draw(st.integers(0, 3)) if content else 0):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(
            st.sampled_from([0, 1, 2, 0x40, 0xC0])
        )
    encoded = opaque(bytes(content))
    alone = outcome_of(one_by_one, encoded)
    together = outcome_of(lambda given: tuple(decode_whole(given, SealedSecrets.read)), encoded)
    assert together == alone


@given(st.binary(max_size=60))
@example(bytes.fromhex("0100" * 3 + "0200"))
@example(bytes.fromhex("000100" + "010000"))
def test_any_bytes_are_read_as_each_alone_would_be(content: bytes) -> None:
    encoded = opaque(content)
    together = outcome_of(lambda given: tuple(decode_whole(given, SealedSecrets.read)), encoded)
    assert together == outcome_of(one_by_one, encoded)


def test_one_that_is_not_there_is_no_item() -> None:
    sealed = decode_whole(vector([HpkeCiphertext(b"a", b"b").encode()]), SealedSecrets.read)
    with pytest.raises(IndexError):
        sealed[1]


def test_a_length_beyond_the_end_is_refused() -> None:
    with pytest.raises(DecodeError):
        SealedSecrets.read(Reader(b"\x05\x01a"))
