"""The secret tree and its ratchets: a key and nonce for every message (RFC 9420 §9).

A node's secret is overwritten as soon as its children are derived, a ratchet's as soon as it has moved
on. Looking at a key (`peek`) and using it up (`accept`) are two steps: a message that does not verify
must not cost the honest one its key.
"""

from dataclasses import dataclass, field

from conclaved.mls.crypto import Crypto, Secret
from conclaved.mls.errors import GoneError, RemoteError
from conclaved.mls.tree_math import is_leaf, left, level, right, root

MAX_SKIP = 1024
"""How far ahead of the last message a generation may be: a bound on work for one forged message."""
MAX_KEPT = 256
"""How many keys of skipped messages a ratchet keeps for those that come late."""


@dataclass(frozen=True, slots=True)
class MessageKey:
    """Key and nonce of one generation, and how the ratchet looks once it has been used up."""

    generation: int
    key: bytes = field(repr=False)
    nonce: bytes = field(repr=False)
    _next_generation: int = field(repr=False)
    _next_secret: bytes | None = field(repr=False)
    _skipped: dict[int, tuple[bytes, bytes]] = field(repr=False)


class Ratchet:
    """One sender's hash ratchet for one kind of content."""

    __slots__ = ("_crypto", "_kept", "_secret", "generation")

    def __init__(self, crypto: Crypto, secret: Secret) -> None:
        self._crypto = crypto
        self._secret = bytearray(secret)
        self._kept: dict[int, tuple[bytes, bytes]] = {}
        self.generation = 0
        """The next generation that has not been derived."""

    def _key_and_nonce(self, secret: Secret, generation: int) -> tuple[bytes, bytes]:
        crypto = self._crypto
        return (
            crypto.derive_tree_secret(secret, "key", generation, crypto.key_size),
            crypto.derive_tree_secret(secret, "nonce", generation, crypto.nonce_size),
        )

    def peek(self, generation: int) -> MessageKey:
        """The key of a generation; GoneError if it was used, RemoteError if it is too far ahead."""
        if generation in self._kept:
            return MessageKey(generation, *self._kept[generation], self.generation, None, {})
        if generation < self.generation:
            raise GoneError(f"the key of generation {generation} has been used or dropped")
        if generation - self.generation > MAX_SKIP:
            raise RemoteError(f"generation {generation} is too far ahead", rule="RFC 9420 §9.1")
        crypto, secret, skipped = self._crypto, bytes(self._secret), {}
        for each in range(self.generation, generation):
            skipped[each] = self._key_and_nonce(secret, each)
            secret = crypto.derive_tree_secret(secret, "secret", each, crypto.hash_size)
        key, nonce = self._key_and_nonce(secret, generation)
        following = crypto.derive_tree_secret(secret, "secret", generation, crypto.hash_size)
        return MessageKey(generation, key, nonce, generation + 1, following, skipped)

    def accept(self, used: MessageKey) -> None:
        """Use the key up, and keep those that were skipped on the way."""
        if used._next_secret is None:
            if self._kept.pop(used.generation, None) is None:
                raise GoneError(f"the key of generation {used.generation} has been used")
            return
        if used._next_generation <= self.generation:
            raise GoneError(f"the key of generation {used.generation} has been used")
        self._secret[:] = used._next_secret
        self.generation = used._next_generation
        self._kept.update(used._skipped)
        for oldest in sorted(self._kept)[: max(0, len(self._kept) - MAX_KEPT)]:
            del self._kept[oldest]

    def next(self) -> MessageKey:
        """Take the next generation for sending."""
        key = self.peek(self.generation)
        self.accept(key)
        return key

    def close(self) -> None:
        """Forget everything."""
        self._secret[:] = bytes(len(self._secret))
        self._kept.clear()


class SecretTree:
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

    def __reduce__(self) -> str:
        raise TypeError("secrets are not copied or pickled")
