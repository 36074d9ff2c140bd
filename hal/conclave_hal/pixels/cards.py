"""Cards that are open: one opening for all glasses of this program on the same card.

A card has one master, and that is an opening, not a program: a panel and a room's screen on two connectors
of one card would else shut each other out. Each glass takes a connector and a CRTC that no other one has.
"""

import errno
from dataclasses import dataclass, field
from threading import Lock

from conclave_hal.errors import DeviceError
from conclave_hal.pixels import drm
from conclave_hal.pixels.kernel import Kernel

_NOT_MASTER = frozenset({errno.EPERM, errno.EACCES, errno.EBUSY, errno.EINVAL})
"""What SET_MASTER says while another program draws."""


@dataclass(eq=False, slots=True)
class OpenCard:
    """An open card with those who use it."""

    kernel: Kernel
    path: str
    card: drm.Card
    users: int = 0
    connectors: set[int] = field(default_factory=set)
    """Taken by a glass."""
    crtcs: set[int] = field(default_factory=set)
    """Taken by a glass."""


_open: dict[tuple[int, str], OpenCard] = {}
# Each glass lives in a thread of its own.
_lock = Lock()


def take(kernel: Kernel, path: str) -> OpenCard:
    """The card, opened if nobody has it. Raises OSError, DeviceError while another program draws on it."""
    key = (id(kernel), path)
    with _lock:
        found = _open.get(key)
        if found is None:
            found = _open[key] = _opened(kernel, path)
        found.users += 1
        return found


def give_back(card: OpenCard) -> None:
    """Close it if nobody else uses it. Raises OSError."""
    with _lock:
        card.users -= 1
        if card.users == 0:
            del _open[id(card.kernel), card.path]
            card.kernel.close(card.card.descriptor)


def claim(taken: set[int], number: int) -> bool:
    """Take a connector or CRTC; False if a glass has it."""
    with _lock:
        if number in taken:
            return False
        taken.add(number)
        return True


def _opened(kernel: Kernel, path: str) -> OpenCard:
    descriptor = kernel.open(path)
    card = drm.Card(kernel, descriptor)
    try:
        card.become_master()
    except OSError as error:
        kernel.close(descriptor)
        if error.errno in _NOT_MASTER:
            raise DeviceError(
                f"{path}: another program draws on it", hint="stop the console's or desktop's program"
            ) from error
        raise
    return OpenCard(kernel, path, card)
