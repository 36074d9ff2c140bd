"""Fetches one file from a server that is known by its key.

The key is pinned and everything else about the server's certificate is not looked at: names and dates need a
clock and roots, which a device at its first boot may not have, and say less than the key does.
"""

import hashlib
import http.client
import ssl
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from conclaved.service.deadline import hanging_up
from conclaved.service.provisioning.errors import ProvisioningError, ProvisioningErrorKind
from conclaved.service.provisioning.provisioning_file import MAX_BYTES

DEADLINE_S = 30.0
"""For the connection, and for each piece of the answer."""
WHOLE_WITHIN_S = 120.0
"""For all of it."""


def fetch(url: str, server_key: str) -> str:
    """Return the text at an https address; blocks. Raises ProvisioningError(UNREACHABLE).

    `server_key` is the SHA-256 of the server's public key. Redirections are not followed: another server
    would have another key.
    """
    parts = urlsplit(url)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    connection = http.client.HTTPSConnection(
        parts.hostname or "", parts.port, timeout=DEADLINE_S, context=context
    )
    try:
        with hanging_up(connection, WHOLE_WITHIN_S):
            return _answer(connection, url, server_key)
    except (OSError, http.client.HTTPException) as error:
        raise _unreachable(f"{parts.hostname} cannot be reached: {error}", "check the network") from error


def _answer(connection: http.client.HTTPSConnection, url: str, server_key: str) -> str:
    parts = urlsplit(url)
    connection.connect()
    if not isinstance(connection.sock, ssl.SSLSocket) or _key_of(connection.sock) != server_key:
        raise _unreachable(
            f"{parts.hostname} has another key than the pinned one",
            "check [provisioning] server_key, or the network in between",
        )
    # Not a byte is said before the server is known: the address tells which device asks.
    target = parts.path or "/"
    connection.request("GET", f"{target}?{parts.query}" if parts.query else target)
    answer = connection.getresponse()
    if answer.status != http.client.OK:
        raise _unreachable(f"{parts.hostname} answers {answer.status}", "is there a file for this device?")
    content = answer.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise _unreachable(f"{parts.hostname} sends more than a provisioning file", "check the address")
    return content.decode("ascii", "replace").strip()


def _key_of(sock: ssl.SSLSocket) -> str:
    try:
        certificate = x509.load_der_x509_certificate(sock.getpeercert(binary_form=True) or b"")
        key = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    except ValueError:
        return ""
    return hashlib.sha256(key).hexdigest()


def _unreachable(message: str, hint: str) -> ProvisioningError:
    return ProvisioningError(ProvisioningErrorKind.UNREACHABLE, message, hint=hint)
