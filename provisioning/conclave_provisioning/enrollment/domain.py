"""Which domains a room may ask a certificate for.

Checked here and not left to the CA: some accept `localhost`, wildcards and labels of 64 octets, and each
failed order counts against the CA's rate limits.
"""

import ipaddress
import re

from conclave_provisioning.enrollment.errors import BadDomainError

_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_MAX_CHARACTERS = 253
_NEVER_PUBLIC = ("localhost", "local", "internal", "invalid", "onion")


def check_domain(text: str) -> str:
    """The domain in lower case, as it will stand in the certificate. Raises `BadDomainError`.

    Wants A-labels (`xn--...`): a name that looks like another one must be visible as such.
    """
    domain = text.strip().lower()
    if not domain.isascii():
        raise BadDomainError(
            "the domain has letters beyond ASCII", hint="give it in its A-label form, beginning with xn--"
        )
    if domain.startswith("*"):
        raise BadDomainError("a wildcard names no room", hint="give the room a domain of its own")
    if domain.endswith("."):
        raise BadDomainError("the domain ends in a dot", hint="leave the dot away")
    if _is_ip_address(domain):
        raise BadDomainError("an IP address is not a domain", hint="give the room a domain of its own")
    labels = domain.split(".")
    if len(labels) < 2 or len(domain) > _MAX_CHARACTERS:
        raise BadDomainError(
            "a domain has at least two labels and at most 253 characters", hint="for example room.example.com"
        )
    if not all(_LABEL.fullmatch(label) for label in labels) or labels[-1].isdigit():
        raise BadDomainError(
            "a domain's labels have letters, digits and inner hyphens, and at most 63 of them",
            hint="for example room-12.example.com",
        )
    if labels[-1] in _NEVER_PUBLIC:
        raise BadDomainError(
            f"no CA can check a domain under .{labels[-1]}", hint="use a domain that is in the public DNS"
        )
    return domain


def _is_ip_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text.strip("[]"))
    except ValueError:
        return False
    return True
