"""The `[access]` table: who may log in, as settings know it."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from conclaved.service.access.ssh_key import parse_keys

DEFAULT_PRINCIPAL = "room-admin"
MOST_PRINCIPALS = 100
_PRINCIPAL = re.compile(r"[A-Za-z0-9@._:+/-]{1,128}")


@dataclass(frozen=True, slots=True)
class AccessConfig:
    """Lines as sshd reads them, in their one spelling."""

    keys: tuple[str, ...] = ()
    """Public keys that may log in."""
    authorities: tuple[str, ...] = ()
    """Public keys of authorities whose user certificates may."""
    principals: tuple[str, ...] = (DEFAULT_PRINCIPAL,)
    """One of these must be in the certificate."""

    @property
    def lets_anybody_in(self) -> bool:
        """Whether there is a way in, as far as this device can know."""
        return bool(self.keys) or bool(self.authorities and self.principals)


def key_lines(lines: Iterable[str]) -> tuple[str, ...]:
    """Return keys in their one spelling. Raises SshKeyError, a ValueError."""
    return tuple(key.line for key in parse_keys(lines))


def principal_names(names: Iterable[str]) -> tuple[str, ...]:
    """Return principals without repetition. Raises ValueError.

    A line of the file may carry options before the name (sshd(8)): a blank or a quote never gets there.
    """
    found = tuple(dict.fromkeys(names))
    if len(found) > MOST_PRINCIPALS:
        raise ValueError(f"more than {MOST_PRINCIPALS} principals")
    for name in found:
        if not _PRINCIPAL.fullmatch(name):
            raise ValueError(f"{name[:40]!r} cannot be a principal")
    return found
