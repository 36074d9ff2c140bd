"""What this device hears outside the log: in the lobby, and from the group that the others are alive."""

from conclaved.meeting import lobby
from conclaved.meeting.alive import Beacon, Watch
from conclaved.meeting.errors import RemoteError
from conclaved.meeting.limits import Bucket, Buckets, Limits
from conclaved.meeting.membership import Membership
from conclaved.meeting.outbox import Outbox
from conclaved.meeting.welcoming import is_application_message
from conclaved.mls import DecryptionFailed, Group, MlsError, OwnMessage, WrongEpoch

UNIT_BYTES = 16 * 1024
"""A lobby message counts for one, and for another one with each of these."""
MAX_REQUEST_BYTES = (lobby.MAX_CERTIFICATES + 1) * lobby.MAX_CERTIFICATE_BYTES
"""Nothing in the lobby but a Welcome is longer than a request can be."""


class Hearing:
    """Opens messages, as fast as the limits let it.

    A live message is charged to the member that it claims to be from when its signature has shown that it is:
    otherwise anybody could use up another's share. What is not charged so counts for all together.
    """

    def __init__(self, member: Membership, watch: Watch, out: Outbox, limits: Limits) -> None:
        self._member = member
        self._watch = watch
        self._out = out
        self._of_lobby = Bucket(limits.lobby_per_s)
        self._welcome_bytes = limits.welcome_bytes
        self._of_all = Bucket(limits.live_per_s)
        self._of_one: Buckets[int] = Buckets(limits.live_of_one_per_s)

    def __repr__(self) -> str:
        return f"Hearing({self._of_all!r})"

    def lobby(self, data: bytes, now: float, *, is_in: bool) -> lobby.LobbyMessage | None:
        """Open a lobby message; None for one beyond the limits. Raises RemoteError.

        Who `is_in` the group waits for no Welcome, and leaves what is as long as one alone.
        """
        if len(data) > (MAX_REQUEST_BYTES if is_in else self._welcome_bytes):
            return None
        if not self._of_lobby.take(now, 1 + len(data) // UNIT_BYTES):
            return None
        return lobby.unseal(data, self._out.sealer)

    def live(self, data: bytes, now: float) -> None:
        """Open a live message. What is no beacon of a member in this epoch is at most a sign of another."""
        group = self._member.group
        if group is None:
            return
        try:
            self._open(group, data, now)
        except OwnMessage:
            return
        except WrongEpoch as error:
            self._watch.stranger(now)
            if error.epoch > group.epoch:
                self._watch.unknown_epoch(now)
        except (MlsError, RemoteError) as error:
            if isinstance(error, DecryptionFailed):
                # Forged; or of this epoch's number in another group, which a commit that only some have
                # taken leads to.
                self._watch.unknown_epoch(now)
            self._watch.stranger(now)
            self._out.bad_input(error)

    def _open(self, group: Group, data: bytes, now: float) -> None:
        if not is_application_message(data):
            # Opened here, a commit's key would be gone when the log brings the commit.
            raise RemoteError("a handshake message outside the log", rule="DESIGN §4 Meeting")
        sender = group.claimed_sender(data)
        if self._of_one.is_empty(sender, now) or not self._of_all.take(now):
            return
        content = group.unprotect(data)
        self._of_one.take(sender, now)
        beacon = Beacon.decode(content.body) if isinstance(content.body, bytes) else None
        if beacon is not None:
            self._watch.heard(content.sender, beacon, now)
            self._member.hear(content.sender)
