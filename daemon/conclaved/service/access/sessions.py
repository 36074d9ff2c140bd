"""SSH sessions that are over although they are open: their key, or its authority, was taken away.

sshd asks for a key when a session begins and never again, and over one connection a client begins as many
sessions as it likes. So whoever lost their access could give it back to themselves for as long as they stay
connected. The restricted shell says by which key its admin came (`Device.Introduce`); it is our own program,
and runs nothing that an admin could change.
"""

import re

from conclaved.service.access.access_config import AccessConfig
from conclaved.service.access.ssh_key import parse_keys

# The name of a certificate, which its authority chose, stands before: what counts is at the end.
_ORIGIN = re.compile(r"ssh .*?(?: of CA (?P<authority>SHA256:\S+))? key (?P<key>SHA256:\S+)")


class EndedSessions:
    """What was taken away since the daemon began, or by the last change before. One event loop owns it."""

    def __init__(self) -> None:
        self._keys: frozenset[str] = frozenset()
        self._authorities: frozenset[str] = frozenset()

    def changed(self, before: AccessConfig, after: AccessConfig) -> None:
        """Access is another now: what is gone lets nobody go on, what is back does."""
        self._keys = (self._keys | _fingerprints(before.keys)) - _fingerprints(after.keys)
        self._authorities = (self._authorities | _fingerprints(before.authorities)) - _fingerprints(
            after.authorities
        )

    def includes(self, origin: str) -> bool:
        """Whether a session that says this of itself is over: "ssh USER from ADDRESS key FINGERPRINT"."""
        found = _ORIGIN.fullmatch(origin)
        if found is None:
            return False
        authority = found["authority"]
        return found["key"] in self._keys if authority is None else authority in self._authorities


def _fingerprints(lines: tuple[str, ...]) -> frozenset[str]:
    return frozenset(key.fingerprint for key in parse_keys(lines))
