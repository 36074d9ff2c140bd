"""The running hashes over all Commits of a group (RFC 9420 §8.2)."""

from conclaved.mls.codec import opaque, uint16
from conclaved.mls.crypto import Crypto
from conclaved.mls.errors import RemoteError
from conclaved.mls.framing import AuthenticatedContent
from conclaved.mls.kem import Secret


def confirmed_transcript_hash(crypto: Crypto, interim: bytes, commit: AuthenticatedContent) -> bytes:
    """The confirmed hash after `commit`, given the interim hash before it."""
    covered = uint16(commit.wire_format) + commit.content.encode() + opaque(commit.signature)
    return crypto.hash(interim + covered)


def interim_transcript_hash(crypto: Crypto, confirmed: bytes, confirmation_tag: bytes) -> bytes:
    """The interim hash that goes with a confirmed hash and the tag of the same Commit."""
    return crypto.hash(confirmed + opaque(confirmation_tag))


def confirmation_tag(crypto: Crypto, confirmation_key: Secret, confirmed: bytes) -> bytes:
    """The tag by which the members agree on an epoch (RFC 9420 §6.1)."""
    return crypto.mac(confirmation_key, confirmed)


def check_confirmation_tag(
    crypto: Crypto, confirmation_key: Secret, confirmed: bytes, tag: bytes | None
) -> None:
    """RemoteError unless `tag` is the epoch's confirmation tag."""
    if tag is None or not crypto.mac_equal(confirmation_tag(crypto, confirmation_key, confirmed), tag):
        raise RemoteError("wrong confirmation tag", rule="RFC 9420 §12.4.2")
