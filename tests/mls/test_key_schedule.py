"""An epoch's secrets: lent, taken, erased."""

import pytest

from conclaved.mls import GoneError
from conclaved.mls.crypto import crypto_for
from conclaved.mls.key_schedule import EpochKeys, export
from tests.mls.cast import SUITE

CRYPTO = crypto_for(SUITE)


def test_an_erased_secret_is_overwritten_and_gone() -> None:
    keys = EpochKeys.derive(CRYPTO, b"e" * 32)
    buffer = keys.get("init_secret")
    keys.erase("init_secret")
    assert buffer == bytes(32)
    with pytest.raises(GoneError):
        keys.get("init_secret")


def test_a_taken_secret_is_no_longer_here() -> None:
    keys = EpochKeys.derive(CRYPTO, b"e" * 32)
    expected = bytes(keys.get("encryption_secret"))
    assert keys.take("encryption_secret") == expected
    with pytest.raises(GoneError):
        keys.take("encryption_secret")


def test_a_retired_epoch_keeps_only_what_receiving_needs() -> None:
    keys = EpochKeys.derive(CRYPTO, b"e" * 32)
    keys.retire()
    keys.get("sender_data_secret")
    keys.get("membership_key")
    for name in ("init_secret", "exporter_secret", "resumption_psk", "epoch_authenticator"):
        with pytest.raises(GoneError):
            keys.get(name)


def test_exports_differ_by_label_context_and_length() -> None:
    outputs = [
        export(CRYPTO, b"x" * 32, label, context, length)
        for label, context, length in [("a", b"", 16), ("b", b"", 16), ("a", b"c", 16), ("a", b"", 32)]
    ]
    assert [len(output) for output in outputs] == [16, 16, 16, 32]
    assert len({output[:16] for output in outputs}) == 4


def test_no_secret_shows_in_a_repr() -> None:
    keys = EpochKeys.derive(CRYPTO, b"e" * 32)
    assert keys.get("init_secret").hex() not in repr(keys)
    assert repr(keys) == "EpochKeys(9 held)"
