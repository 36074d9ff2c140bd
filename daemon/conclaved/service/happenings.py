"""Writes down what happens in the room and is worth finding later, in fixed words: see `events`."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Self

from conclaved.bus.room import Room
from conclaved.service.events import Event, tell


@dataclass(frozen=True, slots=True)
class Seen:
    """What of the room is compared: no name, link or code is in it but the room's own domain."""

    meeting: str = ""
    lock: str = ""
    fingerprint: str = ""
    domain: str = ""
    failed: frozenset[str] = frozenset()
    """Slots of hardware."""
    key_trouble: str = ""

    @classmethod
    def of(cls, room: Room, key_trouble: str) -> Self:
        """What is now."""
        meeting, identity = room.meeting(), room.identity()
        return cls(
            meeting.state,
            meeting.lock,
            identity.fingerprint,
            identity.domain,
            frozenset(slot.slot for slot in room.hardware().devices if slot.health == "failed"),
            key_trouble,
        )


def happened(before: Seen, now: Seen) -> Iterator[tuple[Event, str]]:
    """What has happened between two looks, and the words for it."""
    if now.meeting == "in_meeting" != before.meeting:
        yield Event.JOINED, "the room is in a meeting"
    if before.meeting == "in_meeting" != now.meeting:
        yield Event.LEFT, "the room is in no meeting any more"
    if now.lock == "broken" != before.lock:
        yield Event.ALARM, "the meeting's lock is broken: see the panel"
    if now.fingerprint and now.fingerprint != before.fingerprint:
        is_first = not before.fingerprint
        yield (
            Event.ENROLLED if is_first else Event.RENEWED,
            f"the room has a {'' if is_first else 'new '}certificate: {now.fingerprint}",
        )
    if now.key_trouble and now.key_trouble != before.key_trouble:
        yield Event.KEY_TROUBLE, now.key_trouble
    for slot in sorted(now.failed - before.failed):
        yield Event.HARDWARE_LOST, f"hardware does not work: {slot}"
    for slot in sorted(before.failed - now.failed):
        yield Event.HARDWARE_BACK, f"hardware works again: {slot}"


async def write_down(room: Room, key_trouble: Callable[[], str], named: Callable[[str], None]) -> None:
    """Follow the room until cancelled; `named` is told its domain. The state at the start is no event.

    But for trouble: that is told at each start.
    """
    now = Seen.of(room, key_trouble())
    named(now.domain)
    before = Seen(now.meeting, now.lock, now.fingerprint, now.domain)
    changes = room.changes()
    while True:
        for event, words in happened(before, now):
            tell(event, words)
        await anext(changes)
        before, now = now, Seen.of(room, key_trouble())
        named(now.domain)
