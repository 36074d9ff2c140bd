"""The errors of enrollment. Each fault has a class, a stable word (`kind`) and, in `hint`, what to do.

    local    SettingsError, BadDomainError, StagingError, StateError, BusyError, ChallengeSetupError,
             ClockError
    remote   RefusedError (the CA's problem documents), BadResponseError, UnreachableError
    timeout  EnrollmentTimeoutError
    gone     EnrollmentCancelledError

`kind` is for programs: it never changes, and more of them may come. What a CA writes is shown to people as it
is, but cut to a bounded length and to printable characters.
"""

from typing import ClassVar

_MAX_REMOTE_CHARACTERS = 500


class EnrollmentError(Exception):
    """Root of the room's errors. `hint` tells a person what to do next."""

    kind: ClassVar[str] = "failed"
    """A word for programs."""
    keeps_order: ClassVar[bool] = True
    """Whether the order under way may still succeed."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class LocalEnrollmentError(EnrollmentError):
    """Kind *local*: the caller, the configuration or this device broke a rule."""


class RemoteEnrollmentError(EnrollmentError):
    """Kind *remote*: the CA refused, or what it sent breaks a rule."""


class BadDomainError(LocalEnrollmentError):
    """A domain for which no certificate can be asked here."""

    kind = "bad_domain"


class SettingsError(LocalEnrollmentError):
    """The ACME settings cannot work."""

    kind = "bad_settings"


class ProfileError(SettingsError):
    """The CA does not offer the profile that the settings name."""

    kind = "no_such_profile"


class StagingError(LocalEnrollmentError):
    """A staging CA's certificate would take the place of a real one."""

    kind = "staging"


class StateError(LocalEnrollmentError):
    """The account or the order cannot be read from the disk or written to it."""

    kind = "state"


class BusyError(LocalEnrollmentError):
    """Another enrollment is under way."""

    kind = "busy"


class ChallengeSetupError(LocalEnrollmentError):
    """This device could not publish the answer to a challenge."""

    kind = "challenge_setup"


class DnsUpdateError(ChallengeSetupError):
    """The DNS server did not take the record, or could not be asked."""

    kind = "dns_update"


class RecordNotSeenError(ChallengeSetupError):
    """A DNS record that the CA will look for is not there in time."""

    kind = "dns_record_missing"


class ClockError(LocalEnrollmentError):
    """This device's clock and the CA's are too far apart."""

    kind = "wrong_clock"


class RefusedError(RemoteEnrollmentError):
    """The CA answered with a problem document (RFC 8555 §6.7)."""

    kind = "refused"
    keeps_order = False

    def __init__(
        self, doing: str, problem_type: str, detail: str, subproblems: tuple[str, ...] = (), *, hint: str = ""
    ) -> None:
        self.problem_type = printable(problem_type)
        """The problem's type, without the ACME prefix: `rejectedIdentifier`, say."""
        self.detail = printable(detail)
        """The CA's own words."""
        self.subproblems = tuple(printable(subproblem) for subproblem in subproblems)
        """The CA's own words on each part, if it told parts."""
        self.retry_after_s: float | None = None
        """How long the CA wants to be left alone, if it says so."""
        parts = "; ".join((self.detail, *self.subproblems))
        super().__init__(
            f"the CA refused {doing}: {self.problem_type}: {parts}", hint=hint or _HINTS.get(problem_type, "")
        )


class ValidationFailedError(RefusedError):
    """The CA looked for the answer to its challenge and did not find it."""

    kind = "validation_failed"


class ChallengeUnreachableError(ValidationFailedError):
    """The CA could not reach this device, or not find its name, to look for the answer."""

    kind = "challenge_unreachable"


class CaaError(ValidationFailedError):
    """The domain's CAA record does not let this CA issue."""

    kind = "caa"


class RateLimitedError(RefusedError):
    """The CA has had too many requests; `retry_after_s` is how long to wait, None if it says nothing."""

    kind = "rate_limited"
    keeps_order = True

    def __init__(self, doing: str, detail: str, retry_after_s: float | None) -> None:
        wait = f"wait {int(retry_after_s)} s" if retry_after_s is not None else "wait some hours"
        super().__init__(doing, "rateLimited", detail, hint=f"{wait}, then enroll again")
        self.retry_after_s = retry_after_s


class CaTroubleError(RefusedError):
    """The CA has trouble of its own (HTTP 5xx, `serverInternal`)."""

    kind = "ca_trouble"
    keeps_order = True


class BadNonceError(RefusedError):
    """The CA rejects every nonce that it hands out."""

    kind = "bad_nonce"
    keeps_order = True


class NotReadyError(RefusedError):
    """The CA is not as far with the order as it said (`orderNotReady`)."""

    kind = "not_ready"
    keeps_order = True


class BadResponseError(RemoteEnrollmentError):
    """The server's answer is not ACME, or not what was asked for."""

    kind = "bad_response"
    keeps_order = False


class WrongNameError(BadResponseError):
    """The CA's certificate is for another name."""

    kind = "wrong_name"


class WrongKeyError(BadResponseError):
    """The CA's certificate is for another key than this device's."""

    kind = "wrong_key"


class BrokenChainError(BadResponseError):
    """The CA's certificates do not sign one another."""

    kind = "broken_chain"


class NotValidNowError(BadResponseError):
    """The CA's certificate is no longer valid, or not yet, by this device's clock."""

    kind = "not_valid_now"


class UnreachableError(RemoteEnrollmentError):
    """The CA cannot be reached, or its TLS certificate is not trusted."""

    kind = "unreachable"


class ConnectionDroppedError(UnreachableError):
    """The connection to the CA ended in the middle."""

    kind = "dropped"


class UntrustedError(UnreachableError):
    """The TLS certificate of the CA's API is not trusted."""

    kind = "tls_untrusted"


class EnrollmentTimeoutError(EnrollmentError):
    """Kind *timeout*: the CA did not finish in time. The order is kept: the next attempt takes it up."""

    kind = "timed_out"


class EnrollmentCancelledError(EnrollmentError):
    """Kind *gone*: the enrollment was cancelled. The order is kept: the next attempt takes it up."""

    kind = "cancelled"


_WRONG_ANSWER = "check that the domain's DNS leads to this device and that nothing else answers there"
_CAA = "allow this CA in the domain's CAA record"
_TERMS = "read the CA's terms and agree to them"
_CONTACT = "correct the mail address in the ACME settings"
_HINTS = {
    "rejectedIdentifier": "the CA does not issue for this domain: check its spelling, or use another CA",
    "unsupportedIdentifier": "check the domain's spelling",
    "caa": _CAA,
    "connection": "let the CA reach this device on port 80 under its domain, or use dns-01",
    "tls": "let the CA reach this device on port 443 under its domain, or use dns-01",
    "unauthorized": _WRONG_ANSWER,
    "incorrectResponse": _WRONG_ANSWER,
    "dns": "check the domain's DNS records",
    "unknownHost": "check the domain's DNS records",
    "dnssec": "check the domain's DNSSEC signatures",
    "externalAccountRequired": "set the key id and MAC key that the CA gave you for external account binding",
    "userActionRequired": _TERMS,
    "agreementRequired": _TERMS,
    "invalidContact": _CONTACT,
    "unsupportedContact": _CONTACT,
    "serverInternal": "the CA has trouble: try again later",
    "badCSR": "reset the identity's key and enroll again",
    "badNonce": "try again later: the CA rejects every nonce it hands out",
    "invalidProfile": "choose a profile that the CA offers, or none",
    "accountDoesNotExist": "enroll again: a new account will be made",
    "badRevocationReason": "revoke without a reason, or with another one",
}


def printable(text: str) -> str:
    """Text of a stranger's, bounded and in one line of printable characters."""
    cut = text if len(text) <= _MAX_REMOTE_CHARACTERS else text[:_MAX_REMOTE_CHARACTERS] + "..."
    return "".join(character if character.isprintable() else " " for character in cut)
