"""What this device hears from the group outside the log: that the others are alive."""

from conclaved.meeting.alive import Beacon, Watch
from conclaved.meeting.errors import RemoteError
from conclaved.meeting.membership import Membership
from conclaved.meeting.outbox import Outbox
from conclaved.meeting.welcoming import is_application_message
from conclaved.mls import DecryptionFailed, MlsError, OwnMessage, WrongEpoch


def hear(data: bytes, member: Membership, watch: Watch, out: Outbox, now: float) -> None:
    """Open a live message. What is no beacon of a member in this epoch is at most a sign of another."""
    group = member.group
    if group is None:
        return
    try:
        if not is_application_message(data):
            # Opened here, a commit's key would be gone when the log brings the commit.
            raise RemoteError("a handshake message outside the log", rule="DESIGN §4 Meeting")
        content = group.unprotect(data)
    except OwnMessage:
        return
    except WrongEpoch as error:
        if error.epoch > group.epoch:
            watch.unknown_epoch(now)
        return
    except (MlsError, RemoteError) as error:
        if isinstance(error, DecryptionFailed):
            # Forged; or of this epoch's number in another group, which a commit that only some have
            # taken leads to.
            watch.unknown_epoch(now)
        out.bad_input(error)
        return
    beacon = Beacon.decode(content.body) if isinstance(content.body, bytes) else None
    if beacon is not None:
        watch.heard(content.sender, beacon, now)
        member.hear(content.sender)
