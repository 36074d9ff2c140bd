"""Who may read the room's state, and who may change it (DESIGN §4, D-Bus)."""

import grp
import os
from dataclasses import dataclass
from typing import Self

from conclaved.bus.connection import Caller

ROOT = 0
READERS = "conclave"
WRITERS = "conclave-admin"


@dataclass(frozen=True, slots=True)
class Permissions:
    """Users and groups by number. Who may write may read."""

    reader_uids: frozenset[int] = frozenset()
    reader_gids: frozenset[int] = frozenset()
    writer_uids: frozenset[int] = frozenset()
    writer_gids: frozenset[int] = frozenset()

    @classmethod
    def of_system(cls) -> Self:
        """Root and the daemon's own user, and the groups `conclave` and `conclave-admin` where they exist."""
        return cls(
            reader_gids=_group(READERS),
            writer_uids=frozenset({ROOT, os.getuid()}),
            writer_gids=_group(WRITERS),
        )

    def may_write(self, caller: Caller) -> bool:
        """Whether the caller may use methods that change something."""
        return caller.uid in self.writer_uids or not self.writer_gids.isdisjoint(caller.gids)

    def may_read(self, caller: Caller) -> bool:
        """Whether the caller may see the roster, the code and all the rest."""
        return (
            self.may_write(caller)
            or caller.uid in self.reader_uids
            or not self.reader_gids.isdisjoint(caller.gids)
        )


def _group(name: str) -> frozenset[int]:
    try:
        return frozenset({grp.getgrnam(name).gr_gid})
    except KeyError:
        return frozenset()
