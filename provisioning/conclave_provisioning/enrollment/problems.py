"""A CA's problem documents as this room's errors (RFC 7807, RFC 8555 §6.7). Heavy: imports `acme`."""

from http import HTTPStatus
from typing import Any, TypeVar

from acme import messages
from josepy.errors import Error as JoseError

from conclave_provisioning.enrollment.errors import (
    BadNonceError,
    BadResponseError,
    CaaError,
    CaTroubleError,
    ChallengeUnreachableError,
    EnrollmentError,
    NotReadyError,
    RateLimitedError,
    RefusedError,
    ValidationFailedError,
)
from conclave_provisioning.enrollment.settings import ChallengeKind
from conclave_provisioning.enrollment.transport import Answer

R = TypeVar("R", bound=RefusedError)
_KINDS: dict[str, type[RefusedError]] = {
    "badNonce": BadNonceError,
    "serverInternal": CaTroubleError,
    "orderNotReady": NotReadyError,
    "caa": CaaError,
}
_NOT_REACHED = {"connection", "tls", "dns", "unknownHost", "dnssec"}
_REACH = {
    ChallengeKind.HTTP_01: "let the CA reach this device on port 80 under its domain, or use dns-01",
    ChallengeKind.TLS_ALPN_01: "let the CA reach this device on port 443 under its domain, or use dns-01",
    ChallengeKind.DNS_01: "check that the zone's servers answer the CA, and with the record",
    ChallengeKind.DNS_PERSIST_01: "check that the zone's servers answer the CA, and with the record",
}


def error_of(doing: str, answer: Answer) -> EnrollmentError:
    """What a refusal means; ``doing`` is what was asked for, in words."""
    document = answer.problem
    try:
        problem = messages.Error.from_json(document) if document is not None else None
    except (JoseError, ValueError, TypeError, AttributeError, KeyError):
        problem = None
    if answer.status == HTTPStatus.TOO_MANY_REQUESTS or (
        problem is not None and problem.code == "rateLimited"
    ):
        detail = (problem.detail if problem is not None else None) or "too many requests"
        return RateLimitedError(doing, detail, answer.retry_after_s)
    if answer.status == HTTPStatus.NOT_IMPLEMENTED:
        # The problem's type, where there is one, is whatever came to hand.
        detail = (problem.detail if problem is not None else None) or "not implemented"
        return RefusedError(doing, "notImplemented", detail, hint="the CA does not offer this: do without it")
    if problem is None and answer.status < 500:
        return BadResponseError(
            f"the answer of {answer.url} is not ACME (HTTP {answer.status})",
            hint="check that the address is the CA's ACME directory",
        )
    if problem is None:
        error: RefusedError = CaTroubleError(
            doing, f"HTTP {answer.status}", "the CA has trouble", hint="the CA has trouble: try again later"
        )
    else:
        fallback = CaTroubleError if answer.status >= 500 else RefusedError
        error = refusal(doing, problem, fallback)
    error.retry_after_s = answer.retry_after_s
    return error


def refusal(doing: str, problem: Any, fallback: type[RefusedError] = RefusedError) -> RefusedError:
    """A problem document as an error: of its own class if it has one, else ``fallback``."""
    return _made(_KINDS.get(problem.code or "", fallback), doing, problem)


def validation_failure(problem: Any, kind: ChallengeKind) -> ValidationFailedError:
    """Why the CA did not accept the answer to a challenge."""
    if problem.code == "caa":
        return _made(CaaError, "the domain", problem)
    if problem.code in _NOT_REACHED:
        return _made(ChallengeUnreachableError, "the domain", problem, hint=_REACH[kind])
    return _made(ValidationFailedError, "the domain", problem)


def _made(made: type[R], doing: str, problem: Any, *, hint: str = "") -> R:
    problem_type = (problem.typ or "about:blank").removeprefix(messages.ERROR_PREFIX)
    parts = tuple(
        f"{part.identifier.value if part.identifier else ''} {part.detail or part.typ}".strip()
        for part in problem.subproblems or ()
    )
    return made(doing, problem_type, problem.detail or problem.title or "no reason given", parts, hint=hint)
