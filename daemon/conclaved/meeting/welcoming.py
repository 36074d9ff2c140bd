"""What a member checks of a KeyPackage before it is put up for a commit, and whose a Welcome is."""

from conclaved.meeting.errors import RemoteError
from conclaved.mls import AcceptAny, CipherSuite, KeyPackage, MlsMessage
from conclaved.mls.crypto import crypto_for
from conclaved.mls.validation import Judge, check_key_package
from conclaved.mls.welcome import Welcome


def read_offer(data: bytes, suite: CipherSuite, wall: int) -> KeyPackage:
    """Parse and validate a KeyPackage (RFC 9420 §10.1). `wall` is seconds since 1970.

    One bad package would spoil the commit of all who wait, so it is looked at alone, here. Raises
    the MLS room's RemoteError.
    """
    key_package = KeyPackage.decode(data)
    check_key_package(Judge(crypto_for(suite), b"", AcceptAny(), wall), key_package)
    return key_package


def is_welcome_for(welcome: bytes, key_package: KeyPackage, suite: CipherSuite) -> bool:
    """Whether a Welcome (an MLSMessage) holds secrets for `key_package` (RFC 9420 §12.4.3.1).

    Raises RemoteError when the message is no Welcome, and the MLS room's when it is malformed.
    """
    content = MlsMessage.decode(welcome).content
    if not isinstance(content, Welcome):
        raise RemoteError("a message in a Welcome's place is none", rule="RFC 9420 §12.4.3.1")
    reference = key_package.reference(suite)
    return any(secret.new_member == reference for secret in content.secrets)
