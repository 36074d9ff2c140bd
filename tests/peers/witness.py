"""A client of ours that only listens, and writes down what it hears and what all the others then see."""

import hashlib
import os
from base64 import b64encode
from typing import Any

from conclaved.mls import CipherSuite, KeyPackage, KeyPackageBundle, SoftwareSigner
from conclaved.mls.crypto import crypto_for
from conclaved.mls.key_package import new_leaf_node
from conclaved.mls.leaf_node import PROTOCOL_VERSION
from tests.peers.client import PRIVATE_EXTENSION, Certified, Client, Identity, Kind, Received, View
from tests.peers.ours import OwnClient
from tests.peers.peer import raw_key_pair

_KEY_SIZES = {1: 32, 2: 32, 3: 32, 4: 56, 5: 66, 6: 56, 7: 48}
_ED448_SUITES, _ED448_SIZE = (4, 6), 57
NAME = "witness"
EXPORT_LABEL, EXPORT_CONTEXT, EXPORT_LENGTH = "golden", b"transcript", 32


def text(data: bytes) -> str:
    return b64encode(data).decode()


def who(identity: bytes) -> str:
    """A member as a transcript names it: its basic identity, or the hash of its certificate."""
    return identity.decode() if identity.isascii() else hashlib.sha256(identity).hexdigest()[:32]


class Witness(OwnClient):
    """Its private keys are known, so that what it heard can be heard again."""

    def __init__(self, suite: CipherSuite, identity: Identity, *, encrypts_handshake: bool) -> None:
        super().__init__(suite, identity, encrypts_handshake=encrypts_handshake)
        self._identity = identity
        self.steps: list[dict[str, Any]] = []
        self.keys: dict[str, str] = {}
        self.speaker = ""
        """Who sends what comes next."""

    def _known(self, name: str, key: bytes | None = None, *, size: int = 0) -> bytes:
        # A first byte of zero keeps it below the order of every curve.
        key = key or b"\0" + os.urandom((size or _KEY_SIZES[self.suite]) - 1)
        self.keys[name] = text(key)
        return key

    def make_bundle(self) -> KeyPackageBundle:
        crypto = crypto_for(self.suite)
        given = raw_key_pair(self._identity.key)[0] if isinstance(self._identity, Certified) else None
        size = _ED448_SIZE if self.suite in _ED448_SUITES else 0
        signature_key = self._known("signature_key", given, size=size)
        self.signer = SoftwareSigner.from_private_bytes(self.suite, signature_key)
        init_key = crypto.hpke_private_key(self._known("init_key"))
        leaf_key = crypto.hpke_private_key(self._known("leaf_key"))
        leaf = new_leaf_node(
            crypto, self.signer, self.credential, leaf_key, self.lifetime, [PRIVATE_EXTENSION]
        )
        package = KeyPackage(PROTOCOL_VERSION, self.suite, init_key.public_key, leaf, ())
        return KeyPackageBundle(package.sign(crypto, self.signer), init_key, leaf_key)

    def key_package(self) -> bytes:
        message = super().key_package()
        self.keys["key_package"] = text(message)
        return message

    def join(self, welcome: bytes) -> None:
        super().join(welcome)
        self.steps.append({"by": self.speaker, "is": "welcome", "message": text(welcome)})

    def process(self, message: bytes) -> Received:
        received = super().process(message)
        step = {"by": self.speaker, "is": received.kind.value, "message": text(message)}
        if received.kind is Kind.APPLICATION:
            step["data"] = text(received.data)
        self.steps.append(step)
        return received

    def see(self, group_info: bytes) -> None:
        """A GroupInfo that somebody hands out."""
        self.steps.append({"by": self.speaker, "is": "group_info", "message": text(group_info)})

    def expect(self, view: View, other: Client) -> None:
        """What another stack sees after the last commit or Welcome."""
        self.steps[-1]["expected"] = {
            "epoch": view.epoch,
            "epoch_authenticator": text(view.epoch_authenticator),
            "tree_hash": text(view.tree_hash),
            "exported": text(other.export(EXPORT_LABEL, EXPORT_CONTEXT, EXPORT_LENGTH)),
            "members": {str(leaf): who(identity) for leaf, identity in view.members},
        }
