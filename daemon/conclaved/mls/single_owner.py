"""Secrets that have one owner: not copied, not pickled, and not taken along into a forked process.

A copy of a sending state would use its keys a second time, with another message and the same nonce. So a
process that forks keeps its secrets, and in the child they are overwritten before anything else runs:
whatever needs them there raises GoneError. A fork that Python does not see (from C) is noticed by the
process id at the next use of an epoch.
"""

import os
from abc import abstractmethod
from weakref import WeakSet

from conclaved.mls.errors import GoneError


class NotCopied:
    """What holds a secret: copying and pickling it raise TypeError."""

    __slots__ = ()

    def __reduce__(self) -> str:
        raise TypeError("secrets are not copied or pickled")


class SingleOwner(NotCopied):
    """Holder of secrets that belong to the process that made it."""

    __slots__ = ("__weakref__", "_process")

    def __init__(self) -> None:
        self._process = os.getpid()
        _OWNERS.add(self)

    @abstractmethod
    def close(self) -> None:
        """Drop every secret; idempotent."""

    def check_own_process(self) -> None:
        """GoneError in any other process than the one that made this."""
        if os.getpid() != self._process:
            raise GoneError("the secrets belong to another process, which this one was forked from")


_OWNERS: WeakSet[SingleOwner] = WeakSet()


def _close_all() -> None:
    for owner in list(_OWNERS):
        owner.close()


os.register_at_fork(after_in_child=_close_all)
