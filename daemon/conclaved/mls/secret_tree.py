"""The secret tree and its ratchets: a key and nonce for every message (RFC 9420 §9).

A node's secret is overwritten as soon as its children are derived, a ratchet's as soon as it has moved
on. Looking at a key (`peek`) and using it up (`accept`) are two steps: a message that does not verify
must not cost the honest one its key.
"""

from collections import deque
from dataclasses import dataclass, field

from conclaved.mls.crypto import Crypto
from conclaved.mls.errors import GoneError, RemoteError
from conclaved.mls.kem import Secret
from conclaved.mls.single_owner import NotCopied
from conclaved.mls.tree_math import is_leaf, left, level, right, root

MAX_SKIP = 1024
"""How far ahead of the last message a generation may be: a bound on work for one forged message."""
MAX_KEPT = 256
"""How many keys of skipped messages a ratchet keeps for those that come late."""


@dataclass(frozen=True, slots=True)
class MessageKey(NotCopied):
    """Key and nonce of one generation."""

    generation: int
    key: bytes = field(repr=False)
    nonce: bytes = field(repr=False)


class Ratchet(NotCopied):
    """One sender's hash ratchet for one kind of content.

    Secrets of later generations that were looked at are remembered until the ratchet has passed them: a
    member that forges messages far ahead, without ever being verified, makes us derive each once. They
    follow from the present secret, which is there as long as they are.
    """

    __slots__ = ("_ahead", "_crypto", "_kept", "generation")

    def __init__(self, crypto: Crypto, secret: Secret) -> None:
        self._crypto = crypto
        self._ahead: deque[bytearray] = deque([bytearray(secret)])
        self._kept: dict[int, MessageKey] = {}
        self.generation = 0
        """The next generation that has not been used or skipped: that of the first secret in `_ahead`."""

    def peek(self, generation: int) -> MessageKey:
        """The key of a generation; GoneError if it was used, RemoteError if it is too far ahead."""
        if generation in self._kept:
            return self._kept[generation]
        if generation < self.generation:
            raise GoneError(f"the key of generation {generation} has been used or dropped")
        if generation - self.generation > MAX_SKIP:
            raise RemoteError(f"generation {generation} is too far ahead", rule="RFC 9420 §9.1")
        return self._key(generation)

    def accept(self, used: MessageKey) -> None:
        """Use the key up, and keep those that were skipped on the way."""
        if used.generation in self._kept:
            del self._kept[used.generation]
            return
        if used.generation < self.generation:
            raise GoneError(f"the key of generation {used.generation} has been used")
        for each in range(max(self.generation, used.generation - MAX_KEPT), used.generation):
            self._kept[each] = self._key(each)
        if len(self._kept) > MAX_KEPT:
            for oldest in sorted(self._kept)[: len(self._kept) - MAX_KEPT]:
                del self._kept[oldest]
        self._derive(used.generation + 1)
        while self.generation <= used.generation:
            _overwrite(self._ahead.popleft())
            self.generation += 1

    def next(self) -> MessageKey:
        """Take the next generation for sending."""
        key = self.peek(self.generation)
        self.accept(key)
        return key

    def close(self) -> None:
        """Forget everything."""
        for secret in self._ahead:
            _overwrite(secret)
        self._ahead.clear()
        self._kept.clear()

    def _derive(self, generation: int) -> None:
        crypto = self._crypto
        if not self._ahead:
            raise GoneError("the message keys of this epoch are gone")
        while self.generation + len(self._ahead) <= generation:
            last = self.generation + len(self._ahead) - 1
            derived = crypto.derive_tree_secret(self._ahead[-1], "secret", last, crypto.hash_size)
            self._ahead.append(bytearray(derived))

    def _key(self, generation: int) -> MessageKey:
        self._derive(generation)
        crypto, secret = self._crypto, self._ahead[generation - self.generation]
        return MessageKey(
            generation,
            crypto.derive_tree_secret(secret, "key", generation, crypto.key_size),
            crypto.derive_tree_secret(secret, "nonce", generation, crypto.nonce_size),
        )


def _overwrite(secret: bytearray) -> None:
    secret[:] = bytes(len(secret))


class SecretTree(NotCopied):
    """Secrets of all senders of one epoch, derived as they are first needed."""

    __slots__ = ("_crypto", "_nodes", "_ratchets", "_root", "n_leaves")

    def __init__(self, crypto: Crypto, encryption_secret: Secret, n_leaves: int) -> None:
        self._crypto = crypto
        self._root = root(n_leaves)
        self._nodes: dict[int, bytearray] = {self._root: bytearray(encryption_secret)}
        self._ratchets: dict[int, tuple[Ratchet, Ratchet]] = {}
        self.n_leaves = n_leaves

    def ratchet(self, leaf: int, *, is_handshake: bool) -> Ratchet:
        """A sender's ratchet; RemoteError for a leaf outside the tree, GoneError once closed."""
        if not 0 <= leaf < self.n_leaves:
            raise RemoteError(f"no leaf {leaf} in the tree", rule="RFC 9420 §6.3.2")
        if leaf not in self._ratchets:
            self._derive(leaf)
        return self._ratchets[leaf][0 if is_handshake else 1]

    def _derive(self, leaf: int) -> None:
        crypto, node = self._crypto, 2 * leaf
        start = node
        while start not in self._nodes:
            if start == self._root:
                raise GoneError("the message keys of this epoch are gone")
            # The parent in a full tree, whatever its size: the root bounds the climb.
            height = level(start)
            start = (start | (1 << height)) & ~(1 << (height + 1))
        while not is_leaf(start):
            secret = self._nodes.pop(start)
            for child, label in ((left(start), b"left"), (right(start), b"right")):
                derived = crypto.expand_with_label(secret, "tree", label, crypto.hash_size)
                self._nodes[child] = bytearray(derived)
            secret[:] = bytes(len(secret))
            start = left(start) if node < start else right(start)
        secret = self._nodes.pop(node)
        handshake = crypto.expand_with_label(secret, "handshake", b"", crypto.hash_size)
        application = crypto.expand_with_label(secret, "application", b"", crypto.hash_size)
        secret[:] = bytes(len(secret))
        self._ratchets[leaf] = (Ratchet(crypto, handshake), Ratchet(crypto, application))

    def close(self) -> None:
        """Forget everything; idempotent."""
        for secret in self._nodes.values():
            secret[:] = bytes(len(secret))
        for pair in self._ratchets.values():
            for ratchet in pair:
                ratchet.close()
        self._nodes.clear()
        self._ratchets.clear()

    def __repr__(self) -> str:
        return f"SecretTree({self.n_leaves} leaves, {len(self._ratchets)} derived)"
