"""An invitation as a calendar file (RFC 5545), with the link in CONFERENCE (RFC 7986 §5.11).

URL says the same for calendars that do not know CONFERENCE. A calendar shows the link to everybody who sees
the entry: so the entry is marked private.
"""

import uuid
from datetime import UTC, datetime

from icalendar import Calendar, Component, Event, Parameters

from conclave_provisioning.cli.errors import CommandError, ErrorKind
from conclave_provisioning.cli.invitation import Facts, WayIn, is_link

PRODUCT = "-//Conclave//conclavectl//EN"
CONFERENCE = Parameters(VALUE="URI", FEATURE=["AUDIO", "VIDEO"], LABEL="Join from a Conclave room")
MAX_SEQUENCE = 2**31 - 1


def write_calendar(facts: Facts, link: str, now: int) -> bytes:
    """An invitation as a calendar of one event; `now` (seconds since 1970) is when it was made.

    The event's UID is the meeting's id, so that a later invitation to the same meeting replaces the entry.
    Raises CommandError if a time of the invitation is one that no calendar has.
    """
    try:
        made, start, end = (datetime.fromtimestamp(t, UTC) for t in (now, facts.not_before, facts.not_after))
    except (ValueError, OverflowError, OSError) as error:
        raise CommandError(
            ErrorKind.INVALID_ARGUMENT,
            "the invitation's times fit no calendar",
            hint="give an earlier --until",
        ) from error
    event = Event()
    event.add("uid", str(uuid.UUID(bytes=facts.meeting_id)))
    event.add("dtstamp", made)
    event.add("dtstart", start)
    event.add("dtend", end)
    event.add("sequence", min(facts.serial - 1, MAX_SEQUENCE))
    event.add("summary", facts.title)
    event.add("class", "PRIVATE")
    event.add("url", link)
    # The library's own Conference quotes the features as if they were one.
    event.add("conference", link, parameters=CONFERENCE)
    calendar = Calendar()
    calendar.add("prodid", PRODUCT)
    calendar.add("version", "2.0")
    calendar.add_component(event)
    return bytes(calendar.to_ical())


def read_calendar(content: bytes, name: str) -> WayIn:
    """Find the one meeting link in a calendar file. Raises CommandError if there is none, or several."""
    try:
        events = Component.from_ical(content, multiple=True)
        found = {link for root in events for event in root.walk("VEVENT") for link in _links(event)}
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        # The library takes each value for what the standard wants, and trips over what it is not.
        raise CommandError(
            ErrorKind.INVALID_ARGUMENT,
            f"{name} is no calendar that can be read",
            hint="give the link itself",
        ) from error
    if len(found) != 1:
        raise CommandError(
            ErrorKind.INVALID_ARGUMENT,
            f"{name} holds {len(found) or 'no'} meeting links",
            hint="give the link itself",
        )
    return WayIn(found.pop())


def _links(event: Component) -> list[str]:
    """Every value of CONFERENCE and URL that is a meeting link."""
    values = []
    for key in ("CONFERENCE", "URL"):
        value = event.get(key, [])
        values += value if isinstance(value, list) else [value]
    return [str(value) for value in values if is_link(str(value))]
