"""The errors of enrollment. Every one says what to do next in `hint`, where there is something to do.

What a CA writes is shown to people as it is, but cut to a bounded length and to printable characters.
"""

_MAX_REMOTE_CHARACTERS = 500


class EnrollmentError(Exception):
    """Root of the room's errors. `hint` tells a person what to do next."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class LocalEnrollmentError(EnrollmentError):
    """Kind *local*: the caller, the configuration or this device broke a rule."""


class RemoteEnrollmentError(EnrollmentError):
    """Kind *remote*: the CA refused, or what it sent breaks a rule."""


class BadDomainError(LocalEnrollmentError):
    """A domain for which no certificate can be asked here."""


class SettingsError(LocalEnrollmentError):
    """The ACME settings cannot work."""


class StateError(LocalEnrollmentError):
    """The account or the order cannot be read from the disk or written to it."""


class BusyError(LocalEnrollmentError):
    """Another enrollment is under way."""


class ChallengeSetupError(LocalEnrollmentError):
    """This device could not publish the answer to a challenge."""


class RefusedError(RemoteEnrollmentError):
    """The CA answered with a problem document (RFC 8555 §6.7)."""

    def __init__(
        self, doing: str, problem_type: str, detail: str, subproblems: tuple[str, ...] = (), *, hint: str = ""
    ) -> None:
        self.problem_type = printable(problem_type)
        """The problem's type, without the ACME prefix: `rejectedIdentifier`, say."""
        self.detail = printable(detail)
        """The CA's own words."""
        self.subproblems = tuple(printable(subproblem) for subproblem in subproblems)
        """The CA's own words on each part, if it told parts."""
        parts = "; ".join((self.detail, *self.subproblems))
        super().__init__(
            f"the CA refused {doing}: {self.problem_type}: {parts}", hint=hint or _HINTS.get(problem_type, "")
        )


class ValidationFailedError(RefusedError):
    """The CA looked for the answer to its challenge and did not find it."""


class RateLimitedError(RefusedError):
    """The CA has had too many requests; `retry_after_s` is how long to wait, None if it says nothing."""

    def __init__(self, doing: str, detail: str, retry_after_s: float | None) -> None:
        wait = f"wait {int(retry_after_s)} s" if retry_after_s is not None else "wait some hours"
        super().__init__(doing, "rateLimited", detail, hint=f"{wait}, then enroll again")
        self.retry_after_s = retry_after_s


class BadResponseError(RemoteEnrollmentError):
    """The server's answer is not ACME, or not what was asked for."""


class UnreachableError(RemoteEnrollmentError):
    """The CA cannot be reached, or its TLS certificate is not trusted."""


class EnrollmentTimeoutError(EnrollmentError):
    """Kind *timeout*: the CA did not finish in time. The order is kept: the next attempt takes it up."""


class EnrollmentCancelledError(EnrollmentError):
    """Kind *gone*: the enrollment was cancelled. The order is kept: the next attempt takes it up."""


_WRONG_ANSWER = "check that the domain's DNS leads to this device and that nothing else answers there"
_HINTS = {
    "rejectedIdentifier": "the CA does not issue for this domain: check its spelling, or use another CA",
    "unsupportedIdentifier": "check the domain's spelling",
    "caa": "allow this CA in the domain's CAA record",
    "connection": "let the CA reach this device on port 80 under its domain, or use dns-01",
    "unauthorized": _WRONG_ANSWER,
    "incorrectResponse": _WRONG_ANSWER,
    "dns": "check the domain's DNS records",
    "unknownHost": "check the domain's DNS records",
    "dnssec": "check the domain's DNSSEC signatures",
    "externalAccountRequired": "set the key id and MAC key that the CA gave you for external account binding",
    "userActionRequired": "read the CA's terms and agree to them",
    "agreementRequired": "read the CA's terms and agree to them",
    "invalidContact": "correct the mail address in the ACME settings",
    "unsupportedContact": "correct the mail address in the ACME settings",
    "serverInternal": "the CA has trouble: try again later",
    "badCSR": "reset the identity's key and enroll again",
    "badNonce": "try again later: the CA rejects every nonce it hands out",
}


def printable(text: str) -> str:
    """Text of a stranger's, bounded and in one line of printable characters."""
    cut = text if len(text) <= _MAX_REMOTE_CHARACTERS else text[:_MAX_REMOTE_CHARACTERS] + "..."
    return "".join(character if character.isprintable() else " " for character in cut)
