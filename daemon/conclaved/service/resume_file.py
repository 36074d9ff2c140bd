"""What a daemon that was restarted in mid-meeting needs to come back by itself.

The link and the admission, and no key of the meeting, in the runtime directory: systemd keeps it
over a restart of the service, and a power cut takes it (DESIGN §4, *Rejoin*).
"""

import base64
import binascii
import contextlib
import json
from dataclasses import dataclass, field
from pathlib import Path

from conclaved.identity.atomic_file import write_atomically
from conclaved.meeting import Admission, Link, MeetingError


@dataclass(frozen=True, slots=True)
class Resumption:
    """A meeting to come back to."""

    link: Link = field(repr=False)
    admission: Admission = field(repr=False)


@dataclass(frozen=True, slots=True)
class ResumeFile:
    """Where it lies."""

    path: Path

    def load(self) -> Resumption | None:
        """The meeting that the daemon was in when it ended unasked, or None. A damaged file is none."""
        try:
            content = json.loads(self.path.read_bytes())
            link = Link.decode(content["link"])
            admission = Admission.decode(base64.b64decode(content["admission"], validate=True))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError, binascii.Error, MeetingError):
            self.remove()
            return None
        return Resumption(link, admission)

    def save(self, resumption: Resumption) -> None:
        """Store it, mode 0600. Raises OSError."""
        admission = base64.b64encode(resumption.admission.encode()).decode("ascii")
        content = {"version": 1, "link": resumption.link.encode(), "admission": admission}
        write_atomically(self.path, json.dumps(content).encode(), mode=0o600)

    def remove(self) -> None:
        """Forget it: the meeting was left, or has ended."""
        with contextlib.suppress(OSError):
            self.path.unlink(missing_ok=True)
