"""What many devices in one process need not do each for itself: pure functions, remembered.

Everybody of a meeting opens the same messages with the same link, and parses the same bytes. A result is
shared where it is an immutable value that depends on nothing but the arguments; secrets are not.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

from conclaved.meeting import LinkSecret, lobby
from conclaved.meeting.link import LinkKey
from conclaved.meeting.meeting_context import MeetingContext
from conclaved.mls import KeyPackage, MlsMessage
from tests.simulation.fast_crypto import FastSigner

_KEPT = 512


def _sign(link_key: LinkKey, data: bytes) -> bytes:
    return FastSigner(link_key.public_key).sign(data)


def _remembered(function: Callable[..., Any]) -> Callable[..., Any]:
    return lru_cache(maxsize=_KEPT)(function)


_PLACES: tuple[tuple[object, str, Any], ...] = (
    (LinkKey, "sign", _sign),
    (LinkKey, "public_key", property(_remembered(LinkKey.public_key.fget))),  # type: ignore[attr-defined]
    (LinkSecret, "link_key", _remembered(LinkSecret.link_key)),
    (LinkSecret, "sealer", _remembered(LinkSecret.sealer)),
    (lobby, "unseal", _remembered(lobby.unseal)),
    (MlsMessage, "decode", staticmethod(_remembered(MlsMessage.decode))),
    (KeyPackage, "decode", staticmethod(_remembered(KeyPackage.decode))),
    (MeetingContext, "of", staticmethod(_remembered(MeetingContext.of))),
)


@contextmanager
def shortcuts() -> Iterator[None]:
    """Within this, what is remembered is not done again, and the link's key signs as `FastSigner` does."""
    former = [(owner, name, vars(owner)[name]) for owner, name, _ in _PLACES]
    for owner, name, value in _PLACES:
        setattr(owner, name, value)
    try:
        yield
    finally:
        for owner, name, value in former:
            setattr(owner, name, value)
