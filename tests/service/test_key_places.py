"""From the `[keys]` table to a key store: where new keys are made, and what else can be opened."""

from pathlib import Path

import pytest

from conclaved.identity import KeyStore, KeyStoreError, Protection, UnprotectedKeyError
from conclaved.service.config import load
from conclaved.service.key_places import key_store
from tests.pki import TestAuthority
from tests.soft_hsm import MODULE, new_token
from tests.swtpm import Swtpm

AUTHORITY = TestAuthority("CA")
WRAPPING_KEY = bytes(range(32))


def configured(folder: Path, text: str, *, wrapping_key: bytes | None = None) -> KeyStore:
    path = folder / "conclave.toml"
    path.write_text(text)
    config = load(path)
    return key_store(folder / "identity", config.keys, wrapping_key, allow_plain_key=config.allow_plain_key)


def enroll(keys: KeyStore) -> Protection:
    signer = keys.signer_to_enroll()
    keys.install_chain(AUTHORITY.issue(signer.certificate_public_key, dns=["room.example.com"]))
    keys.forget_old_keys()
    return keys.info.protection


def test_without_a_word_keys_are_sealed_and_only_by_a_word_plain(tmp_path: Path) -> None:
    with pytest.raises(UnprotectedKeyError):
        configured(tmp_path, "").signer()
    assert enroll(configured(tmp_path, "allow_plain_key = true")) is Protection.PLAIN
    assert (
        enroll(configured(tmp_path, "allow_plain_key = true", wrapping_key=WRAPPING_KEY)) is Protection.SEALED
    )


def test_a_sealed_key_never_becomes_a_plain_one_because_the_wrapping_key_is_missing(tmp_path: Path) -> None:
    enroll(configured(tmp_path, "", wrapping_key=WRAPPING_KEY))
    with pytest.raises(KeyStoreError, match="no wrapping key was handed over"):
        enroll(configured(tmp_path, "allow_plain_key = true"))


def test_plain_is_plain_where_it_is_chosen_though_there_is_a_wrapping_key(tmp_path: Path) -> None:
    keys = configured(tmp_path, '[keys]\nbackend = "plain"', wrapping_key=WRAPPING_KEY)
    assert enroll(keys) is Protection.PLAIN


def test_a_device_moves_its_key_from_a_sealed_file_to_its_tpm_and_on_to_a_token(tmp_path: Path) -> None:
    assert enroll(configured(tmp_path, "", wrapping_key=WRAPPING_KEY)) is Protection.SEALED
    token = new_token(tmp_path / "token")
    with Swtpm(tmp_path / "tpm") as tpm:
        text = f"""
            [keys]
            backend = "tpm2"
            tcti = "{tpm.tcti}"
        """
        keys = configured(tmp_path, text, wrapping_key=WRAPPING_KEY)
        assert enroll(keys) is Protection.TPM2
        keys.close()
        text = f"""
            [keys]
            backend = "pkcs11"
            tcti = "{tpm.tcti}"
            module = "{MODULE}"
            token = "{token.label}"
            pin_file = "{token.pin_file}"
        """
        keys = configured(tmp_path, text)
        assert keys.info.is_moving
        assert enroll(keys) is Protection.PKCS11
        keys.close()


@pytest.mark.parametrize(("has_tpm", "place"), [(True, Protection.TPM2), (False, Protection.SEALED)])
def test_the_best_place_is_the_tpm_where_there_is_one(
    tmp_path: Path, has_tpm: bool, place: Protection
) -> None:
    device = tmp_path / "tpmrm0"
    if has_tpm:
        device.touch()
    text = f'[keys]\nbackend = "best"\ntcti = "device:{device}"'
    assert f", {place.value})" in repr(configured(tmp_path, text, wrapping_key=WRAPPING_KEY))


def test_a_key_in_a_tpm_that_is_gone_for_a_while_does_not_move_to_a_file(tmp_path: Path) -> None:
    text = '[keys]\nbackend = "best"\ntcti = "{}"'
    with Swtpm(tmp_path / "tpm") as tpm:
        keys = configured(tmp_path, text.format(tpm.tcti), wrapping_key=WRAPPING_KEY)
        assert enroll(keys) is Protection.TPM2
        keys.close()
    keys = configured(tmp_path, text.format(f"device:{tmp_path}/none"), wrapping_key=WRAPPING_KEY)
    assert not keys.info.is_moving
    with pytest.raises(KeyStoreError):
        enroll(keys)
    assert keys.info.protection is Protection.TPM2


def test_the_tpm_is_not_touched_before_a_key_is_wanted(tmp_path: Path) -> None:
    keys = configured(tmp_path, '[keys]\nbackend = "tpm2"\ntcti = "swtpm:host=127.0.0.1,port=1"')
    assert keys.info.protection is Protection.NONE
    with pytest.raises(KeyStoreError, match="cannot be reached"):
        keys.signer()
