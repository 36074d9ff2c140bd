"""How the certificate in force came to be: who renews it, and whether anybody can.

One small file beside the keys. It names the certificate that it is about: one that came some other way since
is not renewed by a CA that knows nothing of it.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from conclaved.identity.atomic_file import write_atomically

MAX_BYTES = 16 * 1024


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a certificate is from."""

    certificate: str = ""
    """SHA-256 of the leaf, hex."""
    method: str = ""
    """`acme`, `provider`, `csr` or `import`; empty: not known."""
    directory_url: str = ""
    """The ACME directory, where there was one."""
    challenge: str = ""
    """How the CA looked at the domain then."""


class OriginFile:
    """The file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def load(self) -> Origin:
        """What is known; an empty one where the file is missing or damaged."""
        try:
            values = json.loads(self._path.read_bytes()[:MAX_BYTES])
            return Origin(**{name: str(values[name]) for name in asdict(Origin())})
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return Origin()

    def save(self, origin: Origin) -> None:
        """Replaces the file. Raises OSError."""
        write_atomically(self._path, json.dumps(asdict(origin)).encode(), mode=0o600)
