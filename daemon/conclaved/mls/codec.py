"""The TLS presentation language as RFC 9420 §2.1 uses it.

Encoding is plain concatenation of bytes. Decoding goes through `Reader`, which never looks past its
buffer, accepts only the shortest form of a length (so an object has exactly one encoding, and a
signature or hash over the bytes received is one over the object), and fails with `DecodeError`.
"""

from collections.abc import Callable, Iterable
from typing import TypeVar

from conclaved.mls.errors import DecodeError, LocalError

T = TypeVar("T")

MAX_LENGTH = 2**30 - 1
_ONE_BYTE = tuple(value.to_bytes(1, "big") for value in range(0x40))


def uint8(value: int) -> bytes:
    """One byte; LocalError for a number that does not fit."""
    return _uint(value, 1)


def uint16(value: int) -> bytes:
    """Two bytes, big endian; LocalError for a number that does not fit."""
    return _uint(value, 2)


def uint32(value: int) -> bytes:
    """Four bytes, big endian; LocalError for a number that does not fit."""
    return _uint(value, 4)


def uint64(value: int) -> bytes:
    """Eight bytes, big endian; LocalError for a number that does not fit."""
    return _uint(value, 8)


def _uint(value: int, size: int) -> bytes:
    try:
        return value.to_bytes(size, "big")
    except OverflowError:
        raise LocalError(f"{value} does not fit into {size} bytes without a sign") from None


def vector_length(length: int) -> bytes:
    """The header of a variable-size vector of `length` bytes (RFC 9420 §2.1.2): 1, 2 or 4 bytes."""
    if length < 0x40:
        return _ONE_BYTE[length]
    if length < 0x4000:
        return (length | 0x4000).to_bytes(2, "big")
    if length <= MAX_LENGTH:
        return (length | 0x80000000).to_bytes(4, "big")
    raise LocalError(f"a vector of {length} bytes is too long to encode")


def opaque(data: bytes | bytearray) -> bytes:
    """`opaque data<V>`: the bytes behind their length."""
    return vector_length(len(data)) + data


def vector(encoded: Iterable[bytes]) -> bytes:
    """`T items<V>` from items already encoded."""
    return opaque(b"".join(encoded))


def optional(encoded: bytes | None) -> bytes:
    """`optional<T>`: a presence byte, then the value (RFC 9420 §2.1.1)."""
    return b"\x00" if encoded is None else b"\x01" + encoded


class Reader:
    """A cursor over bytes. Every method consumes, and raises `DecodeError` where it cannot."""

    __slots__ = ("_at", "_data", "_end")

    def __init__(self, data: bytes, start: int = 0, end: int | None = None) -> None:
        self._data = data
        self._at = start
        self._end = len(data) if end is None else end

    @property
    def remaining(self) -> int:
        """Bytes not yet read."""
        return self._end - self._at

    @property
    def position(self) -> int:
        """Offset of the next byte, for `since`."""
        return self._at

    def since(self, position: int) -> bytes:
        """The bytes read since `position`."""
        return self._data[position : self._at]

    def fixed(self, length: int) -> bytes:
        """Exactly `length` bytes."""
        start = self._at
        if length > self._end - start:
            raise DecodeError(f"{length} bytes wanted, {self._end - start} left")
        self._at = start + length
        return self._data[start : self._at]

    def uint8(self) -> int:
        at = self._at
        if at >= self._end:
            raise DecodeError("1 bytes wanted, 0 left")
        self._at = at + 1
        return self._data[at]

    def uint16(self) -> int:
        return int.from_bytes(self.fixed(2), "big")

    def uint32(self) -> int:
        return int.from_bytes(self.fixed(4), "big")

    def uint64(self) -> int:
        return int.from_bytes(self.fixed(8), "big")

    def vector_length(self) -> int:
        """The length in a vector's header, in its shortest form only (RFC 9420 §2.1.2)."""
        at = self._at
        if at >= self._end:
            raise DecodeError("a vector length wanted, nothing left")
        first = self._data[at]
        if first < 0x40:
            self._at = at + 1
            return first
        size = 1 << (first >> 6)
        if size == 8:
            raise DecodeError("invalid vector length prefix", rule="RFC 9420 §2.1.2")
        length = int.from_bytes(self.fixed(size), "big") & ((1 << (8 * size - 2)) - 1)
        if length < (0x40 if size == 2 else 0x4000):
            raise DecodeError("vector length not in its shortest form", rule="RFC 9420 §2.1.2")
        return length

    def opaque(self) -> bytes:
        """The content of an `opaque<V>`."""
        # Most of what is read is this, and short: without two calls for each.
        data, at, end = self._data, self._at, self._end
        if at < end:
            first = data[at]
            if first < 0x40:
                start, stop = at + 1, at + 1 + first
            elif first < 0x80 and at + 1 < end:
                length = (first & 0x3F) << 8 | data[at + 1]
                start, stop = at + 2, at + 2 + length if length >= 0x40 else end + 1
            else:
                return self.fixed(self.vector_length())
            if stop <= end:
                self._at = stop
                return data[start:stop]
        return self.fixed(self.vector_length())

    def vector(self, item: Callable[["Reader"], T]) -> tuple[T, ...]:
        """The items of a `T<V>`; `item` reads one, and must consume at least a byte."""
        length = self.vector_length()
        if length > self.remaining:
            raise DecodeError(f"a vector of {length} bytes wanted, {self.remaining} left")
        inner = Reader(self._data, self._at, self._at + length)
        items = []
        while inner._at < inner._end:
            items.append(item(inner))
        self._at += length
        return tuple(items)

    def optional(self, item: Callable[["Reader"], T]) -> T | None:
        """The value of an `optional<T>`, or None."""
        present = self.uint8()
        if present == 0:
            return None
        if present != 1:
            raise DecodeError("presence byte neither 0 nor 1", rule="RFC 9420 §2.1.1")
        return item(self)

    def finish(self) -> None:
        """Check that nothing is left."""
        if self.remaining:
            raise DecodeError(f"{self.remaining} bytes too many")


def decode_whole(data: bytes, item: Callable[[Reader], T]) -> T:
    """Read one `T` that fills `data` exactly."""
    reader = Reader(bytes(data))
    value = item(reader)
    reader.finish()
    return value
