"""Keys in a real PKCS#11 token: what it promises, its PIN, and what happens when it is unplugged."""

import re
import stat
from collections.abc import Iterator
from pathlib import Path

import pkcs11
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from conclaved.identity import KeyStore, LostKeyError, PinError, Signer, UnreachableKeyError
from conclaved.identity.key_backends.pin import REFUSED_FILE, Pin
from conclaved.identity.key_backends.pkcs11 import Pkcs11Backend
from tests.soft_hsm import MODULE, PIN, Token, new_token

WRONG_PIN = "0000-1111"


@pytest.fixture
def token(tmp_path: Path) -> Token:
    return new_token(tmp_path)


@pytest.fixture
def backend(token: Token) -> Iterator[Pkcs11Backend]:
    backend = token.backend()
    yield backend
    backend.close()


def check(signer: Signer) -> None:
    signer.certificate_public_key.verify(signer.sign(b"data"), b"data", ec.ECDSA(hashes.SHA256()))


def test_the_token_lets_nobody_take_a_key_out_of_it(token: Token, backend: Pkcs11Backend) -> None:
    signer = backend.open(backend.generate().content)
    backend.close()
    with pkcs11.lib(str(MODULE)).get_token(token_label=token.label).open(user_pin=PIN) as session:
        key = session.get_key(object_class=pkcs11.ObjectClass.PRIVATE_KEY, id=signer._key.object_id)
        attribute = pkcs11.Attribute
        assert key[attribute.SENSITIVE]
        assert not key[attribute.EXTRACTABLE]
        assert key[attribute.ALWAYS_SENSITIVE]
        assert key[attribute.NEVER_EXTRACTABLE]
        with pytest.raises(pkcs11.AttributeSensitive):
            key[attribute.VALUE]


def test_a_token_that_is_unplugged_is_told_from_a_lost_key_and_may_come_back(
    token: Token, backend: Pkcs11Backend
) -> None:
    content = backend.generate().content
    signer = backend.open(content)
    check(signer)
    token.unplug()
    for attempt in (lambda: signer.sign(b"x"), lambda: backend.open(content), backend.generate):
        with pytest.raises(UnreachableKeyError, match="there is no token") as caught:
            attempt()
        assert caught.value.hint == "plug it in"
    token.plug_in()
    check(signer)


def test_a_key_that_was_erased_in_the_token_is_lost(token: Token, backend: Pkcs11Backend) -> None:
    content = backend.generate().content
    signer = backend.open(content)
    backend.remove(content)
    backend.remove(content)
    backend.close()
    for attempt in (lambda: signer.sign(b"x"), lambda: backend.open(content)):
        with pytest.raises(LostKeyError, match="has it no more") as caught:
            attempt()
        assert "identity enroll" in caught.value.hint


def test_another_token_of_the_same_label_is_not_taken_for_the_one_with_the_key(token: Token) -> None:
    backend = token.backend()
    content = backend.generate().content
    backend.close()
    token.unplug()
    other = new_token(token.folder, label=token.label).backend()
    with pytest.raises(UnreachableKeyError, match="and this is") as caught:
        other.open(content)
    assert "--new-key" in caught.value.hint
    other.close()


def test_two_tokens_of_one_label_are_told_apart_by_their_serial_number(token: Token) -> None:
    new_token(token.folder, label=token.label)
    ambiguous = token.backend()
    with pytest.raises(UnreachableKeyError, match="2 tokens") as caught:
        ambiguous.generate()
    assert "serial" in caught.value.hint
    ambiguous.close()
    serials = {found.serial.decode() for found in pkcs11.lib(str(MODULE)).get_tokens(token_label=token.label)}
    made = set()
    for serial in serials:
        backend = Pkcs11Backend(MODULE, Pin.of(token.folder, token.pin_file), serial=serial)
        content = backend.generate().content
        check(backend.open(content))
        made.add(next(each for each in serials if each.encode() in content))
        backend.close()
    assert made == serials


def test_a_library_that_is_none_is_named(token: Token, tmp_path: Path) -> None:
    backend = Pkcs11Backend(tmp_path / "no.so", Pin.of(tmp_path, token.pin_file), token="x")
    with pytest.raises(UnreachableKeyError, match=re.escape("no.so")) as caught:
        backend.generate()
    assert "module" in caught.value.hint


# -- the PIN --------------------------------------------------------------------------------------


def change_pin(token: Token, old: str, new: str) -> None:
    with pkcs11.lib(str(MODULE)).get_token(token_label=token.label).open(rw=True, user_pin=old) as session:
        session.set_pin(old, new)


def test_a_refused_pin_is_never_tried_again_not_even_after_a_restart(token: Token) -> None:
    token.write_pin(WRONG_PIN)
    backend = token.backend()
    with pytest.raises(PinError, match="not tried again"):
        backend.generate()
    backend.close()
    # If it were tried now, it would be taken.
    change_pin(token, PIN, WRONG_PIN)
    for again in (backend, token.backend()):
        with pytest.raises(PinError, match="not tried again"):
            again.generate()
        again.close()


def test_a_corrected_pin_is_tried_at_the_next_use(token: Token, backend: Pkcs11Backend) -> None:
    signer = backend.open(backend.generate().content)
    backend.close()
    token.write_pin(WRONG_PIN)
    with pytest.raises(PinError):
        signer.sign(b"data")
    assert (token.folder / REFUSED_FILE).exists()
    token.write_pin(PIN)
    check(signer)
    assert not (token.folder / REFUSED_FILE).exists()


def test_what_is_remembered_of_a_refused_pin_is_not_the_pin(token: Token, backend: Pkcs11Backend) -> None:
    token.write_pin(WRONG_PIN)
    with pytest.raises(PinError):
        backend.generate()
    path = token.folder / REFUSED_FILE
    assert WRONG_PIN.encode() not in path.read_bytes()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_no_error_and_no_repr_shows_the_pin(token: Token, backend: Pkcs11Backend) -> None:
    signer = backend.open(backend.generate().content)
    backend.close()
    shown = [repr(backend), repr(signer), repr(KeyStore(token.folder, backend))]
    token.write_pin(WRONG_PIN)
    for _ in range(2):
        with pytest.raises(PinError) as caught:
            signer.sign(b"data")
        shown += [str(caught.value), caught.value.hint, repr(caught.value.__cause__)]
    assert not any(pin in text for text in shown for pin in (PIN, WRONG_PIN))


def bad_pin_files(token: Token) -> Iterator[tuple[str, Pin]]:
    path = token.pin_file
    path.unlink()
    yield "No such file", Pin.of(token.folder, path)
    token.write_pin(PIN)
    path.chmod(0o640)
    yield "others than its owner", Pin.of(token.folder, path)
    for content in (b"", b"\n", b"\xff\xfe", b"1" * 300):
        path.chmod(0o600)
        path.write_bytes(content)
        yield "is empty or is no text", Pin.of(token.folder, path)
    yield "cannot be read", Pin(None, token.folder, {})


def test_a_pin_that_cannot_be_used_is_an_error_that_says_what_to_do(token: Token) -> None:
    for says, pin in bad_pin_files(token):
        with pytest.raises(PinError, match=says) as caught:
            pin.read()
        assert caught.value.hint


def test_the_pin_comes_from_systemds_credentials_where_no_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "pkcs11-pin").write_text(PIN + "\n")
    assert Pin(None, tmp_path, {"CREDENTIALS_DIRECTORY": str(tmp_path)}).read() == PIN
