"""What a daemon that was restarted in mid-meeting needs to come back by itself.

Link, signed invitation (a service that was restarted may have lost it) and admission, what to call
the meeting and until when to try, and no key of it: in the runtime directory, which systemd keeps
over a restart of the service, and a power cut takes (DESIGN §4, *Rejoin*).
"""

import base64
import binascii
import contextlib
import json
from dataclasses import dataclass, field
from pathlib import Path

from conclaved.identity.atomic_file import write_atomically
from conclaved.meeting import Admission, Link, MeetingError
from conclaved.meeting.meeting_context import MEETING_EXTENSION, MeetingContext
from conclaved.mls import Extension


@dataclass(frozen=True, slots=True)
class Resumption:
    """A meeting to come back to."""

    link: Link = field(repr=False)
    token: str = field(repr=False)
    """The signed invitation, as it was when the meeting was entered."""
    admission: Admission = field(repr=False)
    title: str
    """What the panel shows until the service is reached again."""
    not_after: int
    """Seconds since 1970: the invitation's end, until which it is worth trying."""
    terms: MeetingContext | None = field(default=None, repr=False)
    """Whom hosts had thrown out, and what else they had decided."""


@dataclass(frozen=True, slots=True)
class ResumeFile:
    """Where it lies."""

    path: Path

    def load(self) -> Resumption | None:
        """The meeting that the daemon was in when it ended unasked, or None. A damaged file is none."""
        try:
            content = json.loads(self.path.read_bytes())
            link_text, statement, title = content["link"], content["admission"], content["title"]
            token, not_after = content["invitation"], content["not_after"]
            are_texts = all(isinstance(text, str) for text in (link_text, token, statement, title))
            if not are_texts or not isinstance(not_after, int):
                raise TypeError("a field of another type")
            link = Link.decode(link_text)
            kept = base64.b64decode(content.get("terms", ""), validate=True)
            terms = MeetingContext.of((Extension(MEETING_EXTENSION, kept),)) if kept else None
            admission = Admission.decode(base64.b64decode(statement, validate=True))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError, binascii.Error, MeetingError):
            self.remove()
            return None
        return Resumption(link, token, admission, title, not_after, terms)

    def save(self, resumption: Resumption) -> None:
        """Store it, mode 0600. Raises OSError."""
        admission = base64.b64encode(resumption.admission.encode()).decode("ascii")
        content = {
            "version": 1,
            "link": resumption.link.encode(),
            "invitation": resumption.token,
            "admission": admission,
            "title": resumption.title,
            "not_after": resumption.not_after,
        }
        if resumption.terms is not None:
            content["terms"] = base64.b64encode(resumption.terms.extension().data).decode("ascii")
        write_atomically(self.path, json.dumps(content).encode(), mode=0o600)

    def remove(self) -> None:
        """Forget it: the meeting was left, or has ended."""
        with contextlib.suppress(OSError):
            self.path.unlink(missing_ok=True)
