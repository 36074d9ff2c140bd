"""The CA certificates in a file, as far as an admin has to see whom the room is about to believe."""

import re
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import BinaryIO

from conclave_provisioning.cli.errors import CommandError, ErrorKind

# What the room takes, too.
MAX_PEM_BYTES = 1024 * 1024
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_DOMAIN = re.compile(rf"(?:{_LABEL}\.)+(?!\d+$){_LABEL}", re.IGNORECASE)
_MAX_DOMAIN = 253


@dataclass(frozen=True, slots=True)
class Certificate:
    """One certificate."""

    subject: str
    """Its name (RFC 4514)."""
    not_after: int
    """Seconds since 1970."""


def read_pem(file: BinaryIO) -> tuple[str, tuple[Certificate, ...]]:
    """Return the PEM text in `file` and its certificates, at least one. Raises CommandError."""
    content = file.read(MAX_PEM_BYTES + 1)
    if len(content) > MAX_PEM_BYTES:
        raise CommandError(
            ErrorKind.INVALID_ARGUMENT,
            f"{file.name} is longer than {MAX_PEM_BYTES // 1024} KiB",
            hint="give the CA's certificate alone",
        )
    if not content.strip():
        raise CommandError(
            ErrorKind.INVALID_ARGUMENT,
            f"{file.name} is empty",
            hint="give the CA's certificate, PEM; over SSH: ssh DEVICE ... - < FILE",
        )
    if b"PRIVATE KEY-----" in content:
        raise CommandError(
            ErrorKind.INVALID_ARGUMENT,
            f"{file.name} holds a private key",
            hint="give certificates only; a CA's key never leaves the CA",
        )
    # The library is large: help and other commands come without it.
    from cryptography import x509

    try:
        pem = content.decode()
        found = x509.load_pem_x509_certificates(content)
    except (ValueError, x509.InvalidVersion) as error:
        raise CommandError(
            ErrorKind.INVALID_ARGUMENT,
            f"{file.name} holds no readable PEM certificate",
            hint="convert it: openssl x509 -inform der -in FILE -out FILE.pem",
        ) from error
    return pem, tuple(
        Certificate(c.subject.rfc4514_string() or "without a name", int(c.not_valid_after_utc.timestamp()))
        for c in found
    )


def check_domains(domains: tuple[str, ...], *, option: str = "--domain ") -> None:
    """Raise CommandError, which names it and the option that had it, for the first that is no domain."""
    for domain in domains:
        if len(domain) > _MAX_DOMAIN or not _DOMAIN.fullmatch(domain):
            raise CommandError(
                ErrorKind.INVALID_ARGUMENT,
                f"{option}{domain!r} is not a domain",
                hint="give it like example.com, without wildcard, in its xn-- form if it is not ASCII",
            )


def ends(not_after: int) -> str:
    """When a certificate ends or ended, as a day."""
    return f"until {day(not_after)}" if not_after > time.time() else f"ended {day(not_after)}"


def day(seconds: int) -> str:
    """The day (UTC) of a time in seconds since 1970."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d")


def domain_words(domains: tuple[str, ...]) -> str:
    """What an anchor may vouch for."""
    return ", ".join(domains) or "any domain"
