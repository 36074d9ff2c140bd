"""Pre-shared keys and the secret derived from a list of them (RFC 9420 §8.4)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum

from conclaved.mls.codec import Reader, opaque, uint8, uint16, uint64
from conclaved.mls.crypto import CipherSuite, Crypto, crypto_for
from conclaved.mls.errors import DecodeError, MissingPsk, RemoteError
from conclaved.mls.kem import Secret

MAX_PSKS = 0xFFFF
"""Of one Commit: each is numbered by two bytes."""


class PskType(IntEnum):
    EXTERNAL = 1
    RESUMPTION = 2


class ResumptionPskUsage(IntEnum):
    APPLICATION = 1
    REINIT = 2
    BRANCH = 3


@dataclass(frozen=True, slots=True)
class PreSharedKeyID:
    """Which PSK, with a nonce that is fresh each time it is injected (`KDF.Nh` bytes)."""

    psk_type: PskType
    psk_id: bytes
    """Of an external PSK."""
    usage: ResumptionPskUsage | None
    group_id: bytes
    epoch: int
    """Usage, group and epoch of a resumption PSK."""
    nonce: bytes

    @classmethod
    def external(cls, suite: CipherSuite, psk_id: bytes) -> "PreSharedKeyID":
        """An external PSK with a fresh nonce."""
        crypto = crypto_for(suite)
        return cls(PskType.EXTERNAL, psk_id, None, b"", 0, crypto.random(crypto.hash_size))

    @classmethod
    def resumption(cls, suite: CipherSuite, group_id: bytes, epoch: int) -> "PreSharedKeyID":
        """The resumption PSK of a group's epoch, usage application, with a fresh nonce."""
        crypto = crypto_for(suite)
        nonce = crypto.random(crypto.hash_size)
        return cls(PskType.RESUMPTION, b"", ResumptionPskUsage.APPLICATION, group_id, epoch, nonce)

    @property
    def key(self) -> bytes:
        """What the PSK is looked up by: `psk_id`, or `resumption_psk_key` of group and epoch."""
        if self.psk_type is PskType.EXTERNAL:
            return self.psk_id
        return resumption_psk_key(self.group_id, self.epoch)

    def encode(self) -> bytes:
        if self.psk_type is PskType.EXTERNAL:
            which = opaque(self.psk_id)
        else:
            which = uint8(self.usage or 0) + opaque(self.group_id) + uint64(self.epoch)
        return uint8(self.psk_type) + which + opaque(self.nonce)

    @classmethod
    def read(cls, reader: Reader) -> "PreSharedKeyID":
        try:
            psk_type = PskType(reader.uint8())
            if psk_type is PskType.EXTERNAL:
                return cls(psk_type, reader.opaque(), None, b"", 0, reader.opaque())
            usage = ResumptionPskUsage(reader.uint8())
        except ValueError:
            raise DecodeError("unknown PSK type or usage", rule="RFC 9420 §8.4") from None
        return cls(psk_type, b"", usage, reader.opaque(), reader.uint64(), reader.opaque())


_RESUMPTION = b"resumption"


def resumption_psk_key(group_id: bytes, epoch: int) -> bytes:
    """The key under which a mapping of PSKs holds the resumption PSK of a group's epoch."""
    return _RESUMPTION + opaque(group_id) + uint64(epoch)


def _is_resumption_psk_key(key: bytes) -> bool:
    reader = Reader(key.removeprefix(_RESUMPTION))
    try:
        return resumption_psk_key(reader.opaque(), reader.uint64()) == key
    except DecodeError:
        return False


def _described(psk: PreSharedKeyID) -> str:
    if psk.psk_type is PskType.EXTERNAL:
        return f"external PSK {psk.psk_id.hex()[:32]}"
    group = f"resumption PSK of group {psk.group_id.hex()[:16]}, epoch {psk.epoch}"
    return group if psk.usage is ResumptionPskUsage.APPLICATION else f"{group} (see `continues`)"


def look_up(ids: Iterable[PreSharedKeyID], psks: Mapping[bytes, bytes]) -> list[tuple[PreSharedKeyID, bytes]]:
    """Each id with its PSK; MissingPsk if one is not there (RFC 9420 §12.4.2).

    An external PSK whose id is the key of a resumption PSK is not there: a group's secret would go by a name
    that a peer has made up.
    """
    found = []
    for each in ids:
        is_mistaken = each.psk_type is PskType.EXTERNAL and _is_resumption_psk_key(each.key)
        if is_mistaken or each.key not in psks:
            raise MissingPsk(f"not handed in: {_described(each)}", key=each.key, rule="RFC 9420 §12.4.2")
        found.append((each, psks[each.key]))
    return found


def psk_secret(crypto: Crypto, psks: Sequence[tuple[PreSharedKeyID, Secret]]) -> bytes:
    """The chain over all PSKs in their order; `KDF.Nh` zero bytes for none. RemoteError for 65,536."""
    if len(psks) > MAX_PSKS:
        raise RemoteError("more PSKs than can be numbered", rule="RFC 9420 §8.4")
    secret = crypto.zero
    for index, (identifier, psk) in enumerate(psks):
        extracted = crypto.extract(crypto.zero, psk)
        label = identifier.encode() + uint16(index) + uint16(len(psks))
        psk_input = crypto.expand_with_label(extracted, "derived psk", label, crypto.hash_size)
        secret = crypto.extract(psk_input, secret)
    return secret
