"""What other MLS stacks put on the wire in one group with ours, heard again byte for byte.

The transcripts in `golden` were recorded in live runs (`make peers ARGS=--record`): the private keys of a
client that only listens, every message that reached it, and what the *other* stacks saw after each commit.
"""

import json
from base64 import b64decode, b64encode
from pathlib import Path
from typing import Any

import pytest

from conclaved.mls import (
    AcceptAny,
    AuthenticatedContent,
    BasicCredential,
    CipherSuite,
    ContentType,
    GoneError,
    Group,
    KeyPackage,
    KeyPackageBundle,
    MissingPsk,
    RemoteError,
    SoftwareSigner,
    X509Credential,
    resumption_psk_key,
)
from conclaved.mls.crypto import crypto_for
from conclaved.mls.mls_message import MlsMessage

FOLDER = Path(__file__).parent / "golden"
FILES = sorted(FOLDER.glob("*.json"))
EVERY_FILE = pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)

Step = dict[str, Any]


class Listener:
    """The client of a transcript."""

    def __init__(self, path: Path) -> None:
        self.transcript: dict[str, Any] = json.loads(path.read_text())
        self.suite = CipherSuite(self.transcript["cipher_suite"])
        self.psks = {b64decode(one): b64decode(psk) for one, psk in self.transcript["psks"].items()}
        self.now: int = self.transcript["now"]
        self.signer = SoftwareSigner.from_private_bytes(self.suite, self._key("signature_key"))
        self._group: Group | None = None
        self._proposals: list[AuthenticatedContent] = []

    def _key(self, name: str) -> bytes:
        return b64decode(self.transcript[name])

    @property
    def group(self) -> Group:
        assert self._group is not None
        return self._group

    def bundle(self) -> KeyPackageBundle:
        crypto, package = crypto_for(self.suite), MlsMessage.decode(self._key("key_package")).content
        assert isinstance(package, KeyPackage)
        init_key = crypto.hpke_private_key(self._key("init_key"))
        leaf_key = crypto.hpke_private_key(self._key("leaf_key"))
        assert (package.init_key, package.leaf_node.encryption_key) == (
            init_key.public_key,
            leaf_key.public_key,
        )
        return KeyPackageBundle(package, init_key, leaf_key)

    def join(self, welcome: bytes) -> None:
        self._group = Group.join(
            welcome, self.bundle(), self.signer, psks=self.psks, auth=AcceptAny(), now=self.now
        )

    def hear(self, step: Step) -> None:
        """Take in one message, and see what is to be seen."""
        kind, message = step["is"], b64decode(step["message"])
        if kind == "welcome":
            self.join(message)
        elif kind == "group_info":
            self._enter_elsewhere(message)
        else:
            content = self.group.unprotect(message, allow_outsiders=True)
            if kind == "application":
                assert content.content.body == b64decode(step["data"])
            elif kind == "proposal":
                assert content.content_type is ContentType.PROPOSAL
                self._proposals.append(content)
            else:
                self._apply(content, removes_us=kind == "removed")
        if "expected" in step:
            self._see(step["expected"])

    def _apply(self, commit: AuthenticatedContent, *, removes_us: bool) -> None:
        staged = self.group.stage(commit, self._proposals, psks=self.psks, now=self.now, allow_external=True)
        assert staged.removes_us == removes_us
        if not removes_us:
            self._group, self._proposals = staged.merge(), []

    def _enter_elsewhere(self, group_info: bytes) -> None:
        """A GroupInfo lets a newcomer of ours in, into the epoch after this one."""
        signer = SoftwareSigner.generate(self.suite)
        newcomer = BasicCredential(b"newcomer")
        _, entered = Group.join_externally(group_info, signer, newcomer, auth=AcceptAny(), now=self.now)
        assert entered.epoch == self.group.epoch + 1
        assert len(entered.members) == len(self.group.members) + 1
        entered.close()

    def _see(self, expected: dict[str, Any]) -> None:
        group = self.group
        self.psks[resumption_psk_key(group.group_id, group.epoch)] = group.resumption_psk
        label, context, length = self.transcript["export"]
        assert group.epoch == expected["epoch"]
        assert group.tree_hash == b64decode(expected["tree_hash"])
        assert group.epoch_authenticator == b64decode(expected["epoch_authenticator"])
        assert group.export(label, b64decode(context), length) == b64decode(expected["exported"])
        assert [str(member.leaf_index) for member in group.members] == list(expected["members"])
        for member, who in zip(group.members, expected["members"].values(), strict=True):
            credential = member.leaf_node.credential
            if isinstance(credential, BasicCredential):
                assert credential.identity == who.encode()
            else:
                assert isinstance(credential, X509Credential)
                assert crypto_for(CipherSuite(2)).hash(credential.certificates[0]).hex().startswith(who)


@EVERY_FILE
def test_a_listener_sees_what_the_other_stacks_saw(path: Path) -> None:
    listener = Listener(path)
    for step in listener.transcript["steps"]:
        listener.hear(step)


@EVERY_FILE
def test_every_message_is_the_same_after_decoding_and_encoding(path: Path) -> None:
    for step in json.loads(path.read_text())["steps"]:
        message = b64decode(step["message"])
        assert MlsMessage.decode(message).encode() == message


@EVERY_FILE
def test_a_changed_last_byte_is_refused_and_changes_nothing(path: Path) -> None:
    listener = Listener(path)
    for step in listener.transcript["steps"]:
        message = bytearray(b64decode(step["message"]))
        message[-1] ^= 1
        with pytest.raises(RemoteError):
            listener.hear({**step, "message": b64encode(message).decode()})
        listener.hear(step)


@EVERY_FILE
def test_a_message_that_was_heard_is_not_heard_twice(path: Path) -> None:
    listener = Listener(path)
    for step in listener.transcript["steps"]:
        listener.hear(step)
        if step["is"] == "application":
            with pytest.raises(GoneError):
                listener.group.unprotect(b64decode(step["message"]))


def test_without_the_psk_no_epoch_follows() -> None:
    listener = Listener(FOLDER / "suite-2-private.json")
    listener.psks.clear()
    with pytest.raises(MissingPsk):
        for step in listener.transcript["steps"]:
            listener.hear(step)


def test_every_suite_of_the_rfc_and_every_stack_is_in_a_transcript() -> None:
    transcripts = [json.loads(path.read_text()) for path in FILES]
    assert {each["cipher_suite"] for each in transcripts} == {1, 2, 3, 4, 5, 6, 7}
    speakers = {step["by"] for each in transcripts for step in each["steps"] if step["is"] == "commit"}
    assert {"conclave", "openmls", "mls-rs-awslc", "mls-rs-openssl", "ts-mls"} <= speakers
