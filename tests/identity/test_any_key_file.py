"""Whatever stands in a key file, opening it ends in a typed error that says what to do, or in a signer."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conclaved.identity import KeyStoreError
from conclaved.identity.key_backends.backend import MAGIC, KeyBackend, protection_of
from conclaved.identity.key_backends.tpm2 import Tpm2Backend, _encode
from conclaved.identity.key_backends.tpm2_connection import WrappedKey
from tests.key_places import PLACES, key_place


@pytest.fixture(scope="module", params=PLACES)
def opened(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[KeyBackend]:
    folder: Path = tmp_path_factory.mktemp(request.param)
    with key_place(request.param, folder) as make:
        yield make()


@pytest.fixture(scope="module")
def good(opened: KeyBackend) -> bytes:
    return opened.generate().content


@given(body=st.binary(max_size=400))
@settings(max_examples=60, deadline=None)
def test_any_bytes_behind_the_right_beginning_are_a_damaged_file(opened: KeyBackend, body: bytes) -> None:
    with pytest.raises(KeyStoreError) as caught:
        opened.open(MAGIC[opened.protection] + body)
    assert caught.value.hint


@given(at=st.integers(0, 2000), flip=st.integers(1, 255), cut=st.integers(0, 2000))
@settings(max_examples=60, deadline=None)
def test_a_good_file_with_a_changed_byte_and_a_lost_end_opens_or_says_what_to_do(
    opened: KeyBackend, good: bytes, at: int, flip: int, cut: int
) -> None:
    content = bytearray(good)
    content[at % len(content)] ^= flip
    try:
        changed = bytes(content[: len(content) - cut % len(content)])
        assert protection_of(changed) is opened.protection
        opened.open(changed).sign(b"data")
    except KeyStoreError as error:
        assert error.hint


@pytest.mark.parametrize("text", ["[" * 100_000, "{}", "[]", '{"id": 1, "point": "", "serial": ""}', "null"])
def test_json_of_another_shape_is_a_damaged_file(opened: KeyBackend, text: str) -> None:
    with pytest.raises(KeyStoreError):
        opened.open(MAGIC[opened.protection] + text.encode())


@given(private=st.binary(max_size=200), name=st.binary(max_size=40), tail=st.binary(max_size=8))
@settings(max_examples=25, deadline=None)
def test_a_wrapped_key_of_any_bytes_with_a_right_checksum_is_refused(
    opened: KeyBackend, good: bytes, private: bytes, name: bytes, tail: bytes
) -> None:
    if not isinstance(opened, Tpm2Backend):
        return
    key = opened.open(good)._key
    for forged in (
        WrappedKey(key.parent_name, key.public, private, key.public_key),
        WrappedKey(name, key.public, key.private, key.public_key),
        WrappedKey(key.parent_name, key.public + tail, private, key.public_key),
    ):
        with pytest.raises(KeyStoreError) as caught:
            opened.open(_encode(forged))
        assert caught.value.hint
