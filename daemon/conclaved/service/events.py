"""What is worth finding in the journal, each by its MESSAGE_ID. docs/journal.md tells admins of them.

The numbers are the same in this and all later versions.
"""

import logging
from enum import Enum

log = logging.getLogger("conclaved.events")

EVENT_ATTRIBUTE = "event"
"""Of a log record: `extra={EVENT_ATTRIBUTE: Event.JOINED}`."""


class Event(Enum):
    """By name (`CONCLAVE_EVENT`, in lower case) and number (`MESSAGE_ID`)."""

    JOINED = "8d55037907a5476faa777071d470005e"
    LEFT = "3e0ba406bbed4472b26745efd600c357"
    ALARM = "bb8f74d655db4fe092d0fa7b0c3fd0d4"
    ENROLLED = "30c7667c55544e91ad696afa80081cc8"
    RENEWED = "478eaa9fb58f4cda977ad0efe40725af"
    KEY_TROUBLE = "94998fc241dc49b5a3ca29c94dc6c46b"
    HARDWARE_LOST = "fde6c1d541174e4ebffc30b05a9fbbc1"
    HARDWARE_BACK = "2e44062d690c49f79fe9bb9364d056e4"
    SETTINGS_DAMAGED = "50171255569c4f93888a7aedb846f2b5"
    CONFIGURATION_REFUSED = "5aa1a125f8094153b3290f126b3297f4"
    HANGS = "e859dac1e2d247138914aff417b79b58"


TROUBLE = frozenset({Event.ALARM, Event.KEY_TROUBLE, Event.HARDWARE_LOST})


def tell(event: Event, words: str) -> None:
    """Write it down, as an error if it is trouble."""
    level = logging.ERROR if event in TROUBLE else logging.INFO
    log.log(level, "%s", words, extra={EVENT_ATTRIBUTE: event})
