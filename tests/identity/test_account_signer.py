"""The ACME account's key in the key store, and the forms of its words."""

import base64
import copy
import pickle
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from conclaved.identity import AccountSigner, KeyStore, SealedBackend, SoftwareSigner


def store(tmp_path: Path) -> KeyStore:
    return KeyStore(tmp_path / "identity", SealedBackend(bytes(32)))


def test_its_jwk_is_the_public_point() -> None:
    signer = SoftwareSigner.generate()
    jwk = AccountSigner(signer).public_jwk
    assert list(jwk) == ["crv", "kty", "x", "y"]
    x, y = (base64.urlsafe_b64decode(jwk[name] + "=") for name in ("x", "y"))
    assert b"\4" + x + y == signer.public_key


def test_it_signs_in_64_bytes_that_hold_under_its_key() -> None:
    signer = SoftwareSigner.generate()
    for number in range(64):  # A short r or s comes once in 128 signatures: each is padded.
        data = bytes([number])
        raw = AccountSigner(signer).sign(data)
        assert len(raw) == 64
        der = encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
        signer.certificate_public_key.verify(der, data, ec.ECDSA(hashes.SHA256()))


def test_the_accounts_key_is_made_once_and_is_not_the_devices(tmp_path: Path) -> None:
    keys = store(tmp_path)
    account = keys.account_signer()
    assert store(tmp_path).account_signer().public_key == account.public_key
    assert keys.signer().public_key != account.public_key


def test_the_accounts_key_outlives_those_that_are_forgotten(tmp_path: Path) -> None:
    keys = store(tmp_path)
    account, following = keys.account_signer(), keys.make_next_account_signer()
    keys.signer()
    keys.forget_old_keys()
    assert keys.account_signer().public_key == account.public_key
    assert keys.make_next_account_signer().public_key == following.public_key


def test_a_rollover_is_under_way_until_the_next_key_is_taken(tmp_path: Path) -> None:
    keys = store(tmp_path)
    old = keys.account_signer()
    assert keys.next_account_signer() is None
    following = keys.make_next_account_signer()
    found = store(tmp_path).next_account_signer()
    assert found is not None
    assert found.public_key == following.public_key
    assert keys.account_signer().public_key == old.public_key
    keys.take_next_account_key()
    assert (keys.account_signer().public_key, keys.next_account_signer()) == (following.public_key, None)


def test_a_rollover_that_is_given_up_leaves_the_account_its_key(tmp_path: Path) -> None:
    keys = store(tmp_path)
    old, following = keys.account_signer(), keys.make_next_account_signer()
    keys.forget_next_account_key()
    keys.forget_old_keys()
    assert keys.account_signer().public_key == old.public_key
    assert keys.make_next_account_signer().public_key != following.public_key


def test_a_signer_is_neither_copied_nor_pickled() -> None:
    for signer in (SoftwareSigner.generate(), AccountSigner(SoftwareSigner.generate())):
        for attempt in (copy.copy, copy.deepcopy, pickle.dumps):
            with pytest.raises(TypeError):
                attempt(signer)
