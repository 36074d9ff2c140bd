"""What hosts decided in one use of a link, for the next: who was thrown out of a personal room stays out.

One file a meeting, on hosts' devices only, until the invitation ends. It holds the meeting's terms (the
invitation, public keys) and no key of anything. That the meeting was ended for all, or its link closed, is
not kept: that was one use of the link, and this is for the next.
"""

import contextlib
import logging
from dataclasses import dataclass, replace
from pathlib import Path

from conclaved.identity.atomic_file import write_atomically
from conclaved.meeting import MeetingError, SignedInvitation
from conclaved.meeting.meeting_context import MEETING_EXTENSION, MeetingContext
from conclaved.mls import Extension

log = logging.getLogger(__name__)

SUFFIX = ".terms"


@dataclass(frozen=True, slots=True)
class TermsFiles:
    """A folder of them."""

    folder: Path

    def _path(self, invitation: SignedInvitation) -> Path:
        return self.folder / f"{invitation.content.meeting_id.hex()}{SUFFIX}"

    def load(self, invitation: SignedInvitation) -> MeetingContext | None:
        """What is kept of that meeting; None if nothing is. A damaged file is put aside, and logged."""
        path = self._path(invitation)
        try:
            return MeetingContext.of((Extension(MEETING_EXTENSION, path.read_bytes()),))
        except FileNotFoundError:
            return None
        except OSError as error:
            log.warning("what was decided in an earlier use of the link cannot be read: %s", error.strerror)
            return None
        except MeetingError as error:
            log.warning(
                "what was decided in an earlier use of “%s” cannot be read, whoever was thrown out may come "
                "back: %s: %s",
                invitation.content.title,
                path.name,
                error,
            )
            with contextlib.suppress(OSError):
                path.replace(path.with_suffix(".damaged"))
            return None

    def save(self, terms: MeetingContext) -> None:
        """Keep the terms of a meeting for its next use, mode 0600. Raises OSError."""
        # A closed link was closed for that use too: a guest who comes first by it would keep its hosts out.
        kept = replace(terms, is_ended=False, is_link_closed=False, link_guests=frozenset(), word=None)
        path, data = self._path(kept.invitation), kept.extension().data
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with contextlib.suppress(OSError):
            if path.read_bytes() == data:
                return
        write_atomically(path, data, mode=0o600)

    def remove_ended(self, now: int) -> None:
        """Forget meetings whose invitation has ended; `now` in seconds since 1970."""
        with contextlib.suppress(OSError):
            for path in self.folder.glob(f"*{SUFFIX}"):
                with contextlib.suppress(OSError, MeetingError):
                    terms = MeetingContext.of((Extension(MEETING_EXTENSION, path.read_bytes()),))
                    if terms.invitation.content.not_after <= now:
                        path.unlink()
