"""What a member looks at before it opens a message: a KeyPackage's fitness, whose a Welcome is."""

from conclaved.meeting.errors import RemoteError
from conclaved.mls import AcceptAny, CipherSuite, ContentType, KeyPackage, MlsError, MlsMessage
from conclaved.mls.crypto import crypto_for
from conclaved.mls.framing import PrivateMessage
from conclaved.mls.validation import Judge, check_key_package
from conclaved.mls.welcome import Welcome

CLOCK_SLACK_S = 3600
"""A KeyPackage's lifetime begins so long before it was made: clocks differ."""
OFFER_LIFETIME_S = 600
"""How old an offer may be. Its owner makes a new one long before that."""


def made_at(key_package: KeyPackage) -> int:
    """When an honest one was made, by its owner's clock (seconds since 1970); 0 if it does not say."""
    lifetime = key_package.leaf_node.lifetime
    return 0 if lifetime is None else lifetime.not_before + CLOCK_SLACK_S


def check_offer(key_package: KeyPackage, suite: CipherSuite, wall: int) -> None:
    """Validate a KeyPackage that was offered (RFC 9420 §10.1). `wall` is seconds since 1970.

    One bad package would spoil the commit of all who wait, so it is looked at alone, here. An old
    one is refused: the service could keep it, and throw its owner out with it later (a key that
    is in the group already counts as one that lost its state). Raises RemoteError, the MLS
    room's or the meeting's.
    """
    if abs(wall - made_at(key_package)) > OFFER_LIFETIME_S:
        raise RemoteError(
            "an offer is more than ten minutes old: the service repeats it, or a clock is wrong",
            rule="DESIGN §4 Rejoin",
        )
    check_key_package(Judge(crypto_for(suite), b"", AcceptAny(), wall), key_package)


def origin_of_live(data: bytes) -> tuple[bytes, int]:
    """The group id and epoch of a live message, a PrivateMessage with application data (RFC 9420 §6.3).

    Raises RemoteError for anything else, and the MLS room's when it is malformed.
    """
    content = MlsMessage.decode(data).content
    if not isinstance(content, PrivateMessage) or content.content_type is not ContentType.APPLICATION:
        # Opened outside the log, a commit's key would be gone when the log brings the commit.
        raise RemoteError("a handshake message outside the log", rule="DESIGN §4 Meeting")
    return content.group_id, content.epoch


def is_founding_commit(data: bytes) -> bool:
    """Whether an entry of the log looks like a group's first commit (RFC 9420 §11); anybody can forge one."""
    try:
        content = MlsMessage.decode(data).content
    except MlsError:
        return False
    if not isinstance(content, PrivateMessage):
        return False
    return content.epoch == 0 and content.content_type is ContentType.COMMIT


def is_welcome_for(welcome: bytes, key_package: KeyPackage, suite: CipherSuite) -> bool:
    """Whether a Welcome (an MLSMessage) holds secrets for `key_package` (RFC 9420 §12.4.3.1).

    Raises RemoteError when the message is no Welcome, and the MLS room's when it is malformed.
    """
    content = MlsMessage.decode(welcome).content
    if not isinstance(content, Welcome):
        raise RemoteError("a message in a Welcome's place is none", rule="RFC 9420 §12.4.3.1")
    reference = key_package.reference(suite)
    return any(secret.new_member == reference for secret in content.secrets)
