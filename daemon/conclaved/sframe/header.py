"""The SFrame header (RFC 9605 §4.3): a config byte, then KID and CTR where they need bytes.

     0 1 2 3 4 5 6 7
    |X|  K  |Y|  C  |   KID...   |   CTR...   |

Every pair of numbers has exactly one encoding. A receiver refuses the others: a header is
part of what is authenticated, and two encodings of one counter would be two nonces' worth of doubt.
"""

from dataclasses import dataclass

from conclaved.sframe.errors import MalformedError, SframeUsageError

MAX_VALUE = (1 << 64) - 1
"""Largest KID or CTR."""
MAX_HEADER_BYTES = 17


@dataclass(frozen=True, slots=True)
class Header:
    """A decoded header."""

    kid: int
    """0..2^64-1: which key."""
    ctr: int
    """0..2^64-1: which nonce of that key."""

    def encode(self) -> bytes:
        """1 to 17 bytes. Raises SframeUsageError when a value is out of range (RFC 9605 §4.3)."""
        return encode(self.kid, self.ctr)


def encode(kid: int, ctr: int) -> bytes:
    """The header of these two numbers; see `Header.encode`."""
    if not (0 <= kid <= MAX_VALUE and 0 <= ctr <= MAX_VALUE):
        raise SframeUsageError("KID and CTR are unsigned 64-bit numbers")
    config = 0
    tail = b""
    if kid < 8:
        config |= kid << 4
    else:
        size = (kid.bit_length() + 7) // 8
        config |= 0x80 | (size - 1) << 4
        tail = kid.to_bytes(size, "big")
    if ctr < 8:
        config |= ctr
    else:
        size = (ctr.bit_length() + 7) // 8
        config |= 0x08 | (size - 1)
        tail += ctr.to_bytes(size, "big")
    return bytes((config,)) + tail


def decode(data: bytes) -> tuple[Header, int]:
    """The header at the start of `data` and its length in bytes (1..17), RFC 9605 §4.3.

    Raises MalformedError when it is cut short or not encoded in the fewest bytes.
    """
    kid, ctr, size = parse(data)
    return Header(kid, ctr), size


def parse(data: bytes) -> tuple[int, int, int]:
    """KID, CTR and length in bytes of the header at the start of `data`; see `decode`."""
    if not data:
        raise MalformedError("an empty frame has no SFrame header")
    config = data[0]
    kid, at = _field(data, 1, config >> 4)
    ctr, at = _field(data, at, config & 0x0F)
    return kid, ctr, at


def _field(data: bytes, at: int, nibble: int) -> tuple[int, int]:
    """The value that `nibble` (flag bit and three more) announces, and where the next one starts."""
    if nibble < 8:
        return nibble, at
    end = at + (nibble & 7) + 1
    if len(data) < end:
        raise MalformedError("SFrame header is cut short")
    value = int.from_bytes(data[at:end], "big")
    if value < 8 or data[at] == 0:
        raise MalformedError("SFrame header is not encoded in the fewest bytes")
    return value, end
