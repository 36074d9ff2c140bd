"""The enrollment that was asked for and has neither succeeded nor been refused: it is taken up by itself.

A power cut in the middle, a network that is not there yet and a CA that has trouble cost nobody a second
command. What the CA or the device itself refused is not asked again: that is for whoever asked to mend.
"""

import contextlib
import json
from dataclasses import asdict
from pathlib import Path

from conclave_provisioning.enrollment.errors import (
    BadNonceError,
    CaTroubleError,
    ClockError,
    EnrollmentError,
    EnrollmentTimeoutError,
    NotReadyError,
    RateLimitedError,
    StateError,
    UnreachableError,
)
from conclaved.bus.room import EnrollmentRequest
from conclaved.identity.atomic_file import write_atomically

MAX_BYTES = 16 * 1024
_MAY_PASS = (
    *(UnreachableError, EnrollmentTimeoutError, RateLimitedError, CaTroubleError, BadNonceError),
    *(NotReadyError, ClockError, StateError),
)


def may_pass(error: EnrollmentError) -> bool:
    """Whether the same request may succeed later, with nobody doing anything about it."""
    return isinstance(error, _MAY_PASS)


class WaitingRequest:
    """At most one request, in a file of the state directory. Single owner."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.request = self._load()
        """None: nothing waits."""

    def put(self, request: EnrollmentRequest) -> None:
        """In the place of what waited before. Raises OSError; then nothing has changed."""
        if request != self.request:
            write_atomically(self._path, json.dumps(asdict(request)).encode(), mode=0o600)
            self.request = request

    def drop(self) -> None:
        """Nothing waits any more. A file that cannot be removed is one more attempt after a restart."""
        self.request = None
        with contextlib.suppress(OSError):
            self._path.unlink(missing_ok=True)

    def _load(self) -> EnrollmentRequest | None:
        """A damaged file is none: an admin can ask again."""
        try:
            values = json.loads(self._path.read_bytes()[:MAX_BYTES])
            request = EnrollmentRequest(**values)
        except (OSError, ValueError, TypeError, RecursionError):
            return None
        texts = (request.domain, request.directory_url, request.challenge)
        flags = (request.is_new_key, request.is_provider)
        is_right = all(isinstance(t, str) for t in texts) and all(isinstance(f, bool) for f in flags)
        return request if is_right else None
