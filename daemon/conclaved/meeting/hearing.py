"""What this device hears outside the log: in the lobby; of the group, who is alive and who is muted."""

from collections import deque

from conclaved.meeting import lobby
from conclaved.meeting.alive import Beacon, Watch
from conclaved.meeting.awaiting import Awaiting
from conclaved.meeting.errors import RemoteError
from conclaved.meeting.limits import Bucket, Buckets, Limits
from conclaved.meeting.media_state import Statement
from conclaved.meeting.membership import Membership
from conclaved.meeting.outbox import Outbox
from conclaved.meeting.rules import line_of
from conclaved.meeting.welcoming import origin_of_live
from conclaved.mls import DecryptionFailed, Group, MlsError, OwnMessage, WrongEpoch

UNIT_BYTES = 16 * 1024
"""A lobby message counts for one, and for another one with each of these."""
MAX_REQUEST_BYTES = (lobby.MAX_CERTIFICATES + 1) * lobby.MAX_CERTIFICATE_BYTES
"""Nothing in the lobby but a Welcome is longer than a request can be."""

EARLY_S = 1.0
"""How long a live message of a later epoch may wait for the commit that leads there, or for the Welcome."""
MAX_EARLY = 64


class Hearing:
    """Opens messages, as fast as the limits let it.

    A live message is charged to the member that it claims to be from when its signature has shown that it is:
    otherwise anybody could use up another's share. What is not charged so counts for all together.
    """

    def __init__(
        self, member: Membership, watch: Watch, awaiting: Awaiting, out: Outbox, limits: Limits
    ) -> None:
        self._member = member
        self._awaiting = awaiting
        self._watch = watch
        self._out = out
        self._early: deque[tuple[float, bytes, int, bytes]] = deque(maxlen=MAX_EARLY)
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
        """Open a live message. What is no beacon of a member in this epoch is at most a sign of another.

        What comes on the way in is kept for a moment: it may be from the group that a Welcome leads into.
        """
        group = self._member.group
        try:
            group_id, epoch = origin_of_live(data)
            if group is None:
                self._early.append((now, group_id, epoch, data))
                return
            if group_id != group.group_id:
                self._watch.another_group(now)
                self._watch.unknown_epoch(now)
                raise RemoteError("a live message of another group", rule="DESIGN §4 Founding")
            if epoch > group.epoch:
                # Its sender may have been the first to read a commit that we are about to read.
                self._early.append((now, group_id, epoch, data))
                raise WrongEpoch(epoch, group.epoch)
            self._open(group, epoch, data, now)
        except OwnMessage:
            return
        except WrongEpoch as error:
            self._watch.stranger(now)
            if group is not None and error.epoch > group.epoch:
                self._watch.unknown_epoch(now)
        except (MlsError, RemoteError) as error:
            if group is None:
                return
            if isinstance(error, DecryptionFailed):
                # Forged; or of this epoch's number in another group, which a commit that only some have
                # taken leads to.
                self._watch.unknown_epoch(now)
            self._watch.stranger(now)
            self._out.bad_input(error)

    def early(self, now: float) -> None:
        """Hear what came too early for the epoch before, if its own has come."""
        group = self._member.group
        if group is None or not self._early:
            return
        waiting, self._early = self._early, deque(maxlen=MAX_EARLY)
        for came, group_id, epoch, data in waiting:
            if group_id != group.group_id:
                continue
            if epoch <= group.epoch:
                self.live(data, now)
            elif now - came <= EARLY_S:
                self._early.append((came, group_id, epoch, data))

    def _open(self, group: Group, epoch: int, data: bytes, now: float) -> None:
        # One who has not read the last commit yet is no sign of a later one: it counts as alive.
        opener = group if epoch == group.epoch else self._member.past(epoch)
        if opener is None:
            # Long behind; or on another history of this group, where one that is alone here belongs.
            self._watch.stranger(now)
            if self._member.is_alone:
                self._watch.another_group(now)
            return
        sender = opener.claimed_sender(data)
        if self._of_one.is_empty(sender, now) or not self._of_all.take(now):
            return
        content = opener.unprotect(data)
        self._of_one.take(sender, now)
        was, now_is = opener.leaf(content.sender), group.leaf(content.sender)
        if was is None or now_is is None or line_of(was).isdisjoint(line_of(now_is)):
            return
        body = content.body if isinstance(content.body, bytes) else b""
        beacon = Beacon.decode(body)
        try:
            statement = Statement.decode(body)
        except RemoteError as error:
            # It is a member's: no sign of another epoch.
            self._out.bad_input(error)
            return
        if statement is not None:
            is_present = opener is group
            self._member.told.heard(content.sender, statement, now, is_present_epoch=is_present)
        if opener is group and (beacon is not None or statement is not None):
            self._member.hear(content.sender)
        if beacon is None:
            return
        self._watch.heard(content.sender, beacon, now)
        self._member.told.alive(content.sender, beacon.session, beacon.elapsed_ms, now)
        if opener is group:
            self._awaiting.heard(content.sender)
