"""Telling systemd how the daemon is (sd_notify(3)), through `systemd-python`.

Without that package `import systemd` could silently find a folder of that name, so it is checked
once, at start, that the real one is there.
"""

import os
from collections.abc import Callable

from conclaved.service.config import ConfigError


def notifier() -> Callable[[str], None]:
    """A function that sends a state such as `READY=1`; it does nothing where nobody listens.

    Raises ConfigError when systemd waits for a word and `systemd-python` is missing.
    """
    if not os.environ.get("NOTIFY_SOCKET"):
        return lambda _state: None
    try:
        from systemd.daemon import notify
    except ImportError as error:
        raise ConfigError("systemd-python is missing; on Debian: apt-get install python3-systemd") from error

    def tell(state: str) -> None:
        notify(state)

    return tell


def watchdog_s() -> float | None:
    """What systemd allows between two signs of life, or None without a watchdog."""
    microseconds = os.environ.get("WATCHDOG_USEC", "")
    process = os.environ.get("WATCHDOG_PID", str(os.getpid()))
    if not microseconds.isdigit() or process != str(os.getpid()):
        return None
    return int(microseconds) / 1_000_000
