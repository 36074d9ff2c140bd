"""One key, one direction: SFrame contexts (RFC 9605 §4.4).

A context owns the key and salt of one KID. A sender also owns the counter, and with it the
promise that no nonce is used twice: it has one owner, cannot be copied or pickled, and counts
up before it encrypts. A receiver owns the replay window of its KID, which only an
authenticated frame moves.
"""

from typing import NoReturn, Self

from conclaved.sframe.cipher_suite import MAX_FRAME_BYTES, Aead, CipherSuite, make_aead
from conclaved.sframe.errors import (
    CounterExhaustedError,
    KeyGoneError,
    MalformedError,
    Refusal,
    ReplayError,
    SframeUsageError,
    UnknownKeyError,
)
from conclaved.sframe.header import encode, parse
from conclaved.sframe.key_schedule import derive_key_salt
from conclaved.sframe.replay_window import ReplayWindow


class _Context:
    """What both directions share: KID, AEAD and salt, and their end."""

    __slots__ = ("_aead", "_nn", "_salt", "kid", "suite")

    def __init__(self, suite: CipherSuite, kid: int, base_key: bytes | bytearray) -> None:
        if not base_key:
            raise SframeUsageError("base key is empty")
        if not 0 <= kid < 1 << 64:
            raise SframeUsageError("KID is an unsigned 64-bit number")
        self.suite = suite
        self.kid = kid
        self._nn = suite.parameters.nn
        key, salt = derive_key_salt(suite, kid, base_key)
        self._aead: Aead | None = make_aead(suite, key)
        self._salt = int.from_bytes(salt, "big")
        key[:] = bytes(len(key))
        salt[:] = bytes(len(salt))

    def __repr__(self) -> str:
        state = "closed" if self._aead is None else "open"
        return f"<{type(self).__name__} {self.suite.name} KID {self.kid:#x}, {state}>"

    def __copy__(self) -> NoReturn:
        raise SframeUsageError("a context has one owner and is never copied")

    def __deepcopy__(self, memo: object) -> NoReturn:
        raise SframeUsageError("a context has one owner and is never copied")

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise SframeUsageError("a context is never written down")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Drop the key. Safe to call twice; everything else raises KeyGoneError afterwards."""
        if self._aead is not None:
            self._aead.erase()
            self._aead = None
            self._salt = 0

    def _live(self) -> Aead:
        if self._aead is None:
            raise KeyGoneError(f"key of KID {self.kid:#x} was erased")
        return self._aead

    def _nonce(self, ctr: int) -> bytes:
        return (self._salt ^ ctr).to_bytes(self._nn, "big")


class SenderContext(_Context):
    """Protects frames under one KID. Not for use by two threads."""

    __slots__ = ("_limit", "_next_ctr")

    def __init__(self, suite: CipherSuite, kid: int, base_key: bytes | bytearray) -> None:
        """`base_key` is at least one byte; the MLS binding gives Nk bytes (RFC 9605 §5.2)."""
        super().__init__(suite, kid, base_key)
        self._limit = suite.parameters.counter_limit
        self._next_ctr = 0

    @property
    def next_ctr(self) -> int:
        """The counter of the next frame."""
        return self._next_ctr

    def protect(self, plaintext: bytes, metadata: bytes = b"") -> bytes:
        """Header, ciphertext and tag (RFC 9605 §4.4.3): at most 17 + Nt bytes more than `plaintext`.

        `metadata` is authenticated and not sent. Raises CounterExhaustedError at the suite's
        limit, SframeUsageError for a frame above MAX_FRAME_BYTES, KeyGoneError after `close`.
        """
        aead = self._live()
        if len(plaintext) > MAX_FRAME_BYTES:
            raise SframeUsageError("frame is too long")
        ctr = self._next_ctr
        if ctr >= self._limit:
            raise CounterExhaustedError(f"KID {self.kid:#x} has encrypted its limit of frames")
        # Before encrypting: an exception on the way must burn the counter, not offer it again.
        self._next_ctr = ctr + 1
        header = encode(self.kid, ctr)
        return header + aead.seal(self._nonce(ctr), header + metadata, plaintext)


class ReceiverContext(_Context):
    """Opens frames of one KID, each at most once."""

    __slots__ = ("_window",)

    def __init__(self, suite: CipherSuite, kid: int, base_key: bytes | bytearray, window: int = 1024) -> None:
        """`window` is how many counters back a late frame is still told from a replay."""
        super().__init__(suite, kid, base_key)
        self._window = ReplayWindow(window)

    @property
    def is_unused(self) -> bool:
        """Whether no frame has been authenticated yet."""
        return self._window.is_empty

    def unprotect(self, ciphertext: bytes, metadata: bytes = b"") -> bytes:
        """The plaintext of an SFrame ciphertext (RFC 9605 §4.4.4).

        Raises MalformedError, UnknownKeyError (another KID), ReplayError, AuthenticationError;
        none of them changes the context. KeyGoneError after `close`.
        """
        kid, ctr, size = parse(ciphertext)
        if kid != self.kid:
            self._live()
            raise UnknownKeyError(kid, Refusal.UNKNOWN_STREAM)
        return self.unprotect_parsed(ctr, size, ciphertext, metadata)

    def unprotect_parsed(self, ctr: int, size: int, ciphertext: bytes, metadata: bytes) -> bytes:
        """Like `unprotect`, for a caller that has parsed the header (`size` bytes) and chosen by its KID."""
        aead = self._live()
        if len(ciphertext) > MAX_FRAME_BYTES + 64:
            raise MalformedError("frame is too long")
        if not self._window.check(ctr):
            raise ReplayError(f"counter {ctr} of KID {self.kid:#x} was seen or is too old")
        aad = ciphertext[:size] + metadata
        plaintext = aead.open(self._nonce(ctr), aad, ciphertext[size:])
        self._window.commit(ctr)
        return plaintext
