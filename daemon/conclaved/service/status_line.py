"""What `systemctl status conclaved` says that the room does: fixed words, and never a name, link or code."""

from conclaved.bus.room import DeviceStatus, IdentityStatus, MeetingStatus

_DOES = {
    "idle": "in no meeting",
    "joining": "joining a meeting",
    "lobby": "waiting to be let into a meeting",
    "in_meeting": "in a meeting",
    "left": "leaving a meeting",
}
_IS = {
    "none": ", without a certificate",
    "enrolling": ", getting a certificate",
    "failed": ", without success at getting a certificate",
}


def status_line(device: DeviceStatus, identity: IdentityStatus, meeting: MeetingStatus) -> str:
    """One line for people who look at the unit."""
    count = len(device.problems)
    trouble = f"; {count} {'problem' if count == 1 else 'problems'}, see: conclavectl status" if count else ""
    return f"{_DOES.get(meeting.state, 'running')}{_IS.get(identity.state, '')}{trouble}"
