"""Nothing secret shows: not in what an object says of itself, nor in an error, nor in a log.

A watching provider notes every secret that is derived, drawn or agreed on in a group's life, and every
object that the library makes says what it is. The two are compared.
"""

import copy
import logging
import pkgutil
import traceback
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

import pytest

import conclaved.mls
from conclaved.mls import (
    AcceptAny,
    Add,
    CipherSuite,
    Group,
    GroupContextExtensions,
    MlsError,
    PreSharedKey,
    PreSharedKeyID,
    ReInit,
    Remove,
    WireFormat,
)
from conclaved.mls.crypto import Crypto, use_provider
from conclaved.mls.kem import HpkePrivateKey, HpkePublicKey, Secret
from tests.mls.cast import NOW, SUITE, Circle, Person, received
from tests.mls.test_erasure import reachable

BYTES = bytes | bytearray
SHORTEST = 12
"""Bytes of a secret worth looking for: a nonce."""


class Watcher(Crypto):
    """The real provider, which remembers what must not be seen."""

    def __init__(self, suite: CipherSuite) -> None:
        super().__init__(suite)
        self.secrets: set[bytes] = set()
        self.by_label: dict[str, set[bytes]] = {}

    def note(self, secret: Secret) -> bytes:
        if len(secret) >= SHORTEST and any(secret):
            self.secrets.add(bytes(secret))
        return bytes(secret)

    def extract(self, salt: Secret, key_material: Secret) -> bytes:
        self.note(key_material)
        return self.note(super().extract(salt, key_material))

    def expand_with_label(self, secret: Secret, label: str, context: bytes, length: int) -> bytes:
        self.note(secret)
        derived = self.note(super().expand_with_label(secret, label, context, length))
        self.by_label.setdefault(label, set()).add(derived)
        return derived

    def expand(self, secret: Secret, info: bytes, length: int) -> bytes:
        return self.note(super().expand(secret, info, length))

    def mac(self, key: Secret, data: bytes) -> bytes:
        self.note(key)
        return super().mac(key, data)

    def aead_seal(self, key: Secret, nonce: bytes, plaintext: bytes, aad: bytes) -> bytes:
        self.note(key)
        return super().aead_seal(key, nonce, plaintext, aad)

    def derive_key_pair(self, key_material: Secret) -> HpkePrivateKey:
        self.note(key_material)
        return self._pair(super().derive_key_pair(key_material))

    def generate_key_pair(self) -> HpkePrivateKey:
        return self._pair(super().generate_key_pair())

    def _pair(self, pair: HpkePrivateKey) -> HpkePrivateKey:
        self.note(_scalar(pair.key))
        return pair

    def encapsulate(self, public: HpkePublicKey) -> tuple[bytes, bytes]:
        shared, output = super().encapsulate(public)
        return self.note(shared), output

    def decapsulate(self, private: HpkePrivateKey, kem_output: bytes) -> bytes:
        return self.note(super().decapsulate(private, kem_output))

    def generate_signature_key(self) -> tuple[Any, bytes]:
        key, public = super().generate_signature_key()
        self.note(_scalar(key))
        return key, public


def _scalar(key: Any) -> bytes:
    number: int = key.private_numbers().private_value
    return number.to_bytes(32, "big")


@dataclass
class Witness:
    """All that was said, and one of each class of object that was made."""

    said: set[str] = field(default_factory=set)
    made: dict[type, list[object]] = field(default_factory=dict)

    def hear(self, each: object) -> None:
        self.said |= {repr(each), str(each), f"{each}"}


def classes() -> Iterator[type]:
    """All classes of the library."""
    for module in pkgutil.iter_modules(conclaved.mls.__path__, "conclaved.mls."):
        for each in vars(import_module(module.name)).values():
            if isinstance(each, type) and each.__module__ == module.name and "__init__" in vars(each):
                yield each


@pytest.fixture
def witness(monkeypatch: pytest.MonkeyPatch) -> Witness:
    witness = Witness()

    def watched(cls: type, init: Callable[..., None]) -> Callable[..., None]:
        def heard(self: object, *given: object, **named: object) -> None:
            init(self, *given, **named)
            if type(self) is cls:
                examples = witness.made.setdefault(cls, [])
                if len(examples) < 40:
                    examples.append(self)
                witness.hear(self)

        return heard

    for cls in set(classes()):
        if not issubclass(cls, MlsError | Crypto):
            monkeypatch.setattr(cls, "__init__", watched(cls, vars(cls)["__init__"]))
    return witness


@pytest.fixture
def watcher() -> Iterator[Watcher]:
    watcher = Watcher(SUITE)
    former = use_provider(watcher)
    yield watcher
    use_provider(former)


def fail(witness: Witness, act: Callable[[], object]) -> None:
    """What goes wrong, in all the words that there are for it."""
    with pytest.raises(MlsError) as failure:
        act()
    witness.hear(failure.value)
    witness.said |= {repr(failure.value.args), "".join(traceback.format_exception(failure.value))}


def whole_life(suite: CipherSuite, witness: Witness) -> tuple[Circle, set[bytes]]:
    """All that can happen to a group, good and bad; the circle, and the secrets that were handed in."""
    psk = b"a pre-shared key of some length"
    circle, psks = Circle("alice", "bob", "carol", suite=suite), {b"psk": psk}
    alice, bob = circle["alice"], circle["bob"]
    outsider = Circle("x", "y", suite=suite)
    message = alice.protect(alice.sign_application(b"words"))
    bob.unprotect(message)
    for damaged in (message, message[:-1] + b"x", message[:40] + b"x" + message[41:], message[:-9]):
        fail(witness, lambda damaged=damaged: bob.unprotect(damaged))  # type: ignore[misc]
    fail(witness, lambda: outsider["y"].unprotect(message))
    fail(witness, lambda: alice.unprotect(message))
    proposal = PreSharedKey(PreSharedKeyID.external(suite, b"psk"))
    fail(witness, lambda: alice.commit(by_value=[proposal]))
    circle.commit("alice", proposal, psks=psks)
    fail(witness, lambda: alice.export("label", b"", 16))
    fail(witness, alice.commit)
    circle.add("bob", "dave", force_path=False)
    circle.add("dave", "erin")
    known = circle.send("carol", circle["carol"].update_proposal())
    circle.deliver("alice", circle["alice"].commit(by_reference=known["alice"]), known)
    circle.commit("carol", Remove(1), GroupContextExtensions(()))
    pending = circle["alice"].commit(wire_format=WireFormat.PUBLIC_MESSAGE)
    circle["alice"].protect_public(pending.content)
    pending.discard()
    fail(witness, pending.merge)
    frank = Person("frank", suite)
    bundle = frank.bundle()
    pending = circle["alice"].commit(by_value=[Add(received(bundle)), proposal], psks=psks)
    assert pending.welcome is not None
    welcome = pending.welcome
    for wrong in ({}, {b"psk": b"another pre-shared key"}):
        fail(
            witness,
            lambda wrong=wrong: Group.join(welcome, bundle, frank.signer, psks=wrong, auth=AcceptAny()),  # type: ignore[misc]
        )
    circle.deliver("alice", pending, psks=psks)
    circle.groups["frank"] = Group.join(welcome, bundle, frank.signer, psks=psks, auth=AcceptAny(), now=NOW)
    fail(witness, lambda: bundle.init_key)
    grace = Person("grace", suite)
    info = circle["frank"].group_info(allow_external=True)
    external, group = Group.join_externally(info, grace.signer, grace.credential, auth=AcceptAny())
    for name, theirs in circle.groups.items():
        content = theirs.unprotect(external, allow_outsiders=True)
        circle.groups[name] = theirs.stage(content, allow_external=True).merge()
    circle.groups["grace"] = group
    circle.commit("grace")
    circle.assert_agreement()
    witness.hear(circle["grace"].lineage)
    circle.commit("grace", ReInit(b"new", 1, suite, ()), allow_reinit=True)
    fail(witness, lambda: circle["grace"].sign_application(b"words"))
    for group in circle.groups.values():
        witness.hear(group)
    return circle, {psk}


def appearances(secret: bytes) -> Iterator[str]:
    """How a secret may look in a text."""
    yield secret.hex()
    yield repr(secret)[2:-1]
    yield repr(bytearray(secret))[12:-2]
    yield str(list(secret))
    yield str(int.from_bytes(secret, "big"))
    for shift in range(3):
        # In the middle of something longer, base64 begins at any of three places.
        for encode in (b64encode, urlsafe_b64encode):
            yield encode(bytes(shift) + secret)[4:-4].decode()


def test_no_secret_of_a_whole_life_is_said(
    watcher: Watcher, witness: Witness, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        _, handed_in = whole_life(watcher.suite, witness)
    text = "\n".join([*witness.said, caplog.text]).lower()
    secrets = watcher.secrets | handed_in
    assert len(secrets) > 500
    assert len(witness.said) > 300
    for secret in secrets:
        for seen in appearances(secret):
            assert seen.lower() not in text


def test_what_holds_a_secret_is_not_copied(watcher: Watcher, witness: Witness) -> None:
    whole_life(watcher.suite, witness)
    holders = set()
    for cls, examples in witness.made.items():
        for each in examples:
            slots = {name for base in cls.__mro__ for name in getattr(base, "__slots__", ())}
            values = (getattr(each, name, None) for name in slots - {"__weakref__"})
            held = (bytes(value) for value in values if isinstance(value, BYTES))
            if not watcher.secrets.isdisjoint(held):
                holders.add(cls)
                with pytest.raises(TypeError, match="not copied"):
                    copy.copy(each)
    assert {each.__name__ for each in holders} >= {"MessageKey", "GroupSecrets", "DecryptedPath", "Lineage"}


CONSUMED = ("joiner", "epoch", "welcome", "derived psk", "path", "node")
"""Labels of what is of use while an epoch is entered, and never again."""
OF_THE_EPOCH = ("init", "exporter", "external", "confirm", "resumption", "authentication")


def test_what_has_been_used_is_not_kept(watcher: Watcher) -> None:
    circle = Circle("alice", "bob", "carol")
    bundle = Person("dave").bundle()
    pending = circle["bob"].commit(by_value=[Add(received(bundle))])
    circle.deliver("bob", pending)
    circle.commit("carol")
    circle.commit("alice", PreSharedKey(PreSharedKeyID.external(SUITE, b"psk")), psks={b"psk": b"secret"})
    # `pending` is still here: it has been merged, so nothing is left in it either.
    held = [each for each in reachable([circle, pending], Crypto) if isinstance(each, BYTES)]
    secrets = {bytes(each) for each in held}
    for label in CONSUMED:
        assert secrets.isdisjoint(watcher.by_label[label]), label
    for label in OF_THE_EPOCH:
        assert len(watcher.by_label[label] & secrets) == 1, label
        assert len(watcher.by_label[label]) > 3, label


def test_the_end_of_an_epoch_leaves_no_secret_of_it(watcher: Watcher, witness: Witness) -> None:
    circle = Circle("alice", "bob", suite=watcher.suite)
    old = circle["alice"]
    old.protect(old.sign_application(b"words"))
    circle.commit("bob")
    old.close()
    secrets, tree = old._secrets, old._secrets.secret_tree
    held = (secrets.keys._secrets, tree._nodes, tree._ratchets, secrets._private_keys, secrets._updates)
    assert not any(held)
