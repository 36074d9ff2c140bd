"""The media keys of a meeting, epoch after epoch: who may be heard under which key, until when.

A group's epoch changes while frames are on their way, so for a while a receiver needs old keys,
and sometimes sees a new one's frames before the handshake that makes it. The keyring is the
policy for that, and nothing else: ciphertext and `now` in, plaintext with its authenticated
origin out. It has no clock; `poll` says when it wants to be called next.

    unknown --advance--> current --advance--> old --grace over--> gone

- *unknown*: no key yet. Frames that may belong to a coming epoch wait at most HOLD_S, bounded in
  number and bytes; `advance` opens them. That a frame names an epoch proves nothing.
- *current*: the one epoch we send in, from the very call of `advance`. Older senders are erased.
- *old*: receive only, for GRACE_S; REMOVE_GRACE_S once a later commit removed somebody, and the
  removed leaf's own streams are closed at once, since a kicked member still holds those keys.
  A stream that has an authenticated frame in a newer epoch is closed in older ones STRAGGLER_S
  later: its sender has moved on, whatever still arrives is late or made up.
- *gone*: keys are dropped, buffers overwritten. Frames are refused, never held.

The origin of a frame is its authenticated KID. Members can forge each other's KIDs (RFC 9605
§7.2); nobody else can.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import inf
from types import MappingProxyType

from conclaved.sframe.cipher_suite import CipherSuite
from conclaved.sframe.context import ReceiverContext, SenderContext
from conclaved.sframe.epoch_keys import EpochKeys
from conclaved.sframe.errors import (
    KeyGoneError,
    Refusal,
    SframeRemoteError,
    SframeUsageError,
    UnknownKeyError,
)
from conclaved.sframe.header import parse
from conclaved.sframe.mls_kid import EPOCH_BITS, KidLayout

GRACE_S = 10.0
REMOVE_GRACE_S = 2.0
STRAGGLER_S = 0.5
HOLD_S = 0.5
HOLD_MAX_FRAMES = 256
HOLD_MAX_BYTES = 2 << 20
MAX_CONTEXT_ID = 7
"""Streams a member can have. Bounds what a stranger's KIDs can make us derive and keep."""
REPLAY_WINDOW = 1024


@dataclass(frozen=True, slots=True)
class Opened:
    """An authenticated frame. Everything here is what the tag vouched for."""

    context_id: int
    leaf_index: int
    epoch: int
    ctr: int
    """Counts up by one with each frame of the stream in the epoch, from 0."""
    plaintext: bytes = field(repr=False)
    metadata: bytes


@dataclass(frozen=True, slots=True)
class Held:
    """The frame waits for an epoch that we do not have."""

    epoch_bits: int
    """The epoch modulo 256, as the frame claims. Not authenticated."""


@dataclass(frozen=True, slots=True)
class KeyringCounts:
    """What the keyring did so far."""

    opened: int
    held: int
    """Frames that ever waited."""
    expired: int
    """Frames that waited in vain."""
    refused: Mapping[Refusal, int]
    epochs_live: int
    frames_waiting: int


@dataclass(frozen=True, slots=True)
class _Stream:
    """A member's stream in one epoch. It is there only while its frames may be opened."""

    leaf_index: int
    context_id: int
    receiver: ReceiverContext

    @property
    def origin(self) -> tuple[int, int]:
        """What it is called in every epoch: leaf and context."""
        return self.leaf_index, self.context_id


class _Epoch:
    """Keys of one epoch. Erased exactly once."""

    __slots__ = (
        "_base_key",
        "_suite",
        "closed",
        "expires_at",
        "keys",
        "layout",
        "moved",
        "senders",
        "streams",
    )

    def __init__(self, suite: CipherSuite, keys: EpochKeys) -> None:
        self._suite = suite
        self._base_key = bytearray(keys.base_key)
        self.keys = keys
        self.layout = KidLayout.for_leaf_count(keys.leaf_count)
        self.expires_at: float | None = None
        self.closed: set[int] = set()
        self.moved: dict[tuple[int, int], float] = {}
        """When the streams that have gone on to a newer epoch are closed here, by their origin."""
        self.streams: dict[int, _Stream] = {}
        """By KID, whether a frame has been authenticated or not: members times contexts bound their number,
        and deriving anew for every forged frame would be work for the asking."""
        self.senders: dict[int, SenderContext] = {}

    def sender(self, context_id: int) -> SenderContext:
        found = self.senders.get(context_id)
        if found is None:
            kid = self.layout.kid(context_id, self.keys.own_leaf, self.keys.epoch)
            found = self.senders[context_id] = SenderContext(self._suite, kid, self._base_key)
        return found

    def open_stream(self, leaf_index: int, context_id: int, kid: int) -> _Stream:
        receiver = ReceiverContext(self._suite, kid, self._base_key, REPLAY_WINDOW)
        opened = self.streams[kid] = _Stream(leaf_index, context_id, receiver)
        return opened

    def close_stream(self, kid: int) -> None:
        stream = self.streams.pop(kid, None)
        if stream is not None:
            stream.receiver.close()

    def close_leaf(self, leaf_index: int) -> None:
        self.closed.add(leaf_index)
        for kid in [kid for kid, stream in self.streams.items() if stream.leaf_index == leaf_index]:
            self.close_stream(kid)

    def close_moved(self, now: float) -> None:
        if self.moved:
            for kid, stream in list(self.streams.items()):
                if now >= self.moved.get(stream.origin, inf):
                    self.close_stream(kid)

    def close_senders(self) -> None:
        for sender in self.senders.values():
            sender.close()
        self.senders.clear()

    def erase(self) -> None:
        self.close_senders()
        for kid in list(self.streams):
            self.close_stream(kid)
        self._base_key[:] = bytes(len(self._base_key))


@dataclass(frozen=True, slots=True)
class _Waiting:
    ciphertext: bytes
    metadata: bytes
    deadline: float


class MediaKeyring:
    """All SFrame contexts of one device in one meeting. One owner, one thread."""

    def __init__(self, suite: CipherSuite = CipherSuite.AES_128_GCM_SHA256_128) -> None:
        self.suite = suite
        # By the epoch's low bits: two live epochs never share them (RFC 9605 §5.2).
        self._epochs: dict[int, _Epoch] = {}
        self._current: _Epoch | None = None
        self._waiting: deque[_Waiting] = deque()
        self._waiting_bytes = 0
        self._is_closed = False
        self._opened = self._held = self._expired = 0
        self._refused = dict.fromkeys(Refusal, 0)

    def __repr__(self) -> str:
        epochs = sorted(e.keys.epoch for e in self._epochs.values())
        return f"<MediaKeyring {self.suite.name} epochs {epochs}, {len(self._waiting)} waiting>"

    @property
    def epoch(self) -> int | None:
        """The epoch we send in, or None before the first `advance`."""
        return None if self._current is None else self._current.keys.epoch

    @property
    def counts(self) -> KeyringCounts:
        """A snapshot of the counters."""
        refused = MappingProxyType(dict(self._refused))
        return KeyringCounts(
            self._opened, self._held, self._expired, refused, len(self._epochs), len(self._waiting)
        )

    def advance(self, keys: EpochKeys, now: float) -> tuple[Opened, ...]:
        """Enter a newer epoch: send in it from now on, start the grace of the one before.

        Returns the waiting frames that its key opens, in the order of their arrival. `now` is in
        seconds of any steady clock. Raises SframeUsageError, and changes nothing, unless the epoch is
        newer than the present one: entering an epoch twice would use its nonces twice.
        """
        self._check_open()
        current = self._current
        if current is not None and keys.epoch <= current.keys.epoch:
            raise SframeUsageError(f"epoch {keys.epoch} is not newer than {current.keys.epoch}")
        self._erase_due(now)
        entered = _Epoch(self.suite, keys)
        if isinstance(keys.base_key, bytearray):
            keys.base_key[:] = bytes(len(keys.base_key))
        # The value stays for its numbers; its key must not outlive the epoch with it.
        entered.keys = replace(keys, base_key=b"\0")
        if current is not None:
            self._retire(current, keys, now)
        same_bits = self._epochs.pop(keys.epoch % (1 << EPOCH_BITS), None)
        if same_bits is not None:
            same_bits.erase()
        self._epochs[keys.epoch % (1 << EPOCH_BITS)] = entered
        self._current = entered
        return self._release(now)

    def protect(self, context_id: int, frame: bytes, metadata: bytes, now: float) -> bytes:
        """The SFrame ciphertext of our `frame` in the current epoch.

        `context_id` (0..MAX_CONTEXT_ID) is the stream. Raises SframeUsageError before the first
        epoch, CounterExhaustedError, KeyGoneError after `close`.
        """
        self._check_open()
        self._erase_due(now)
        if self._current is None:
            raise SframeUsageError("there is no epoch to send in yet")
        if not 0 <= context_id <= MAX_CONTEXT_ID:
            raise SframeUsageError(f"stream contexts are 0 to {MAX_CONTEXT_ID}")
        return self._current.sender(context_id).protect(frame, metadata)

    def unprotect(self, ciphertext: bytes, metadata: bytes, now: float) -> Opened | Held:
        """Open a frame, or keep it for an epoch that may come.

        Raises a SframeRemoteError whose `refusal` says why the frame was refused (also counted);
        nothing but the count has changed then. KeyGoneError after `close`.
        """
        self._check_open()
        self._erase_due(now)
        try:
            return self._open_or_hold(ciphertext, metadata, now)
        except SframeRemoteError as error:
            self._refused[error.refusal] += 1
            raise

    def poll(self, now: float) -> float | None:
        """Erase what is due; returns when to call again, or None while nothing will be due."""
        self._check_open()
        self._erase_due(now)
        due = [e.expires_at for e in self._epochs.values() if e.expires_at is not None]
        for epoch in self._epochs.values():
            due += [epoch.moved[s.origin] for s in epoch.streams.values() if s.origin in epoch.moved]
        if self._waiting:
            due.append(self._waiting[0].deadline)
        return min(due, default=None)

    def close(self) -> None:
        """Erase every key and every waiting frame. Safe to call twice."""
        for epoch in self._epochs.values():
            epoch.erase()
        self._epochs.clear()
        self._current = None
        self._waiting.clear()
        self._waiting_bytes = 0
        self._is_closed = True

    def _check_open(self) -> None:
        if self._is_closed:
            raise KeyGoneError("the keyring was closed and its keys are erased")

    def _retire(self, current: _Epoch, keys: EpochKeys, now: float) -> None:
        """Start or shorten the grace of all epochs before `keys`."""
        gone = keys.removed | (current.keys.members - keys.members)
        grace = REMOVE_GRACE_S if gone else GRACE_S
        for epoch in self._epochs.values():
            epoch.close_senders()
            limit = now + grace
            epoch.expires_at = limit if epoch.expires_at is None else min(epoch.expires_at, limit)
            for leaf_index in gone:
                epoch.close_leaf(leaf_index)

    def _release(self, now: float) -> tuple[Opened, ...]:
        waiting, self._waiting, self._waiting_bytes = self._waiting, deque(), 0
        opened = []
        for frame in waiting:
            try:
                result = self._open_or_hold(frame.ciphertext, frame.metadata, now, frame)
            except SframeRemoteError as error:
                self._refused[error.refusal] += 1
            else:
                if isinstance(result, Opened):
                    opened.append(result)
        return tuple(opened)

    def _open_or_hold(
        self, ciphertext: bytes, metadata: bytes, now: float, waiting: _Waiting | None = None
    ) -> Opened | Held:
        kid, ctr, size = parse(ciphertext)
        epoch = self._epochs.get(kid % (1 << EPOCH_BITS))
        if epoch is None:
            return self._hold(
                kid, waiting or _Waiting(ciphertext, metadata, now + HOLD_S), is_new=not waiting
            )
        stream = epoch.streams.get(kid) or self._new_stream(epoch, kid, now)
        is_first = stream.receiver.is_unused
        plaintext = stream.receiver.unprotect_parsed(ctr, size, ciphertext, metadata)
        if is_first:
            self._close_older(epoch, stream, now)
        self._opened += 1
        return Opened(stream.context_id, stream.leaf_index, epoch.keys.epoch, ctr, plaintext, metadata)

    def _new_stream(self, epoch: _Epoch, kid: int, now: float) -> _Stream:
        """Begin to receive a stream. What ends one later closes it: `_refusal` need not look again."""
        parts = epoch.layout.split(kid)
        origin = parts.leaf_index, parts.context_id
        refusal = self._refusal(epoch, origin, now)
        if refusal is not None:
            raise UnknownKeyError(kid, refusal)
        return epoch.open_stream(*origin, kid)

    def _refusal(self, epoch: _Epoch, origin: tuple[int, int], now: float) -> Refusal | None:
        """Why frames of this stream may not be opened in this epoch, or None."""
        leaf_index, context_id = origin
        if context_id > MAX_CONTEXT_ID:
            return Refusal.UNKNOWN_STREAM
        if leaf_index == epoch.keys.own_leaf:
            return Refusal.OWN
        if leaf_index not in epoch.keys.members:
            return Refusal.UNKNOWN_SENDER
        if leaf_index in epoch.closed:
            return Refusal.REMOVED_SENDER
        if now >= epoch.moved.get(origin, inf):
            return Refusal.STREAM_MOVED
        return None

    def _close_older(self, epoch: _Epoch, stream: _Stream, now: float) -> None:
        for other in self._epochs.values():
            if other.keys.epoch < epoch.keys.epoch:
                other.moved.setdefault(stream.origin, now + STRAGGLER_S)

    def _hold(self, kid: int, frame: _Waiting, *, is_new: bool) -> Held:
        bits = kid % (1 << EPOCH_BITS)
        current = self._current
        if current is not None:
            ahead = (bits - current.keys.epoch) % (1 << EPOCH_BITS)
            if ahead >= 1 << (EPOCH_BITS - 1):
                raise UnknownKeyError(kid, Refusal.EPOCH_GONE)
        size = len(frame.ciphertext) + len(frame.metadata)
        # The oldest stay: a new epoch tends to begin with the keyframe that the others need.
        if len(self._waiting) >= HOLD_MAX_FRAMES or self._waiting_bytes + size > HOLD_MAX_BYTES:
            raise UnknownKeyError(kid, Refusal.UNKNOWN_EPOCH)
        self._waiting.append(frame)
        self._waiting_bytes += size
        self._held += is_new
        return Held(bits)

    def _erase_due(self, now: float) -> None:
        is_over = False
        for epoch in self._epochs.values():
            epoch.close_moved(now)
            is_over = is_over or (epoch.expires_at is not None and now >= epoch.expires_at)
        if is_over:
            self._erase_expired(now)
        while self._waiting and now >= self._waiting[0].deadline:
            frame = self._waiting.popleft()
            self._waiting_bytes -= len(frame.ciphertext) + len(frame.metadata)
            self._expired += 1

    def _erase_expired(self, now: float) -> None:
        for bits, epoch in list(self._epochs.items()):
            if epoch.expires_at is not None and now >= epoch.expires_at:
                epoch.erase()
                del self._epochs[bits]
