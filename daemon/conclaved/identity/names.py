"""The names a certificate can give: one domain or one mail address, in one spelling.

Prevents: two spellings of one name that compare as different, and names that people read as something else
(wildcards, IP addresses in the form of a domain, Unicode look-alikes: only A-labels are compared and shown).
"""

import ipaddress
import re
from enum import Enum

from conclaved.identity.errors import NameFormatError

_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_LOCAL_PART = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
MAX_DOMAIN_CHARACTERS = 253
MAX_LOCAL_PART_CHARACTERS = 64


class NameType(Enum):
    """What kind of name the SAN gives (RFC 5280 §4.2.1.6)."""

    DNS = "dns"
    """A dNSName: a room."""
    EMAIL = "email"
    """An rfc822Name: a person."""


def canonical_domain(text: str) -> str:
    """A host name in lower case A-labels: at least two labels, no wildcard, no trailing dot, no IP address.

    Raises `NameFormatError`, which quotes no more than the length: ``text`` may be a stranger's.
    """
    domain = text.lower() if text.isascii() else ""
    labels = domain.split(".")
    if not 3 <= len(domain) <= MAX_DOMAIN_CHARACTERS or len(labels) < 2:
        raise NameFormatError("a domain has at least two labels of ASCII and at most 253 characters")
    if not all(_LABEL.fullmatch(label) for label in labels):
        raise NameFormatError("a domain's labels have letters, digits and inner hyphens only")
    if labels[-1].isdigit() or _is_ip_address(domain):
        raise NameFormatError("an IP address is not a domain")
    return domain


def canonical_email(text: str) -> str:
    """A mail address with its domain in lower case A-labels. The local part is kept as it is (RFC 5321 §2.4).

    Raises `NameFormatError`.
    """
    local_part, at, domain = text.rpartition("@")
    if not at or len(local_part) > MAX_LOCAL_PART_CHARACTERS or not _LOCAL_PART.fullmatch(local_part):
        raise NameFormatError("a mail address has a plain local part, one @ and a domain")
    return f"{local_part}@{canonical_domain(domain)}"


def canonical_name(text: str) -> tuple[NameType, str]:
    """A domain or a mail address, told apart by the @, in its one spelling. Raises `NameFormatError`."""
    if "@" in text:
        return NameType.EMAIL, canonical_email(text)
    return NameType.DNS, canonical_domain(text)


def is_within(name: str, domain: str) -> bool:
    """Whether a canonical domain or mail address lies in ``domain`` or below it, label by label."""
    host = name.rpartition("@")[2]
    return host == domain or host.endswith("." + domain)


def _is_ip_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
