"""When a CA wants a certificate renewed (RFC 9773): the certificate's identifier, and the CA's window."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from cryptography import x509

from conclave_provisioning.enrollment.account_key import encode
from conclave_provisioning.enrollment.errors import BadResponseError, printable


@dataclass(frozen=True, slots=True)
class RenewalInfo:
    """A CA's suggestion (RFC 9773 §4.2). Times are Unix seconds."""

    start: float
    """The window's begin."""
    end: float
    """The window's end, after its begin."""
    explanation_url: str
    """Why, for people; may be empty."""
    retry_after_s: float | None
    """When to ask again, if the CA says so."""


def certificate_id(leaf: x509.Certificate) -> str | None:
    """The identifier of a certificate (RFC 9773 §4.1); None if it does not name its issuer's key."""
    try:
        issuer = leaf.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier
    except (x509.ExtensionNotFound, x509.DuplicateExtension, ValueError):
        return None
    if issuer is None:
        return None
    # The content octets of the DER integer: a leading zero where the first bit is set.
    serial = leaf.serial_number.to_bytes(leaf.serial_number.bit_length() // 8 + 1, "big")
    return f"{encode(issuer)}.{encode(serial)}"


def read_renewal_info(document: Any, retry_after_s: float | None) -> RenewalInfo:
    """From JSON. Raises `BadResponseError`, or what reading something of another shape raises."""
    window, url = document["suggestedWindow"], document.get("explanationURL")
    start, end = (_seconds(window[name]) for name in ("start", "end"))
    if end <= start:
        raise BadResponseError("the CA's window for renewal ends before it begins")
    explanation = printable(url) if isinstance(url, str) and url.startswith(("https://", "http://")) else ""
    return RenewalInfo(start, end, explanation, retry_after_s)


def _seconds(text: str) -> float:
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).timestamp()
