"""What is fuzzed: every decoder, and the doors of a group. Only a RemoteError or its like may come out.

A target has seeds from a real group's life, all made with the transparent provider. It is run under that
provider, changes nothing that the next input would see, and raises AssertionError for what must not be.
"""

import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec

from conclaved.mls import (
    AcceptAny,
    Add,
    AuthenticatedContent,
    Commit,
    Extension,
    ExternalSender,
    Group,
    GroupContext,
    GroupContextExtensions,
    KeyPackage,
    LeafNode,
    MlsError,
    MlsMessage,
    PreSharedKey,
    PreSharedKeyID,
    ReInit,
    RemoteError,
    Remove,
    RequiredCapabilities,
    Stage,
    Update,
    WireFormat,
    external_proposal,
    external_senders_extension,
    new_member_proposal,
)
from conclaved.mls.codec import Reader, decode_whole, vector
from conclaved.mls.crypto import Crypto
from conclaved.mls.extension import external_senders
from conclaved.mls.group_info import GroupInfo
from conclaved.mls.message_protection import Opened, SenderData
from conclaved.mls.proposal import encode_proposal, read_proposal
from conclaved.mls.ratchet_tree import RatchetTree
from conclaved.mls.update_path import UpdatePath
from conclaved.mls.welcome import GroupSecrets, Welcome
from tests.mls.cast import NOW, PRIVATE_USE, SUITE, Circle, Person, received
from tests.mls.test_credential import certificate

PSKS = {b"psk": b"the pre-shared key"}


class Target(ABC):
    """One thing to throw bytes at."""

    name: str

    @property
    @abstractmethod
    def seeds(self) -> Sequence[bytes]:
        """Inputs that go through."""

    @abstractmethod
    def run(self, data: bytes) -> bool:
        """Take one input; whether it went through. Raises what is a finding."""


# --- Decoders ------------------------------------------------------------------------------------


def _read_senders(data: bytes) -> bytes:
    senders = external_senders([Extension(5, data)])
    return vector(sender.encode() for sender in senders)


def _whole(read: Callable[[Reader], Any]) -> Callable[[bytes], bytes]:
    def again(data: bytes) -> bytes:
        encoded: bytes = decode_whole(data, read).encode()
        return encoded

    return again


DECODERS: dict[str, Callable[[bytes], bytes]] = {
    "MlsMessage": _whole(MlsMessage.read),
    "KeyPackage": _whole(KeyPackage.read),
    "LeafNode": _whole(LeafNode.read),
    "GroupInfo": _whole(GroupInfo.read),
    "GroupContext": _whole(GroupContext.read),
    "GroupSecrets": _whole(GroupSecrets.read),
    "Welcome": _whole(Welcome.read),
    "AuthenticatedContent": _whole(AuthenticatedContent.read),
    "Commit": _whole(Commit.read),
    "UpdatePath": _whole(UpdatePath.read),
    "Proposal": lambda data: encode_proposal(decode_whole(data, read_proposal)),
    "PreSharedKeyID": _whole(PreSharedKeyID.read),
    "SenderData": _whole(SenderData.read),
    "RequiredCapabilities": _whole(RequiredCapabilities.read),
    "ExternalSenders": _read_senders,
    "RatchetTree": lambda data: RatchetTree.decode(data).encode(),
}
"""Each gives back the encoding of what it has read: there is only one."""


class Decode(Target):
    """The first byte of an input chooses the decoder."""

    name = "decode"

    def __init__(self) -> None:
        self._decoders = list(DECODERS.items())
        circle = Circle("alice", "bob", "carol", extensions=[Extension(PRIVATE_USE, b"policy")])
        circle.commit("bob")
        alice, erin = circle["alice"], Person("erin")
        bundle = erin.bundle()
        psk = PreSharedKey(PreSharedKeyID.external(SUITE, b"psk"))
        pending = alice.commit(by_value=[Add(received(bundle)), psk], psks=PSKS)
        commit, welcome = pending.content.body, pending.welcome
        assert isinstance(commit, Commit)
        assert commit.path is not None
        assert welcome is not None
        info = MlsMessage.decode(alice.group_info(allow_external=True)).content
        assert isinstance(info, GroupInfo)
        leaf = alice.leaf(0)
        assert leaf is not None
        sender = ExternalSender(erin.signer.public_key, erin.credential)
        resumption = PreSharedKeyID.resumption(SUITE, b"group", 7)
        self._seeds = {
            "MlsMessage": [welcome, alice.protect(pending.content), alice.group_info(allow_external=True)],
            "KeyPackage": [bundle.key_package.encode()],
            "LeafNode": [leaf.encode(), bundle.key_package.leaf_node.encode()],
            "GroupInfo": [info.encode()],
            "GroupContext": [alice.group_context.encode()],
            "GroupSecrets": [GroupSecrets(bytes(32), bytes(32), (resumption,)).encode()],
            "Welcome": [welcome[4:]],
            "AuthenticatedContent": [pending.content.encode()],
            "Commit": [commit.encode()],
            "UpdatePath": [commit.path.encode()],
            "Proposal": [
                encode_proposal(each)
                for each in (
                    Add(bundle.key_package),
                    Update(leaf),
                    Remove(1),
                    psk,
                    ReInit(b"new", 1, 2, ()),
                    GroupContextExtensions((Extension(PRIVATE_USE, b"policy"),)),
                )
            ],
            "PreSharedKeyID": [resumption.encode(), psk.psk.encode()],
            "SenderData": [SenderData(1, 2, b"reus").encode()],
            "RequiredCapabilities": [RequiredCapabilities((1,), (2, 3), (4,)).encode()],
            "ExternalSenders": [external_senders_extension([sender]).data],
            "RatchetTree": [alice.ratchet_tree, pending.merge().ratchet_tree],
        }

    @property
    def seeds(self) -> Sequence[bytes]:
        return [
            bytes([index]) + seed
            for index, (name, _) in enumerate(self._decoders)
            for seed in self._seeds[name]
        ]

    def run(self, data: bytes) -> bool:
        if not data:
            return False
        name, decode = self._decoders[data[0] % len(self._decoders)]
        try:
            again = decode(data[1:])
        except RemoteError:
            return False
        assert again == data[1:], f"{name} has two encodings"
        return True


# --- Groups --------------------------------------------------------------------------------------


class Receive(Target):
    """`unprotect` of whatever comes, and `stage` if it is a Commit. Alice never moves on."""

    name = "receive"

    def __init__(self) -> None:
        outsider = Person("outsider")
        senders = external_senders_extension(
            [ExternalSender(outsider.signer.public_key, outsider.credential)]
        )
        circle = Circle(
            "alice", "bob", "carol", "dave", extensions=[Extension(PRIVATE_USE, b"policy"), senders]
        )
        for name in ("bob", "dave", "carol"):
            circle.commit(name)
        self.alice, bob, erin = circle["alice"], circle["bob"], Person("erin")
        package, public = received(erin.bundle()), WireFormat.PUBLIC_MESSAGE
        update = circle["carol"].update_proposal(wire_format=public)
        self._known = [update]
        psk = PreSharedKey(PreSharedKeyID.external(SUITE, b"psk"))
        commits = [
            bob.commit(wire_format=public),
            bob.commit(by_value=[Add(package), psk], psks=PSKS, wire_format=public, force_path=False),
            bob.commit(by_value=[Remove(2), Remove(3)], wire_format=public),
            bob.commit(by_value=[Remove(0)], wire_format=public),
            bob.commit(by_value=[GroupContextExtensions(())], wire_format=public),
            bob.commit(by_reference=[update], wire_format=public),
            bob.commit(by_value=[ReInit(b"new", 1, 2, ())], wire_format=public, allow_reinit=True),
        ]
        join = [
            Group.join_externally(
                bob.group_info(allow_external=True),
                person.signer,
                person.credential,
                extension_types=[PRIVATE_USE],
                replaces=replaces,
                auth=AcceptAny(),
            )[0]
            for person, replaces in ((erin, None), (circle.people["dave"], 3))
        ]
        group_id, epoch = bob.group_id, bob.epoch
        self._seeds = [
            *(bob.protect_public(each.content) for each in commits),
            *join,
            bob.protect(bob.sign_application(b"words")),
            bob.protect(bob.sign_proposal(Remove(2))),
            bob.protect(bob.commit(by_value=[Add(package)]).content),
            bob.protect_public(bob.sign_proposal(Add(package), wire_format=public)),
            circle["carol"].protect_public(update),
            new_member_proposal(group_id, epoch, package, erin.signer),
            external_proposal(SUITE, group_id, epoch, 0, outsider.signer, Remove(1)),
        ]
        self._authenticator = self.alice.epoch_authenticator

    @property
    def seeds(self) -> Sequence[bytes]:
        return self._seeds

    def run(self, data: bytes) -> bool:
        alice, accept = self.alice, Opened.accept
        # A key that is used up once would hide all that comes behind it from the next input.
        Opened.accept = lambda self: None  # type: ignore[method-assign]
        try:
            content = alice.unprotect(data, allow_outsiders=True)
            if isinstance(content.body, Commit):
                staged = alice.stage(
                    content, self._known, psks=PSKS, now=NOW, allow_external=True, allow_reinit=True
                )
                assert len(staged.members) == len({each.leaf_index for each in staged.members})
                staged.discard()
        except MlsError:
            return False
        finally:
            Opened.accept = accept  # type: ignore[method-assign]
            assert alice.stage_of_life is Stage.LIVE
            assert alice.epoch_authenticator == self._authenticator
        return True


class Join(Target):
    """A Welcome for erin, whose KeyPackage is a last resort: she can try again and again."""

    name = "join"

    def __init__(self) -> None:
        circle, self._erin = Circle("alice", "bob", "carol", "dave"), Person("erin")
        for name in ("bob", "dave"):
            circle.commit(name)
        self._bundle = self._erin.bundle(is_last_resort=True)
        add = Add(received(self._bundle))
        psk = PreSharedKey(PreSharedKeyID.external(SUITE, b"psk"))
        alice = circle["alice"]
        self._seeds = []
        for options in ({}, {"force_path": False}, {"by_value": [add, psk], "psks": PSKS}):
            pending = alice.commit(**{"by_value": [add], **options})  # type: ignore[arg-type]
            assert pending.welcome is not None
            self._seeds.append(pending.welcome)

    @property
    def seeds(self) -> Sequence[bytes]:
        return self._seeds

    def run(self, data: bytes) -> bool:
        try:
            group = Group.join(
                data, self._bundle, self._erin.signer, psks=PSKS, auth=AcceptAny(), now=NOW, max_leaves=4096
            )
        except MlsError:
            return False
        finally:
            assert self._bundle.init_key is not None
        assert group.leaf(group.own_leaf_index) == self._bundle.key_package.leaf_node
        group.close()
        return True


class JoinExternally(Target):
    """A GroupInfo from anywhere."""

    name = "join_externally"

    def __init__(self) -> None:
        circle, self._erin = Circle("alice", "bob", "carol"), Person("erin")
        circle.commit("bob")
        self._seeds = [circle["alice"].group_info(allow_external=True), circle["alice"].group_info()]

    @property
    def seeds(self) -> Sequence[bytes]:
        return self._seeds

    def run(self, data: bytes) -> bool:
        try:
            _, group = Group.join_externally(
                data, self._erin.signer, self._erin.credential, auth=AcceptAny(), now=NOW
            )
        except MlsError:
            return False
        group.close()
        return True


class Certificate(Target):
    """The key in a certificate, which decides whether an X.509 credential goes with its leaf."""

    name = "certificate"

    def __init__(self) -> None:
        self._crypto = Crypto(SUITE)
        keys = [ec.derive_private_key(number, ec.SECP256R1()) for number in (7, 8)]
        self._seeds = [certificate(key) for key in keys]

    @property
    def seeds(self) -> Sequence[bytes]:
        return self._seeds

    def run(self, data: bytes) -> bool:
        with warnings.catch_warnings():
            # Of serial numbers that are no longer good form.
            warnings.simplefilter("ignore")
            try:
                key = self._crypto.signature_public_key_of_certificate(data)
            except MlsError:
                return False
        assert len(key) == len(self._crypto.generate_signature_key()[1])
        return True


_ALL = (Decode, Receive, Join, JoinExternally, Certificate)
TARGETS: dict[str, type[Target]] = {each.name: each for each in _ALL}
