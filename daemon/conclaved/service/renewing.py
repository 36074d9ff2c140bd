"""The certificate is renewed in time, by the CA that issued it, without anybody asking.

When is `conclave_provisioning.enrollment.renewal`'s to say; this file sleeps until then and has the
enrollment done. Without a believable clock it waits for one. What an admin carried in is an admin's to renew:
this file only says when it ends. A room without a domain of its own gets the provider's certificate here, and
what was asked for and could not be had yet is asked for again.
"""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress

from conclave_provisioning.enrollment import EnrollmentError, RenewalWatch
from conclave_provisioning.enrollment.renewal import Plan
from conclaved.bus.room import EnrollmentRequest, RoomError, RoomErrorKind
from conclaved.identity import BelievedClock
from conclaved.service.enrolling import Enrolling

log = logging.getLogger(__name__)

LONGEST_SLEEP_S = 600.0
"""The clock may be set, and the machine may sleep: the wait is counted anew at least this often."""
CLOCK_S = 10.0
"""Between two looks at a clock that is not believed yet."""
SHORTEST_SLEEP_S = 0.2
FIRST_PAUSE_S, LONGEST_PAUSE_S = 2.0, 300.0
"""After an attempt that failed, whatever the plan says: a full disk takes no plan."""
DAY_S = 86400
WARN_BEFORE_S = 7 * DAY_S


class Renewing:
    """Owns the plan. One event loop owns it."""

    def __init__(
        self,
        enrolling: Enrolling,
        clock: BelievedClock,
        *,
        wall: Callable[[], float],
        changed: Callable[[], None],
    ) -> None:
        """`wall` gives Unix seconds with their fraction; `changed` is called when the plan is new."""
        self._enrolling = enrolling
        self._clock = clock
        self._wall = wall
        self._changed = changed
        self._wake = asyncio.Event()
        self._plan: Plan | None = None
        self._warned = ""
        self._failures = 0
        """How many attempts in a row have failed since the daemon started."""
        self._rests_until = 0.0
        """By the event loop's clock: no attempt before."""

    @property
    def renew_at(self) -> int:
        """When the certificate is to be renewed, Unix seconds; 0 where nobody does that."""
        return 0 if self._plan is None else int(self._plan.renew_at)

    @property
    def reason(self) -> str:
        """Why then, for people."""
        return "" if self._plan is None else self._plan.reason

    @property
    def warning(self) -> str:
        """What people in the room should know of the certificate's end, days before; empty if all is well."""
        now, status = self._clock.now(), self._enrolling.status()
        if now is None or not status.not_after:
            return ""
        is_in_time = self.renew_at > now and status.state != "failed"
        return warning_of(status.not_before, status.not_after, now, is_in_time=is_in_time)

    @property
    def days_left(self) -> int | None:
        """Whole days until the certificate ends, where people should know it; negative afterwards."""
        now = self._clock.now()
        if now is None or not self.warning:
            return None
        return (self._enrolling.status().not_after - now) // DAY_S

    def ask(self, *, is_forced: bool) -> bool:
        """Renew now if it is time, or if `is_forced`: whether that began. Raises RoomError."""
        if not self._enrolling.chain:
            raise RoomError(
                RoomErrorKind.NOT_ENROLLED,
                "there is no certificate to renew",
                hint="first: conclavectl identity enroll DOMAIN",
            )
        try:
            _, request = self._enrolling.renewal()
        except EnrollmentError as error:
            raise RoomError(RoomErrorKind.INVALID_ARGUMENT, str(error), hint=error.hint) from error
        if request is None:
            raise RoomError(
                RoomErrorKind.NOT_FOUND,
                "no CA is known that renews this certificate: it was carried in",
                hint="carry in another: conclavectl identity csr",
            )
        is_due = self._plan is not None and self._plan.renew_at <= self._wall()
        if is_forced or is_due:
            self._enrolling.start(request)
        return is_forced or is_due

    def look_again(self) -> None:
        """The certificate or the settings are others."""
        self._wake.set()

    async def run(self) -> None:
        """Renew for ever; ends by being cancelled."""
        while True:
            self._wake.clear()
            sleep_s = LONGEST_SLEEP_S
            try:
                sleep_s = await self._step()
            except (EnrollmentError, RoomError) as error:
                log.warning("the certificate cannot be renewed now: %s", error)
            except Exception:  # the task's root: a fault in one round must not end all renewals
                log.exception("a fault in renewing the certificate")
            self._warn()
            with suppress(TimeoutError):
                async with asyncio.timeout(min(max(sleep_s, SHORTEST_SLEEP_S), LONGEST_SLEEP_S)):
                    await self._wake.wait()

    async def _step(self) -> float:
        """Do what is due; how long there is nothing to do, in seconds."""
        if self._clock.now() is None:
            return CLOCK_S
        await self._enrolling.idle()
        return min(await self._take_up(), await self._renew())

    async def _take_up(self) -> float:
        """Ask again for what waits for another attempt, if the last one is long enough ago."""
        request = self._enrolling.waiting
        if request is None:
            return LONGEST_SLEEP_S
        try:
            watch = self._enrolling.watch(self._enrolling.settings(request))
        except (EnrollmentError, ValueError) as error:
            log.warning("what was asked for cannot be had with these settings: %s", error)
            self._enrolling.give_up_waiting()
            return LONGEST_SLEEP_S
        wait_s = await watch.not_before() - self._wall()
        if wait_s > 0:
            return wait_s
        log.info("taking up the enrollment of %s", request.domain)
        return await self._attempt(request)

    async def _renew(self) -> float:
        settings, request = self._enrolling.renewal()
        if settings is None or request is None:
            self._set(None)
            return LONGEST_SLEEP_S
        watch = self._enrolling.watch(settings)
        if not self._enrolling.chain:
            return await self._first(watch, request)
        plan = await watch.look(self._enrolling.chain[0])
        self._set(plan)
        if plan.renew_at > self._wall():
            return plan.wake_at - self._wall()
        log.info("renewing the certificate of %s: %s", request.domain, plan.reason)
        return await self._attempt(request)

    async def _first(self, watch: RenewalWatch, request: EnrollmentRequest) -> float:
        """The provider's certificate, for a room that has none of its own."""
        self._set(None)
        wait_s = await watch.not_before() - self._wall()
        if wait_s > 0:
            return wait_s
        return await self._attempt(request)

    async def _attempt(self, request: EnrollmentRequest) -> float:
        """Try, unless an attempt has just failed; how long to do nothing then, in seconds."""
        loop = asyncio.get_running_loop()
        if loop.time() < self._rests_until:
            return self._rests_until - loop.time()
        self._enrolling.start(request)
        await self._enrolling.idle()
        if self._enrolling.status().state != "failed":
            self._failures = 0
            return 0.0
        pause_s = min(FIRST_PAUSE_S * 2.0 ** min(self._failures, 30), LONGEST_PAUSE_S)
        self._failures += 1
        self._rests_until = loop.time() + pause_s
        return pause_s

    def _warn(self) -> None:
        """Days go by without an event: tell when the warning has become another."""
        warning = self.warning
        if warning != self._warned:
            self._warned = warning
            self._changed()

    def _set(self, plan: Plan | None) -> None:
        if plan != self._plan:
            self._plan = plan
            self._changed()


def warning_of(not_before: int, not_after: int, now: int, *, is_in_time: bool) -> str:
    """The warning for a certificate of that life, Unix seconds; `is_in_time`: it is still to be renewed.

    A week before the end, or in the last fifth of a shorter life.
    """
    if now >= not_after:
        return "this room's certificate has expired: others see it as not verified"
    left_s = not_after - now
    if is_in_time or left_s > min(WARN_BEFORE_S, (not_after - not_before) / 5):
        return ""
    days = left_s // DAY_S
    ends = f"in {days} days" if days > 1 else "within two days" if left_s > DAY_S else "today"
    return f"this room's certificate ends {ends} and was not renewed: tell its admin"
