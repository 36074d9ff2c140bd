"""The device's key and certificate at rest."""

import stat
import threading
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from conclaved.identity import (
    ChainError,
    DamagedKeyError,
    KeyStore,
    KeyStoreError,
    NoCertificateError,
    PlainBackend,
    Protection,
    SealedBackend,
    Signer,
    UnprotectedKeyError,
    WrongWrappingKeyError,
    read_wrapping_key,
)
from conclaved.identity.key_files import KeyFiles
from tests.pki import TestAuthority

WRAPPING_KEY = bytes(range(32))
AUTHORITY = TestAuthority("Issuing", parent=TestAuthority("Root"))


def store(
    tmp_path: Path, wrapping_key: bytes | None = WRAPPING_KEY, *, allow_plain: bool = False
) -> KeyStore:
    sealed, plain = SealedBackend(wrapping_key), PlainBackend(is_allowed=allow_plain)
    is_plain = wrapping_key is None and allow_plain
    return KeyStore(tmp_path / "identity", plain if is_plain else sealed, sealed, plain)


def chain_for(signer: Signer, domain: str = "room.example.com") -> tuple[bytes, ...]:
    return AUTHORITY.issue(signer.public_key, dns=[domain])


def encoded(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def key_file(tmp_path: Path) -> Path:
    (path,) = (tmp_path / "identity").glob("*.key")
    return path


def test_the_key_is_made_once_and_found_again(tmp_path: Path) -> None:
    first = store(tmp_path).signer()
    assert store(tmp_path).signer().public_key == first.public_key
    assert len(first.public_key) == 65


def test_its_signatures_hold_under_the_public_key(tmp_path: Path) -> None:
    signer = store(tmp_path).signer()
    signer.certificate_public_key.verify(signer.sign(b"data"), b"data", ec.ECDSA(hashes.SHA256()))


def test_a_sealed_key_file_holds_no_readable_key_and_only_its_owner_may_read_it(tmp_path: Path) -> None:
    signer = store(tmp_path).signer()
    content = key_file(tmp_path).read_bytes()
    assert signer.public_key in content
    assert b"PRIVATE KEY" not in content
    assert stat.S_IMODE(key_file(tmp_path).stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "identity").stat().st_mode) == 0o700
    assert store(tmp_path).info.protection is Protection.SEALED


def test_a_wrong_wrapping_key_is_told_from_a_damaged_file(tmp_path: Path) -> None:
    store(tmp_path).signer()
    with pytest.raises(WrongWrappingKeyError) as caught:
        store(tmp_path, bytes(32)).signer()
    assert caught.value.hint
    with pytest.raises(WrongWrappingKeyError, match="no wrapping key"):
        store(tmp_path, None).signer()


def test_every_changed_byte_of_a_sealed_file_is_noticed_and_the_file_left_alone(tmp_path: Path) -> None:
    store(tmp_path).signer()
    content = key_file(tmp_path).read_bytes()
    for at in range(0, len(content), 5):
        changed = content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]
        key_file(tmp_path).write_bytes(changed)
        with pytest.raises((DamagedKeyError, WrongWrappingKeyError)):
            store(tmp_path).signer()
        assert key_file(tmp_path).read_bytes() == changed
    for length in (0, 10, 100, len(content) - 1):
        key_file(tmp_path).write_bytes(content[:length])
        with pytest.raises(DamagedKeyError):
            store(tmp_path).signer()


def test_a_plain_key_needs_the_admins_word_to_be_made_and_to_be_used(tmp_path: Path) -> None:
    with pytest.raises(UnprotectedKeyError) as caught:
        store(tmp_path, None).signer()
    assert caught.value.hint
    assert store(tmp_path, None).info.protection is Protection.NONE
    made = store(tmp_path, None, allow_plain=True).signer()
    assert stat.S_IMODE(key_file(tmp_path).stat().st_mode) == 0o600
    assert store(tmp_path, None).info.protection is Protection.PLAIN
    with pytest.raises(UnprotectedKeyError):
        store(tmp_path, WRAPPING_KEY).signer()
    assert store(tmp_path, None, allow_plain=True).signer().public_key == made.public_key


def test_a_damaged_plain_key_shows_nothing_of_itself(tmp_path: Path) -> None:
    plain = store(tmp_path, None, allow_plain=True)
    plain.signer()
    lines = key_file(tmp_path).read_text().splitlines()
    key_file(tmp_path).write_text("\n".join([lines[0], lines[1][:20], lines[-1]]))
    with pytest.raises(DamagedKeyError) as caught:
        plain.signer()
    assert lines[1][:20] not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_chain_for_the_key_is_installed_and_read_back(tmp_path: Path) -> None:
    keys = store(tmp_path)
    chain = chain_for(keys.signer())
    with pytest.raises(NoCertificateError):
        keys.chain()
    keys.install_chain(chain)
    assert store(tmp_path).chain() == chain
    assert keys.info.has_certificate


def test_a_chain_for_another_key_changes_nothing(tmp_path: Path) -> None:
    keys = store(tmp_path)
    chain = chain_for(keys.signer())
    keys.install_chain(chain)
    other = AUTHORITY.issue(ec.generate_private_key(ec.SECP256R1()), dns=["room.example.com"])
    for wrong in (other, (), (b"x",), (chain[0], b"x"), chain * 5, (bytes(20000),)):
        with pytest.raises(ChainError):
            keys.install_chain(wrong)
    assert keys.chain() == chain


def test_a_next_key_comes_into_force_with_its_certificate_and_not_before(tmp_path: Path) -> None:
    keys = store(tmp_path)
    old = keys.signer()
    keys.install_chain(chain_for(old))
    following = keys.next_signer()
    assert store(tmp_path).next_signer().public_key == following.public_key
    assert (keys.signer().public_key, keys.info.is_renewing) == (old.public_key, True)
    chain = chain_for(following)
    keys.install_chain(chain)
    assert (keys.signer().public_key, keys.chain()) == (following.public_key, chain)
    assert not keys.info.is_renewing


def test_old_keys_stay_until_they_are_forgotten(tmp_path: Path) -> None:
    keys = store(tmp_path)
    keys.signer()
    keys.install_chain(chain_for(keys.next_signer()))
    assert len(list((tmp_path / "identity").glob("*.key"))) == 2
    keys.forget_old_keys()
    assert key_file(tmp_path).stem == keys.info.fingerprint


def test_a_renewal_with_the_same_key_replaces_the_chain(tmp_path: Path) -> None:
    keys = store(tmp_path)
    keys.install_chain(chain_for(keys.signer()))
    renewed = chain_for(keys.signer())
    keys.install_chain(renewed)
    assert keys.chain() == renewed


@pytest.mark.parametrize("cut_at", range(1, 4))
def test_a_cut_while_a_next_certificate_is_installed_leaves_the_old_pair_or_the_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cut_at: int
) -> None:
    keys = store(tmp_path)
    old = keys.signer()
    old_chain = chain_for(old)
    keys.install_chain(old_chain)
    following = keys.next_signer()
    new_chain = chain_for(following)
    steps = 0

    def cut(*args: object) -> None:
        nonlocal steps
        steps += 1
        if steps == cut_at:
            raise OSError("power cut")

    monkeypatch.setattr("os.fsync", cut)
    with pytest.raises(KeyStoreError):
        keys.install_chain(new_chain)
    monkeypatch.undo()
    again = store(tmp_path)
    pair = (again.signer().public_key, again.chain())
    assert pair in ((old.public_key, old_chain), (following.public_key, new_chain))
    again.install_chain(new_chain)
    assert (again.signer().public_key, again.chain()) == (following.public_key, new_chain)


@pytest.mark.parametrize("allow_plain", [False, True])
def test_a_key_from_elsewhere_comes_into_force_with_its_chain(tmp_path: Path, allow_plain: bool) -> None:
    keys = store(tmp_path, None if allow_plain else WRAPPING_KEY, allow_plain=allow_plain)
    keys.install_chain(chain_for(keys.signer()))
    key = ec.generate_private_key(ec.SECP256R1())
    chain = AUTHORITY.issue(key.public_key(), dns=["room.example.com"])
    keys.import_key(key, chain)
    assert keys.chain() == chain
    assert keys.signer().certificate_public_key == key.public_key()
    assert not keys.info.is_renewing


def test_a_key_from_elsewhere_beside_anothers_chain_changes_nothing(tmp_path: Path) -> None:
    keys = store(tmp_path)
    chain = chain_for(keys.signer())
    keys.install_chain(chain)
    with pytest.raises(ChainError):
        keys.import_key(ec.generate_private_key(ec.SECP256R1()), chain)
    assert keys.chain() == chain
    assert not keys.info.is_renewing


def test_hardware_takes_no_key_that_was_elsewhere(tmp_path: Path) -> None:
    class Hardware:
        protection = Protection.TPM2
        generate = open = remove = close = None

    key = ec.generate_private_key(ec.SECP256R1())
    keys = KeyStore(tmp_path / "identity", Hardware())  # type: ignore[arg-type]
    with pytest.raises(KeyStoreError, match="nowhere else"):
        keys.import_key(key, AUTHORITY.issue(key.public_key(), dns=["room.example.com"]))


def test_a_damaged_pointer_is_an_error_and_no_new_key(tmp_path: Path) -> None:
    keys = store(tmp_path)
    keys.signer()
    (tmp_path / "identity" / "current").write_text("../../etc/passwd\n")
    with pytest.raises(DamagedKeyError):
        keys.signer()
    assert key_file(tmp_path)


def test_a_key_that_is_being_made_is_no_old_key_that_another_thread_may_forget(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = store(tmp_path)
    keys.signer()
    forgetting = threading.Thread(target=keys.forget_old_keys)
    point = KeyFiles.point

    def slow_point(files: KeyFiles, name: str, stem: str) -> None:
        # Its file is there; nothing points to it yet. The other thread may have all the time it wants.
        forgetting.start()
        forgetting.join(0.2)
        point(files, name, stem)

    monkeypatch.setattr(KeyFiles, "point", slow_point)
    made = keys.next_signer()
    forgetting.join()
    monkeypatch.undo()
    assert keys.next_signer().public_key == made.public_key


def test_a_damaged_next_pointer_costs_the_next_key_alone(tmp_path: Path) -> None:
    keys = store(tmp_path)
    keys.install_chain(chain_for(keys.signer()))
    following = keys.next_signer()
    (tmp_path / "identity" / "next").write_text("nonsense")
    assert keys.info.has_certificate
    keys.forget_old_keys()
    assert keys.next_signer().public_key != following.public_key


def test_a_reset_forgets_everything(tmp_path: Path) -> None:
    keys = store(tmp_path)
    keys.install_chain(chain_for(keys.signer()))
    keys.next_signer()
    keys.reset()
    assert list((tmp_path / "identity").iterdir()) == []
    assert keys.info.protection is Protection.NONE


def test_whoever_comes_late_makes_no_key_after_a_reset(tmp_path: Path) -> None:
    keys = store(tmp_path)
    keys.install_chain(chain_for(keys.signer()))
    keys.reset()
    key = ec.generate_private_key(ec.SECP256R1())
    for late in (
        keys.signer,
        keys.signer_to_enroll,
        keys.next_signer,
        keys.account_signer,
        keys.make_next_account_signer,
        lambda: keys.import_key(key, AUTHORITY.issue(encoded(key), dns=["room.example.com"])),
    ):
        with pytest.raises(KeyStoreError, match="were erased"):
            late()
    assert list((tmp_path / "identity").iterdir()) == []


def test_a_key_store_that_cannot_be_written_is_a_typed_error(tmp_path: Path) -> None:
    (tmp_path / "identity").write_text("in the way")
    with pytest.raises(KeyStoreError):
        store(tmp_path).signer()


def test_a_key_store_shows_no_secret(tmp_path: Path) -> None:
    assert repr(store(tmp_path)) == f"KeyStore({str(tmp_path / 'identity')!r}, sealed)"


def test_the_wrapping_key_comes_from_systemds_credentials(tmp_path: Path) -> None:
    environment = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    assert read_wrapping_key({}) is None
    assert read_wrapping_key(environment) is None
    (tmp_path / "wrapping-key").write_bytes(WRAPPING_KEY)
    assert read_wrapping_key(environment) == WRAPPING_KEY
    (tmp_path / "wrapping-key").write_bytes(b"short")
    with pytest.raises(KeyStoreError, match="fewer than 32"):
        read_wrapping_key(environment)
