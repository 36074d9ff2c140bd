"""The software mutes of camera and microphone, and who changed either mute last.

Whoever is outside the room can mute and not unmute: `unmute` takes a `Hand`, and there is none outside.
What the hardware mutes is not here: nobody but a hand on the switch changes that, and it is only noted.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum


class Hand(Enum):
    """What people in the room press; the value is said to people."""

    PANEL = "the panel"
    BUTTON = "a button"


class Outside(Enum):
    """Who may mute, and not unmute."""

    ADMIN = "an admin"
    CONTROLLER = "the room controller"
    MEETING = "a meeting's beginning or end"


class Switch(Enum):
    """What people move by hand in front of a lens, or in a microphone's line."""

    SHUTTER = "the shutter"
    MUTE_SWITCH = "the mute switch"


@dataclass(frozen=True, slots=True)
class Mute:
    """One software mute, and the last change of it or of the switch beside it."""

    is_muted: bool = False
    changed_at: int = 0
    """Seconds since 1970; 0 for never since the daemon started."""
    changed_by: str = ""


class Mutes:
    """Owned by the room's event loop."""

    def __init__(self, wall: Callable[[], float] = time.time) -> None:
        """`wall` gives seconds since 1970."""
        self._wall = wall
        self.camera = Mute()
        self.microphone = Mute()

    def __repr__(self) -> str:
        return f"Mutes(camera={self.camera.is_muted}, microphone={self.microphone.is_muted})"

    def mute(self, by: Hand | Outside, *, camera: bool = False, microphone: bool = False) -> None:
        """Mute what is True; what is False stays as it is."""
        self._set(True, by, camera, microphone)

    def unmute(self, by: Hand, *, camera: bool = False, microphone: bool = False) -> None:
        """Unmute what is True, by a hand in the room. Raises TypeError for anybody else."""
        if not isinstance(by, Hand):
            raise TypeError("only a hand in the room unmutes")
        self._set(False, by, camera, microphone)

    def switched(self, by: Switch) -> None:
        """The switch stands otherwise than before. It mutes by itself; here it is only noted."""
        if by is Switch.SHUTTER:
            self.camera = self._changed(self.camera.is_muted, by)
        else:
            self.microphone = self._changed(self.microphone.is_muted, by)

    def lost(self, by: Switch) -> None:
        """The switch, which muted, cannot be read any more: software mutes in its place."""
        muted = Mute(True, int(self._wall()), f"the loss of {by.value}")
        if by is Switch.SHUTTER:
            self.camera = muted
        else:
            self.microphone = muted

    def _set(self, is_muted: bool, by: Hand | Outside, camera: bool, microphone: bool) -> None:
        if camera and self.camera.is_muted is not is_muted:
            self.camera = self._changed(is_muted, by)
        if microphone and self.microphone.is_muted is not is_muted:
            self.microphone = self._changed(is_muted, by)

    def _changed(self, is_muted: bool, by: Hand | Outside | Switch) -> Mute:
        return Mute(is_muted, int(self._wall()), by.value)
