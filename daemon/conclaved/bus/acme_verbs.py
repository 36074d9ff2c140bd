"""What the API needs from the service about the CA: a rehearsal, and the account there."""

from dataclasses import dataclass
from typing import Protocol

from conclaved.bus.change_report import ChangeReport


@dataclass(frozen=True, slots=True)
class RehearsalStatus:
    """How an order at a CA's staging directory went."""

    is_good: bool
    steps: tuple[str, ...]
    """What was done, one line each."""
    error: str = ""
    error_kind: str = ""
    """As of `IdentityStatus`."""
    hint: str = ""


@dataclass(frozen=True, slots=True)
class AccountStatus:
    """The ACME account, as the CA sees it."""

    url: str
    status: str
    """`valid`, `deactivated` or `revoked`."""
    contact: tuple[str, ...]
    directory_url: str


@dataclass(frozen=True, slots=True)
class RecordStatus:
    """The standing DNS record of dns-persist-01."""

    name: str
    value: str
    zone_line: str
    """The record as a line of a zone file."""
    is_seen: bool
    """Whether DNS has it."""


class AcmeVerbs(Protocol):
    """What may be asked of the CA beside a certificate. All raise RoomError."""

    async def rehearse(self, directory_url: str) -> RehearsalStatus:
        """Order at the CA's staging directory, or the one given, for a key that is thrown away."""

    async def account(self) -> AccountStatus:
        """The account; it is made if there is none."""

    async def roll_account_key(self) -> ChangeReport:
        """Put the account under a new key (RFC 8555 §7.3.5)."""

    async def deactivate_account(self) -> ChangeReport:
        """End the account for good (RFC 8555 §7.3.6); certificates stay valid."""

    async def persistent_record(self, domain: str) -> RecordStatus:
        """The record for dns-persist-01; an empty domain is the room's."""
