"""What the API needs from the service about its firmware: which one runs, and how a new one comes."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class UpdateStatus:
    """The firmware that runs, and an update that comes."""

    state: str = "idle"
    """`idle`, `receiving`, `checking`, `installing`, `installed` (it runs after a restart) or `failed`."""
    percent: int = 0
    """Of an installation."""
    step: str = ""
    """What is done now, in words."""
    received: int = 0
    """Bytes of a bundle that have come."""
    bundle_version: str = ""
    """Of the update that comes, or came last; empty while nobody vouches for it."""
    error: str = ""
    error_kind: str = ""
    """Why an update failed: `not_genuine`, `damaged`, `wrong_device`, `too_old` or `failed`."""
    hint: str = ""
    version: str = ""
    """Of the firmware that runs; empty: not known."""
    slot: str = ""
    """`A` or `B`; empty where there are none."""
    is_confirmed: bool = False
    """Whether this start was found to be well: until then another start may be of the other slot."""
    next_version: str = ""
    """Of the update that runs after a restart; empty if none waits for it."""
    fell_back_from: str = ""
    """The version of an update that was given up at its start; empty if none was."""


class UpdateVerbs(Protocol):
    """How a new firmware comes. All but `status` raise RoomError."""

    def status(self) -> UpdateStatus:
        """How it stands."""

    async def begin(self, size: int) -> str:
        """Make ready for a bundle of `size` bytes (0: not known); names the upload. BUSY while one runs."""

    async def send(self, upload: str, offset: int, data: bytes) -> None:
        """The next bytes of the bundle."""

    async def install(self, upload: str) -> None:
        """Have the whole bundle checked and installed; `status` tells how far it is."""

    async def abandon(self, upload: str) -> None:
        """Forget what came."""
