"""Keys in a real TPM: what it promises, and what happens when it is reset, cleared, exchanged or away."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from conclaved.identity import DamagedKeyError, KeyStoreError, LostKeyError, Signer, UnreachableKeyError
from conclaved.identity.key_backends import tpm2_library
from conclaved.identity.key_backends.tpm2 import Tpm2Backend
from conclaved.identity.key_backends.tpm2_connection import Tpm2Connection, WrappedKey
from tests.swtpm import Swtpm

OTHER_KEY = 0x81000077


@pytest.fixture
def tpm(tmp_path: Path) -> Iterator[Swtpm]:
    with Swtpm(tmp_path / "tpm") as running:
        yield running


@pytest.fixture
def backend(tpm: Swtpm) -> Iterator[Tpm2Backend]:
    backend = Tpm2Backend(tpm.tcti)
    yield backend
    backend.close()


def check(signer: Signer) -> None:
    signer.certificate_public_key.verify(signer.sign(b"data"), b"data", ec.ECDSA(hashes.SHA256()))


def test_the_library_works_in_a_process_that_knows_mocks() -> None:
    program = (
        "import unittest.mock, sys; from conclaved.identity.key_backends import tpm2_library;"
        "tss = tpm2_library.load(); print(tss.TPM2B_DIGEST(b'x'), 'unittest.mock' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["78", "True"]


def test_the_tpm_lets_nobody_take_a_key_out_of_it(tpm: Swtpm, backend: Tpm2Backend) -> None:
    signer = backend.open(backend.generate().content)
    tss = tpm2_library.load()
    public, _ = tss.TPM2B_PUBLIC.unmarshal(signer._key.public)
    bits = tss.TPMA_OBJECT
    attributes = public.publicArea.objectAttributes
    wanted = bits.FIXEDTPM | bits.FIXEDPARENT | bits.SENSITIVEDATAORIGIN | bits.SIGN_ENCRYPT
    assert attributes & wanted == wanted
    assert not attributes & (bits.DECRYPT | bits.RESTRICTED)


def test_a_reset_of_the_tpm_costs_no_key_and_no_signature(tpm: Swtpm, backend: Tpm2Backend) -> None:
    signer = backend.open(backend.generate().content)
    check(signer)
    tpm.reset()
    check(signer)


def test_a_tpm_that_is_away_is_told_from_a_lost_key_and_may_come_back(
    tpm: Swtpm, backend: Tpm2Backend
) -> None:
    content = backend.generate().content
    signer = backend.open(content)
    tpm.stop()
    for attempt in (lambda: signer.sign(b"x"), lambda: backend.open(content), backend.generate):
        with pytest.raises(UnreachableKeyError, match="cannot be reached") as caught:
            attempt()
        assert caught.value.hint
    tpm.start()
    check(signer)


def test_a_cleared_tpm_has_lost_the_key_and_says_what_to_do(tpm: Swtpm, backend: Tpm2Backend) -> None:
    content = backend.generate().content
    backend.close()
    tpm.clear()
    with pytest.raises(LostKeyError, match="cleared") as caught:
        backend.open(content)
    assert "identity enroll" in caught.value.hint
    check(backend.open(backend.generate().content))


def test_a_tpm_that_is_exchanged_while_a_key_is_in_use_has_lost_it(tpm: Swtpm, backend: Tpm2Backend) -> None:
    signer = backend.open(backend.generate().content)
    check(signer)
    tpm.exchange()
    with pytest.raises(LostKeyError, match="not the one that made it"):
        signer.sign(b"data")


def test_every_changed_byte_of_the_file_is_damage_and_not_another_tpm(backend: Tpm2Backend) -> None:
    content = backend.generate().content
    for at in range(0, len(content), 7):
        changed = content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]
        with pytest.raises(DamagedKeyError):
            backend.open(changed)


def test_a_wrapped_key_that_the_tpm_does_not_take_is_damaged(backend: Tpm2Backend) -> None:
    """The checksum is no secret: whoever writes the file can make it right."""
    key = backend.open(backend.generate().content)._key
    private = key.private[:-1] + bytes([key.private[-1] ^ 1])
    forged = WrappedKey(key.parent_name, key.public, private, key.public_key)
    with pytest.raises(DamagedKeyError, match="does not take"):
        backend._connection.check(forged)


def test_the_public_part_of_another_key_is_not_taken_with_a_wrapped_one(backend: Tpm2Backend) -> None:
    one, other = (backend.open(backend.generate().content)._key for _ in range(2))
    with pytest.raises(DamagedKeyError):
        backend._connection.check(WrappedKey(one.parent_name, other.public, one.private, other.public_key))


def test_a_wrong_signature_is_never_given_out(backend: Tpm2Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    signer = backend.open(backend.generate().content)
    real = Tpm2Connection.sign

    def wrong(it: Tpm2Connection, key: WrappedKey, digest: bytes) -> tuple[int, int]:
        r, s = real(it, key, digest)
        return r, s ^ 1

    monkeypatch.setattr(Tpm2Connection, "sign", wrong)
    with pytest.raises(KeyStoreError, match="wrong signature"):
        signer.sign(b"data")


def test_a_tpm_without_a_resource_manager_has_room_for_any_number_of_keys(backend: Tpm2Backend) -> None:
    signers = [backend.open(backend.generate().content) for _ in range(5)]
    for signer in (*signers, *signers):
        check(signer)


KILLED = """
import os, sys
from conclaved.identity.key_backends.tpm2 import Tpm2Backend

backend = Tpm2Backend(sys.argv[1])
backend.open(backend.generate().content)
os._exit(0)
"""


def test_a_daemon_that_was_killed_leaves_the_next_one_room_in_the_tpm(tpm: Swtpm) -> None:
    for _ in range(2):
        subprocess.run([sys.executable, "-c", KILLED, tpm.tcti], check=True)
    backend = Tpm2Backend(tpm.tcti)
    check(backend.open(backend.generate().content))
    backend.close()


def persist_storage_key(tpm: Swtpm, password: bytes) -> None:
    """What a device's maker does: a storage key that stays, and a password on the owner hierarchy."""
    tss: Any = tpm2_library.load()
    way = tss.TCTILdr.parse(tpm.tcti)
    esapi = tss.ESAPI(way)
    bits = tss.TPMA_OBJECT
    template = tss.TPM2B_PUBLIC.parse(
        "ecc256:null:aes128cfb",
        objectAttributes=bits.FIXEDTPM
        | bits.FIXEDPARENT
        | bits.SENSITIVEDATAORIGIN
        | bits.USERWITHAUTH
        | bits.NODA
        | bits.RESTRICTED
        | bits.DECRYPT,
    )
    made = esapi.create_primary(tss.TPM2B_SENSITIVE_CREATE(), template)
    esapi.evict_control(tss.ESYS_TR.OWNER, made[0], OTHER_KEY)
    esapi.flush_context(made[0])
    esapi.hierarchy_change_auth(tss.ESYS_TR.OWNER, tss.TPM2B_AUTH(password))
    esapi.close()
    way.close()


def test_where_the_owner_has_a_password_a_persistent_storage_key_serves(tpm: Swtpm) -> None:
    persist_storage_key(tpm, b"the owner's")
    without = Tpm2Backend(tpm.tcti)
    with pytest.raises(UnreachableKeyError, match="password") as caught:
        without.generate()
    assert "parent" in caught.value.hint
    without.close()
    backend = Tpm2Backend(tpm.tcti, parent=OTHER_KEY)
    content = backend.generate().content
    check(backend.open(content))
    backend.close()
    tpm.reset()
    check(backend.open(content))
    backend.close()


def test_without_its_library_the_daemon_says_what_to_install(
    tpm: Swtpm, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing() -> None:
        raise ImportError("no tpm2_pytss")

    monkeypatch.setattr(tpm2_library, "_import", missing)
    with pytest.raises(KeyStoreError, match="not installed") as caught:
        Tpm2Backend(tpm.tcti).generate()
    assert "python3-tpm2-pytss" in caught.value.hint
