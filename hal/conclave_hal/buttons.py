"""Buttons beside the panel, under people's fingers: what they mean, not where they are."""

from abc import abstractmethod
from collections.abc import AsyncIterator
from enum import Enum

from conclave_hal.device import Device, DeviceState


class Button(Enum):
    """What a button is for."""

    MICROPHONE = "microphone"
    """Mutes, and unmutes: whoever presses it is in the room."""
    CAMERA = "camera"
    LEAVE = "leave"
    """Leaves, and refuses a join that was asked for from outside."""
    JOIN = "join"
    """Joins what the panel has selected, and accepts a join that was asked for from outside."""
    UP = "up"
    DOWN = "down"
    SELECT = "select"
    BACK = "back"
    SPEAK = "speak"
    """Speaks the security code."""


class Buttons(Device[DeviceState]):
    """Push buttons, or a remote that only this room can hold."""

    def _unknown(self) -> DeviceState:
        return DeviceState()

    @abstractmethod
    def fitted(self) -> frozenset[Button]:
        """Which there are."""

    @abstractmethod
    def presses(self) -> AsyncIterator[Button]:
        """Each press once, bounced contacts left out, until `close`. None is kept for a late reader."""
