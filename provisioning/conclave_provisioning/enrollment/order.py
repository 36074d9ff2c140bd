"""What a CA keeps for us: the account, the order, its authorizations (RFC 8555 §7.1)."""

from dataclasses import dataclass

from conclave_provisioning.enrollment.challenge.solver import Challenge
from conclave_provisioning.enrollment.errors import RefusedError


@dataclass(frozen=True, slots=True)
class AccountInfo:
    """An account as the CA sees it (RFC 8555 §7.1.2)."""

    url: str
    """Its address, which CAA and dns-persist-01 records name."""
    status: str
    """`valid`, `deactivated` or `revoked`."""
    contact: tuple[str, ...]
    """Where the CA may write to."""


@dataclass(frozen=True, slots=True)
class Order:
    """An order as the CA sees it (RFC 8555 §7.1.3)."""

    url: str
    status: str
    authorizations: tuple[str, ...]
    finalize: str
    certificate: str | None
    refusal: RefusedError | None
    """Why it became invalid, if the CA says so."""
    retry_after_s: float | None


@dataclass(frozen=True, slots=True)
class Authorization:
    """Whether the CA believes that the domain is ours (RFC 8555 §7.1.4)."""

    url: str
    status: str
    challenge: Challenge | None
    """None if the CA offers no challenge of the kind."""
    offered: tuple[str, ...]
    """The kinds that it offers."""
    refusal: RefusedError | None
    """Why it became invalid, if the CA says so."""
    retry_after_s: float | None
