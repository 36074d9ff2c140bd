"""What holds for a key wherever it lives: in a TPM, in a token, in a sealed or a plain file."""

import copy
import pickle
import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from conclaved.identity import (
    DamagedKeyError,
    KeyBackend,
    KeyStore,
    LostKeyError,
    PlainBackend,
    Protection,
    SealedBackend,
    Signer,
)
from conclaved.identity.key_store import KeyInfo
from tests.key_places import PLACES, MakeBackend, key_place
from tests.pki import TestAuthority

AUTHORITY = TestAuthority("CA")


@pytest.fixture(params=PLACES)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[MakeBackend]:
    with key_place(request.param, tmp_path) as make:
        yield make


def store(tmp_path: Path, backend: KeyBackend, *others: KeyBackend) -> KeyStore:
    return KeyStore(tmp_path / "identity", backend, *others)


def chain_for(signer: Signer) -> tuple[bytes, ...]:
    return AUTHORITY.issue(signer.certificate_public_key, dns=["room.example.com"])


def check(signer: Signer, data: bytes) -> None:
    signer.certificate_public_key.verify(signer.sign(data), data, ec.ECDSA(hashes.SHA256()))


def key_files(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "identity").glob("*.key"))


def test_a_key_signs_under_its_public_key_and_does_so_after_a_restart(
    tmp_path: Path, place: MakeBackend
) -> None:
    first = store(tmp_path, place()).signer()
    check(first, b"before")
    again = store(tmp_path, place()).signer()
    assert again.public_key == first.public_key
    check(again, b"after")


def test_the_status_says_where_it_is_without_asking_the_place(tmp_path: Path, place: MakeBackend) -> None:
    backend = place()
    store(tmp_path, backend).signer()
    # A store that knows no other place than a sealed file.
    assert store(tmp_path, SealedBackend(None)).info.protection is backend.protection


def test_only_its_owner_may_read_the_key_file(tmp_path: Path, place: MakeBackend) -> None:
    store(tmp_path, place()).signer()
    (path,) = key_files(tmp_path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_two_keys_sign_in_turns_and_at_once(tmp_path: Path, place: MakeBackend) -> None:
    keys = store(tmp_path, place())
    old, new, account = keys.signer(), keys.next_signer(), keys.account_signer()
    for number in range(4):
        check((old, new)[number % 2], bytes([number]))
        assert len(account.sign(b"x")) == 64
    with ThreadPoolExecutor(4) as threads:
        for done in [threads.submit(check, (old, new)[n % 2], bytes([n])) for n in range(16)]:
            done.result()


def test_signatures_survive_that_the_store_lets_go_of_the_place(tmp_path: Path, place: MakeBackend) -> None:
    keys = store(tmp_path, place())
    signer = keys.signer()
    keys.close()
    check(signer, b"taken up again")


def test_a_key_file_that_is_cut_or_holds_nonsense_is_a_lost_key(tmp_path: Path, place: MakeBackend) -> None:
    backend = place()
    store(tmp_path, backend).signer()
    (path,) = key_files(tmp_path)
    content = path.read_bytes()
    for damaged in (content[: len(content) // 2], content[:-20], b"nonsense", b""):
        path.write_bytes(damaged)
        with pytest.raises(DamagedKeyError) as caught:
            store(tmp_path, backend).signer()
        assert "identity enroll" in caught.value.hint
        assert path.read_bytes() == damaged


def test_a_lost_key_is_replaced_by_an_enrollment_and_by_nothing_else(
    tmp_path: Path, place: MakeBackend
) -> None:
    keys = store(tmp_path, place())
    lost = keys.signer()
    keys.install_chain(chain_for(lost))
    key_files(tmp_path)[0].write_bytes(b"nonsense")
    with pytest.raises(LostKeyError):
        keys.signer()
    fresh = keys.signer_to_enroll()
    assert fresh.public_key != lost.public_key
    # The order that a power cut interrupts is taken up with the same key.
    assert keys.signer_to_enroll().public_key == fresh.public_key
    keys.install_chain(chain_for(fresh))
    assert keys.signer().public_key == fresh.public_key
    keys.forget_old_keys()
    assert len(key_files(tmp_path)) == 1


def test_a_reset_leaves_nothing(tmp_path: Path, place: MakeBackend) -> None:
    keys = store(tmp_path, place())
    signer = keys.signer()
    keys.account_signer()
    keys.next_signer()
    keys.install_chain(chain_for(signer))
    keys.reset()
    assert list((tmp_path / "identity").iterdir()) == []
    assert keys.info == KeyInfo(Protection.NONE, "", has_certificate=False, is_renewing=False)


# -- what must never come out ---------------------------------------------------------------------


def public_values(root: object) -> Iterator[object]:
    """Everything that public attributes of our objects lead to, and every repr on the way."""
    waiting, seen = [root], set[int]()
    while waiting:
        value = waiting.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        yield value
        yield repr(value)
        if type(value).__module__.startswith("conclaved."):
            names = [name for name in dir(value) if not name.startswith("_")]
            waiting += [found for name in names if not callable(found := getattr(value, name))]


def secrets_of(content: bytes, signer: Signer) -> list[bytes]:
    """The private key in the forms in which it could show; nothing for one that is in no memory of ours."""
    key = getattr(signer, "_key", None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        return [content]
    scalar = key.private_numbers().private_value.to_bytes(32, "big")
    der = key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return [scalar, scalar.hex().encode(), der]


def test_no_public_attribute_and_no_repr_gives_the_private_key(tmp_path: Path, place: MakeBackend) -> None:
    backend = place()
    keys = store(tmp_path, backend)
    signer = keys.signer()
    secrets = secrets_of(key_files(tmp_path)[0].read_bytes(), signer)
    private_types = (ec.EllipticCurvePrivateKey,)
    for root in (keys, backend, signer, keys.account_signer(), keys.next_signer()):
        for value in public_values(root):
            assert not isinstance(value, private_types)
            if isinstance(value, bytes | str) and value:
                text = value if isinstance(value, bytes) else value.encode()
                assert not any(secret in text for secret in secrets)


def test_no_file_but_a_plain_one_holds_the_private_key(tmp_path: Path, place: MakeBackend) -> None:
    keys = store(tmp_path, place())
    signer = keys.signer()
    (path,) = key_files(tmp_path)
    content = path.read_bytes()
    key = getattr(signer, "_key", None)
    if isinstance(key, ec.EllipticCurvePrivateKey):
        scalar = key.private_numbers().private_value.to_bytes(32, "big")
        assert scalar not in content
    is_readable = b"PRIVATE KEY" in content
    assert is_readable is (keys.info.protection is Protection.PLAIN)


def test_a_signer_is_neither_copied_nor_pickled(tmp_path: Path, place: MakeBackend) -> None:
    keys = store(tmp_path, place())
    for signer in (keys.signer(), keys.account_signer()):
        for attempt in (copy.copy, copy.deepcopy, pickle.dumps):
            with pytest.raises(TypeError):
                attempt(signer)


# -- moving ---------------------------------------------------------------------------------------


def test_a_key_moves_to_the_configured_place_with_the_next_certificate(
    tmp_path: Path, place: MakeBackend
) -> None:
    plain = PlainBackend(is_allowed=True)
    old_store = store(tmp_path, plain)
    old = old_store.signer()
    old_store.install_chain(chain_for(old))
    backend = place()
    keys = store(tmp_path, backend, plain)
    is_moving = backend.protection is not Protection.PLAIN
    assert keys.signer().public_key == old.public_key
    assert keys.info.is_moving is is_moving
    new = keys.signer_to_enroll()
    assert (new.public_key != old.public_key) is is_moving
    assert keys.signer().public_key == old.public_key
    keys.install_chain(chain_for(new))
    assert keys.signer().public_key == new.public_key
    assert (keys.info.protection, keys.info.is_moving) == (backend.protection, False)
    check(keys.signer(), b"moved")
    keys.forget_old_keys()
    assert len(key_files(tmp_path)) == 1


def test_a_key_goes_to_a_place_that_is_less_safe_only_when_a_new_one_is_asked_for(
    tmp_path: Path, place: MakeBackend
) -> None:
    safe = place()
    plain = PlainBackend(is_allowed=True)
    old = store(tmp_path, safe).signer()
    keys = store(tmp_path, plain, safe)
    assert not keys.info.is_moving
    assert keys.signer_to_enroll().public_key == old.public_key
    new = keys.signer_to_enroll(is_new_key=True)
    keys.install_chain(chain_for(new))
    assert keys.info.protection is Protection.PLAIN


def test_a_key_in_a_place_that_is_not_configured_says_so(tmp_path: Path, place: MakeBackend) -> None:
    backend = place()
    store(tmp_path, backend).signer()
    other = (
        PlainBackend(is_allowed=True) if backend.protection is Protection.SEALED else SealedBackend(bytes(32))
    )
    with pytest.raises(Exception, match=f"not configured: {backend.protection.value}") as caught:
        store(tmp_path, other).signer()
    assert f'backend = "{backend.protection.value}"' in getattr(caught.value, "hint", "")


def test_the_accounts_key_moves_by_a_rollover(tmp_path: Path, place: MakeBackend) -> None:
    plain = PlainBackend(is_allowed=True)
    old = store(tmp_path, plain).account_signer()
    backend = place()
    keys = store(tmp_path, backend, plain)
    assert keys.is_account_moving is (backend.protection is not Protection.PLAIN)
    following = keys.make_next_account_signer()
    assert following.public_key != old.public_key
    keys.take_next_account_key()
    keys.forget_old_keys()
    assert keys.account_signer().public_key == following.public_key
    assert not keys.is_account_moving
