"""The words of all checks: what one is given, and what it answers."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from conclaved.bus.room import IdentityStatus
from conclaved.identity import BelievedClock, KeyStore
from conclaved.service.config import Config


class CheckState(Enum):
    """How something stands."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    UNKNOWN = "unknown"
    """It could not be looked at, or there is nothing to look at yet."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a check found."""

    state: CheckState
    text: str
    """One line for people. It holds no secret."""
    command: str = ""
    """What mends it, or where to look; empty where there is nothing to do."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What checks look at."""

    config: Config
    """In force."""
    clock: BelievedClock
    identity: IdentityStatus
    keys: KeyStore
    anchors: tuple[tuple[str, int], ...]
    """The label of each trust anchor, and when it ends (Unix seconds)."""
    stale_crls: tuple[str, ...]
    """The labels of anchors whose list of revoked certificates is out of date."""
    devices: tuple[tuple[str, str, str], ...]
    """(slot, health, reason) of each piece of hardware."""
    wall: Callable[[], float]
    """The system's Unix time."""
    proc: Path = Path("/proc")

    @property
    def domain(self) -> str:
        """The domain that the room is to have, or else the certificate's; empty if there is none."""
        return self.config.identity_domain or self.identity.domain

    @property
    def challenge(self) -> str:
        """How the CA checks the domain; empty where an admin carries the certificate in."""
        carried = ("csr", "import")
        if self.config.identity_method in carried or self.identity.method in carried:
            return ""
        return self.config.acme.challenge

    @property
    def reached_by(self) -> str:
        """The challenge for which the CA connects to the domain's address; empty if it does not."""
        return self.challenge if self.challenge in ("http-01", "tls-alpn-01") else ""


Check = Callable[[Surroundings], Awaitable[Outcome]]


def ok(text: str) -> Outcome:
    """All is well."""
    return Outcome(CheckState.OK, text)


def warning(text: str, command: str) -> Outcome:
    """It works, and will not for ever or not for everybody."""
    return Outcome(CheckState.WARNING, text, command)


def failed(text: str, command: str) -> Outcome:
    """It does not work."""
    return Outcome(CheckState.FAILED, text, command)


def unknown(text: str, command: str = "") -> Outcome:
    """Nobody can tell."""
    return Outcome(CheckState.UNKNOWN, text, command)
