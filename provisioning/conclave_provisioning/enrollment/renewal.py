"""When to renew a certificate, and when to ask the CA about it: pure rules, with time and chance handed in.

A CA that offers renewal information (RFC 9773) names a window; a random moment in it is chosen once, kept,
and chosen anew only when the window changes (§4.2). Otherwise a certificate is renewed after two thirds of
its life, or half of it if it lives less than ten days, and a random twentieth of its life later, so that a
building's rooms do not all come at once.

After a failure the wait grows, but leaves time for more attempts, and keeps to what the CA says: its
Retry-After, and the failed validations that it bears in an hour. Whatever a CA says, there is a least pause
between two renewals and between two attempts: a certificate of twenty seconds, or a window that lies in the
past for ever, does not make a device spin.

All moments are Unix seconds. `RenewalState` is the memory of these rules; `renewal_file` keeps it.
"""

from dataclasses import dataclass, replace

from conclave_provisioning.enrollment.renewal_info import RenewalInfo

DAY_S = 86400.0
SHORT_LIFE_S = 10 * DAY_S
JITTER = 1 / 20
LATEST = 0.95
"""No window makes a certificate wait for more than this part of its life."""

SHORTEST_ASK_S, USUAL_ASK_S, LONGEST_ASK_S = 60.0, 6 * 3600.0, DAY_S
"""How often the CA is asked for its window (RFC 9773 §4.3)."""

FIRST_RETRY_S, LONGEST_RETRY_S = 300.0, 6 * 3600.0
FIRST_RETRY_UNREACHED_S, LONGEST_RETRY_UNREACHED_S = 15.0, 600.0
"""Where no CA was reached none was troubled: mostly it is the device's network, which will be there soon."""
LONGEST_WISH_S = 7 * DAY_S
"""How long a CA can make a device wait by Retry-After."""
LONGEST_WAIT_S = max(LONGEST_WISH_S, (1 + JITTER) * LONGEST_RETRY_S)
"""From a failure to the next attempt."""
VALIDATION_PERIOD_S = 3600.0
MAX_FAILED_VALIDATIONS = 4
"""In an hour. Public CAs bear five for a name and account: the last one is left to the admin."""


@dataclass(frozen=True, slots=True)
class Life:
    """A certificate's validity. Raises ValueError if it ends before it begins."""

    begin: float
    """Not before."""
    end: float
    """Not after."""

    def __post_init__(self) -> None:
        if not self.end > self.begin:
            raise ValueError("a certificate's life ends after it begins")

    @property
    def length(self) -> float:
        """In seconds."""
        return self.end - self.begin


@dataclass(frozen=True, slots=True)
class RenewalState:
    """What has to be remembered about one certificate between two looks, and over a restart."""

    certificate: str = ""
    """The fingerprint of the certificate that it is about; empty: of none yet."""
    window: tuple[float, float] | None = None
    """The CA's window, if it gave one."""
    chosen: float | None = None
    """The moment that was chosen for the renewal."""
    explanation_url: str = ""
    """Why the CA wants that window."""
    ask_at: float = 0.0
    """When to ask the CA for its window."""
    ask_failures: int = 0
    """How many questions in a row had no answer."""
    taken_at: float = 0.0
    """When the certificate was taken into use."""
    failures: int = 0
    """How many attempts in a row have failed."""
    not_before: float = 0.0
    """No attempt sooner than this."""
    failed_validations: tuple[float, ...] = ()
    """When the CA last failed to validate the domain."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What comes next."""

    renew_at: float
    """When to renew: at once if that is past."""
    ask_at: float
    """When to ask the CA for its window."""
    reason: str
    """Why then, for people."""

    @property
    def wake_at(self) -> float:
        """When to look again."""
        return min(self.renew_at, self.ask_at)


def for_certificate(
    state: RenewalState, certificate: str, life: Life, *, now: float, chance: float
) -> RenewalState:
    """The state for the certificate in force: kept if it is about it, else begun anew.

    ``chance`` is from 0 up to 1. Prevents that the failures of one certificate slow down the next.
    """
    if state.certificate == certificate:
        return believable(state, now)
    return RenewalState(
        certificate=certificate,
        chosen=_by_life(life, chance),
        ask_at=now,
        taken_at=now,
        failed_validations=believable(state, now).failed_validations,
    )


def believable(state: RenewalState, now: float) -> RenewalState:
    """The state without moments that no rule here sets: the clock was ahead when they were noted.

    Prevents that a clock that was wrong for a minute keeps a device from renewing for years.
    """
    return replace(
        state,
        ask_at=state.ask_at if state.ask_at <= now + LONGEST_ASK_S else now,
        taken_at=min(state.taken_at, now),
        not_before=state.not_before if state.not_before <= now + LONGEST_WAIT_S else now,
        failed_validations=tuple(moment for moment in state.failed_validations if moment <= now),
    )


def plan(state: RenewalState, life: Life) -> Plan:
    """When to renew and when to ask, from what is known."""
    chosen = state.chosen if state.chosen is not None else _by_life(life, 0.0)
    reason = "the CA suggests it" if state.window is not None else "enough of its life is over"
    at = min(chosen, life.begin + LATEST * life.length)
    # A certificate that was old when it came, or a window in the past, must not be renewed at once for ever.
    rest = state.taken_at + _least_rest(life)
    if rest > at:
        at, reason = rest, "it was renewed a moment ago"
    if state.not_before > at:
        at, reason = state.not_before, "an attempt failed, and the CA wants to be left alone for a while"
    return Plan(at, state.ask_at, reason)


def after_info(
    state: RenewalState, info: RenewalInfo | None, life: Life, *, now: float, chance: float
) -> RenewalState:
    """The CA answered; None: it has no say about this certificate. ``chance`` is from 0 up to 1."""
    if info is None:
        return replace(state, ask_at=now + USUAL_ASK_S, ask_failures=0)
    window = (info.start, info.end)
    chosen = state.chosen
    if window != state.window or chosen is None:
        chosen = info.start + chance * (info.end - info.start)
    wish = USUAL_ASK_S if info.retry_after_s is None else info.retry_after_s
    pause = min(max(wish, _least_ask(life)), LONGEST_ASK_S)
    return replace(
        state,
        window=window,
        chosen=chosen,
        explanation_url=info.explanation_url,
        ask_at=now + pause,
        ask_failures=0,
    )


def after_no_info(
    state: RenewalState, life: Life, *, now: float, retry_after_s: float | None = None
) -> RenewalState:
    """The CA could not be asked: what it said before stays, and the pause grows (RFC 9773 §4.3.3)."""
    failures = state.ask_failures + 1
    pause = min(_least_ask(life) * 2.0 ** min(failures - 1, 30), USUAL_ASK_S)
    wish = min(retry_after_s or 0.0, LONGEST_ASK_S)
    return replace(state, ask_at=now + max(pause, wish), ask_failures=failures)


def after_failure(
    state: RenewalState,
    life: Life | None,
    *,
    now: float,
    chance: float,
    retry_after_s: float | None = None,
    is_validation: bool = False,
    is_unreached: bool = False,
) -> RenewalState:
    """An attempt failed. ``life`` is that of the certificate in force, if there is one.

    ``is_validation``: the CA looked at the domain and was not content; ``is_unreached``: it was not even
    asked. ``chance`` is from 0 up to 1.
    """
    failures = state.failures + 1
    first, longest = _retries(life)
    if is_unreached:
        first, longest = min(first, FIRST_RETRY_UNREACHED_S), min(longest, LONGEST_RETRY_UNREACHED_S)
    pause = min(first * 2.0 ** min(failures - 1, 30), longest) * (1 + chance * JITTER)
    at = now + max(pause, min(retry_after_s or 0.0, LONGEST_WISH_S))
    recent = tuple(moment for moment in state.failed_validations if moment > now - VALIDATION_PERIOD_S)
    if is_validation:
        recent = (*recent, now)[-2 * MAX_FAILED_VALIDATIONS :]
    if len(recent) >= MAX_FAILED_VALIDATIONS:
        at = max(at, recent[-MAX_FAILED_VALIDATIONS] + VALIDATION_PERIOD_S)
    return replace(state, failures=failures, not_before=at, failed_validations=recent)


def _by_life(life: Life, chance: float) -> float:
    part = 1 / 2 if life.length < SHORT_LIFE_S else 2 / 3
    return life.begin + (part + chance * JITTER) * life.length


def _least_rest(life: Life) -> float:
    return min(max(life.length / 4, 2.0), 3600.0)


def _least_ask(life: Life) -> float:
    return min(max(life.length / 4, 1.0), SHORTEST_ASK_S)


def _retries(life: Life | None) -> tuple[float, float]:
    """The first pause after a failure, and the longest, so that a short life holds several attempts."""
    if life is None:
        return FIRST_RETRY_S, LONGEST_RETRY_S
    first = min(max(life.length / 100, 1.0), FIRST_RETRY_S)
    return first, max(first, min(life.length / 20, LONGEST_RETRY_S))
