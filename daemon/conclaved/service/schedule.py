"""The invitations that were given to this room: what people can join by a press on the panel.

One file each, mode 0600, until the invitation ends: the link, whose fragment is a secret, and the signed
invitation. Neither ever leaves this file but for the meeting itself. A later invitation to the same meeting
by the same signer's name takes the place of the earlier one.
"""

import asyncio
import contextlib
import hashlib
import json
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

from conclave_hal.panel import PanelInvitation
from conclaved.bus.change_report import Change, ChangeReport
from conclaved.bus.room import RoomError, RoomErrorKind, ScheduledStatus
from conclaved.identity import Assurance
from conclaved.identity.atomic_file import write_atomically
from conclaved.meeting import InvitationError, Link, MeetingError, SignedInvitation
from conclaved.meeting.roster import Assess
from conclaved.service import invitations

log = logging.getLogger(__name__)

FOLDER = "invitations"
SUFFIX = ".json"
MOST = 200
"""More invitations than a room has meetings; each is an admin's doing."""
DAY_S = 86_400
LONGEST_SLEEP_S = 60.0
"""The clock may be set: what is today is looked at anew at least this often."""


@dataclass(frozen=True, slots=True)
class Scheduled:
    """One invitation with its link."""

    invitation_id: str
    """By which people and admins mean it: 16 hex digits, no secret."""
    link: Link = field(repr=False)
    invitation: SignedInvitation = field(repr=False)


class Schedule:
    """Owned by the room's event loop."""

    def __init__(
        self,
        folder: Path,
        assess: Assess,
        now: Callable[[], int | None],
        changed: Callable[[], None],
        *,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """`now` is the believed Unix time, or None; `changed` is called when `today` is new."""
        self._folder = folder
        self._assess = assess
        self._now = now
        self._changed = changed
        self._pause = pause
        self._kept = self._load()

    def find(self, invitation_id: str) -> Scheduled | None:
        """The invitation that is meant, if it still stands."""
        return self._kept.get(invitation_id)

    def statuses(self) -> tuple[ScheduledStatus, ...]:
        """All of them, the earliest first."""
        self._drop_ended()
        return tuple(self._status(one) for one in self._in_order(list(self._kept.values())))

    def today(self) -> tuple[PanelInvitation, ...]:
        """Those of today, in the time zone of the device, the next first and standing ones last."""
        now = self._now()
        if now is None:
            return ()
        start, end = day_of(now)
        of_today = [
            one
            for one in self._kept.values()
            if one.invitation.content.not_after > now and one.invitation.content.not_before < end
        ]
        return tuple(self._shown(one, now, start, end) for one in self._in_order(of_today))

    def add(self, link: Link, invitation: SignedInvitation, *, dry_run: bool = False) -> ChangeReport:
        """Keep an invitation. Raises RoomError where it has ended, or cannot be stored."""
        now = self._now()
        content = invitation.content
        if now is not None and content.not_after <= now:
            raise RoomError(
                RoomErrorKind.REFUSED, "the invitation has ended", hint="ask the host for a new one"
            )
        new = Scheduled(self._id_of(invitation), link, invitation)
        old = self._kept.get(new.invitation_id)
        if old is not None and old.invitation.content.serial > content.serial:
            raise RoomError(RoomErrorKind.REFUSED, "a later invitation to this meeting is here already")
        if old is not None and (old.link, old.invitation.token) == (link, invitation.token):
            return ChangeReport(False)
        if old is None and len(self._kept) >= MOST:
            raise RoomError(
                RoomErrorKind.REFUSED,
                f"the room keeps {MOST} invitations already",
                hint="remove some: conclavectl meeting schedule list",
            )
        report = _report(new, "" if old is None else old.invitation.content.title, content.title)
        if not dry_run:
            text = json.dumps({"link": link.encode(), "invitation": invitation.token})
            self._store(new.invitation_id, text)
            self._kept[new.invitation_id] = new
            self._changed()
        return report

    def remove(self, invitation_id: str, *, dry_run: bool = False) -> ChangeReport:
        """Forget an invitation; none of this id is no error. Raises RoomError if it cannot be erased."""
        old = self._kept.get(invitation_id)
        if old is None:
            return ChangeReport(False)
        if not dry_run:
            self._erase(invitation_id)
            del self._kept[invitation_id]
            self._changed()
        return _report(old, old.invitation.content.title, "")

    async def run(self) -> None:
        """Say when today's invitations are others than before; ends by being cancelled."""
        shown = self.today()
        while True:
            await self._pause(self._until_next())
            self._drop_ended()
            if self.today() != shown:
                shown = self.today()
                self._changed()

    def _until_next(self) -> float:
        """Seconds to the next begin, end or midnight, and no more than a minute."""
        now = self._now()
        if now is None:
            return LONGEST_SLEEP_S
        contents = [one.invitation.content for one in self._kept.values()]
        moments = [day_of(now)[1], *(t for c in contents for t in (c.not_before, c.not_after))]
        return min([LONGEST_SLEEP_S, *(float(t - now) for t in moments if t > now)])

    def _status(self, one: Scheduled) -> ScheduledStatus:
        content, verdict = (
            one.invitation.content,
            self._assess(one.invitation.chain, one.invitation.signer_key),
        )
        return ScheduledStatus(
            invitation_id=one.invitation_id,
            title=content.title,
            host=verdict.name,
            assurance=verdict.assurance.value,
            level=content.level.value,
            service=content.service,
            not_before=content.not_before,
            not_after=content.not_after,
        )

    def _shown(self, one: Scheduled, now: int, start: int, end: int) -> PanelInvitation:
        content, verdict = (
            one.invitation.content,
            self._assess(one.invitation.chain, one.invitation.signer_key),
        )
        # As on the roster: a name that nobody vouches for stands in quotation marks.
        host = verdict.name if verdict.assurance is Assurance.VERIFIED else f"“{verdict.name}”"
        begins = clock_time(content.not_before) if content.not_before >= start else ""
        ends = clock_time(content.not_after) if content.not_after <= end else ""
        return PanelInvitation(
            invitation_id=one.invitation_id,
            title=content.title,
            host=host,
            starts_at=content.not_before,
            ends_at=content.not_after,
            time=f"{begins}-{ends}" if begins or ends else "",
            is_now=content.not_before <= now < content.not_after,
        )

    def _in_order(self, some: list[Scheduled]) -> list[Scheduled]:
        def place(one: Scheduled) -> tuple[bool, int, str]:
            content = one.invitation.content
            is_standing = content.not_after - content.not_before > DAY_S
            return is_standing, content.not_before, one.invitation_id

        return sorted(some, key=place)

    def _id_of(self, invitation: SignedInvitation) -> str:
        """The same for each serial of one meeting by one signer's name, as far as that is believed."""
        verdict = self._assess(invitation.chain, invitation.signer_key)
        is_known = verdict.assurance is not Assurance.UNKNOWN and verdict.name
        signer = verdict.name.encode() if is_known else invitation.signer_key
        return hashlib.sha256(invitation.content.meeting_id + signer).hexdigest()[:16]

    def _drop_ended(self) -> None:
        now = self._now()
        if now is None:
            return
        for one in [one for one in self._kept.values() if one.invitation.content.not_after <= now]:
            del self._kept[one.invitation_id]
            with contextlib.suppress(OSError):
                self._path(one.invitation_id).unlink()

    # -- files ----------------------------------------------------------------------------------

    def _path(self, invitation_id: str) -> Path:
        return self._folder / f"{invitation_id}{SUFFIX}"

    def _store(self, invitation_id: str, text: str) -> None:
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_atomically(self._path(invitation_id), text.encode(), mode=0o600)
        except OSError as error:
            raise RoomError(
                RoomErrorKind.FAILED, f"the invitation cannot be stored: {error.strerror}"
            ) from error

    def _erase(self, invitation_id: str) -> None:
        try:
            self._path(invitation_id).unlink(missing_ok=True)
        except OSError as error:
            raise RoomError(
                RoomErrorKind.FAILED, f"the invitation cannot be erased: {error.strerror}"
            ) from error

    def _load(self) -> dict[str, Scheduled]:
        kept: dict[str, Scheduled] = {}
        paths: list[Path] = []
        with contextlib.suppress(OSError):
            paths = sorted(self._folder.glob(f"*{SUFFIX}"))
        for path in paths[:MOST]:
            try:
                kept[path.stem] = _read(path)
            except (OSError, MeetingError, ValueError):
                # Its words could hold the link.
                log.warning("an invitation that was given to this room cannot be read: %s", path.name)
        return kept


def day_of(now: int) -> tuple[int, int]:
    """The first second of the device's own day, and of the next one."""
    local = time.localtime(now)
    midnight = (local.tm_year, local.tm_mon, local.tm_mday, 0, 0, 0, 0, 0, -1)
    tomorrow = (local.tm_year, local.tm_mon, local.tm_mday + 1, 0, 0, 0, 0, 0, -1)
    return int(time.mktime(midnight)), int(time.mktime(tomorrow))


def clock_time(moment: int) -> str:
    """`14:00`, in the device's own time zone."""
    return time.strftime("%H:%M", time.localtime(moment))


def _read(path: Path) -> Scheduled:
    """Raises OSError, ValueError or InvitationError."""
    values = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(values, dict):
        raise InvitationError("the file holds no invitation")
    link = Link.decode(str(values.get("link")))
    return Scheduled(path.stem, link, invitations.check(link, str(values.get("invitation"))))


def _report(one: Scheduled, before: str, after: str) -> ChangeReport:
    key = f"meeting.schedule.{one.invitation_id}"
    words = [json.dumps(text, ensure_ascii=False) if text else "" for text in (before, after)]
    return ChangeReport(True, (Change(key, words[0], words[1], "at once"),))
