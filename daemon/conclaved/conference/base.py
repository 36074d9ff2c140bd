"""What a meeting needs of a delivery service, whichever it is.

A carrier connects, goes on trying when it loses the service, and turns what it hears into the
events of `conclaved.meeting.events`. It judges nothing.
"""

from collections.abc import Callable
from typing import Protocol

from conclaved.meeting.events import Announce, CarrierEvent, Publish, Replay, SendLive, SendLobby
from conclaved.rtp.offer import MediaOffer

CarrierEffect = Publish | SendLobby | SendLive | Replay | Announce


class Carrier(Protocol):
    """One device's connection to one meeting at a service."""

    async def run(self, on_event: Callable[[CarrierEvent], None]) -> None:
        """Stay connected until cancelled, and tell what happens. Ends only by cancellation."""

    def perform(self, effect: CarrierEffect) -> None:
        """Send, as soon as there is a connection. What cannot be queued any more is dropped."""

    async def flush(self) -> None:
        """Return when everything that was to be sent has been handed to the network."""

    async def open_media(self) -> MediaOffer:
        """Ask for a place in the media relay. Raises ConferenceError."""


class InvitationStore(Protocol):
    """Where sealed invitations wait for those who have the link."""

    async def store(self, sealed: bytes) -> bytes:
        """Leave one there. Returns its SHA-256. Raises ConferenceError."""

    async def fetch(self, digest: bytes) -> bytes:
        """Get one. The caller checks that it is the one. Raises ConferenceError."""
