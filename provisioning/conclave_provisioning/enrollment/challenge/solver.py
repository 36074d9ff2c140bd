"""The seam between an order and the ways to answer its challenges (RFC 8555 §8)."""

import hashlib
from dataclasses import dataclass
from typing import Protocol

from conclave_provisioning.enrollment.account_key import encode
from conclave_provisioning.enrollment.challenge.persistent_record import PersistentRecord
from conclave_provisioning.enrollment.settings import ChallengeKind


@dataclass(frozen=True, slots=True)
class Challenge:
    """A challenge as the CA offers it, and what this account answers. Nothing of it is secret."""

    kind: ChallengeKind
    """Which kind."""
    url: str
    """Where to say that the answer is in its place."""
    status: str
    """`pending`, `processing`, `valid` or `invalid`."""
    domain: str
    """The domain to be shown."""
    token: str = ""
    """The CA's token, base64url; dns-persist-01 has none."""
    key_authorization: str = ""
    """Token and account key (RFC 8555 §8.1); dns-persist-01 has none."""
    persistent: PersistentRecord | None = None
    """dns-persist-01: the standing record."""

    @property
    def record_name(self) -> str:
        """dns-01: the TXT record's name, without a trailing dot (RFC 8555 §8.4)."""
        return f"_acme-challenge.{self.domain}"

    @property
    def record_value(self) -> str:
        """dns-01: the TXT record's content."""
        return encode(hashlib.sha256(self.key_authorization.encode("ascii")).digest())


class ChallengeSolver(Protocol):
    """Answers one kind of challenge. Called in a worker thread; each call may block for some seconds."""

    @property
    def kind(self) -> ChallengeKind:
        """Which kind."""

    @property
    def settle_s(self) -> float:
        """How long to wait after `present` in any case."""

    @property
    def patience_s(self) -> float:
        """How long to wait for `missing` to have nothing to say."""

    def present(self, challenge: Challenge) -> None:
        """Puts the answer into its place; again is no error. Raises `EnrollmentError`."""

    def missing(self, challenge: Challenge) -> str:
        """What the CA would not find yet, in words; empty if all is there. Raises `EnrollmentError`."""

    def clean_up(self, challenge: Challenge) -> None:
        """Takes the answer away; an absent one is no error. Raises `EnrollmentError`."""
