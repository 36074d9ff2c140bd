"""One meeting, running: a session with its carrier, its jobs and its media.

The session decides; this file only moves values: events in, effects out, jobs to worker threads,
keys to the media engine, at once and in the loop's thread.

However it ends, in order, by a fault of this device, or cancelled, the session and the media engine
are closed: no key of the meeting outlives `run`. A fault never ends it silently: whatever raises
unexpectedly, wherever it was called from, becomes the reason of the end.
"""

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

from conclaved.conference.base import Carrier
from conclaved.conference.errors import ConferenceError
from conclaved.identity import IdentityError
from conclaved.media import MediaError
from conclaved.meeting import (
    Admission,
    LocalError,
    MediaState,
    MeetingView,
    OwnIdentity,
    OwnRules,
    Record,
    Session,
    State,
)
from conclaved.meeting.events import (
    Announce,
    BadInput,
    CarrierEvent,
    Changed,
    Connected,
    Disconnected,
    Effect,
    Ended,
    GroupLeft,
    Lane,
    NewEpoch,
    Publish,
    Replay,
    SendLive,
    SendLobby,
    StartJob,
)
from conclaved.meeting.meeting_context import MeetingContext
from conclaved.rtp.offer import MediaOffer
from conclaved.service.rounds import Rounds
from conclaved.service.signing_queue import SigningQueue
from conclaved.sframe import EpochKeys

log = logging.getLogger(__name__)

MEDIA_RETRY_S = 5.0
"""Between two tries to get a way to the relay; the meeting itself goes on without."""


class Media(Protocol):
    """What a meeting needs of the media engine."""

    async def start(self, offer: MediaOffer) -> None: ...
    def advance(self, keys: EpochKeys) -> None: ...
    def set_sending(self, is_sending: bool) -> None: ...
    async def stop(self) -> None: ...


FAULT = Ended("this device could not go on", is_error=True, hint="join again, and see: conclavectl logs")

MakeMedia = Callable[[Callable[[int, int], None], Callable[[], None]], Media]
"""From (on_authenticated(leaf, epoch), on_unknown_epoch()) to a media engine."""


class MeetingRunner:
    """Runs a session until it ends."""

    def __init__(
        self, session: Session, carrier: Carrier, make_media: MakeMedia, *, changed: Callable[[], None]
    ) -> None:
        """`make_media` gives a media engine for one group; `changed` is called when `view()` is new."""
        self._session = session
        self._carrier = carrier
        self._make_media = make_media
        self._media = make_media(self.media_heard, self.unknown_epoch_heard)
        self._old_media: list[Media] = []
        self._changed = changed
        self._tasks: asyncio.TaskGroup | None = None
        self._signing = SigningQueue()
        self._key = ThreadPoolExecutor(1, thread_name_prefix="meeting-key")
        self._group = ThreadPoolExecutor(1, thread_name_prefix="meeting-group")
        self._ended: Ended | None = None
        self._has_ended = asyncio.Event()
        self._wake = asyncio.Event()
        self._rounds = Rounds()
        self._view = session.view()
        self._wants_media = asyncio.Event()
        self.bad_inputs: Counter[str] = Counter()

    def view(self) -> MeetingView:
        """The session's view, as it was after the last event."""
        return self._view

    @property
    def ended(self) -> Ended | None:
        """How the session ended, as soon as it has."""
        return self._ended

    @property
    def admission(self) -> Admission | None:
        """This device's admission, once it has one: with it the device may come back."""
        return self._session.admission

    @property
    def kept_terms(self) -> MeetingContext | None:
        """See Session.kept_terms."""
        return self._session.kept_terms

    @property
    def record(self) -> Record:
        """What the session has written down."""
        return self._session.record

    async def run(self) -> Ended:
        """Run until the session ends, or until cancelled: then every key is dropped all the same."""
        try:
            async with asyncio.TaskGroup() as tasks:
                self._tasks = tasks
                own = [
                    tasks.create_task(self._carrier.run(self._on_event)),
                    tasks.create_task(self._tick()),
                    tasks.create_task(self._keep_media()),
                ]
                await self._has_ended.wait()
                await self._carrier.flush()
                for task in own:
                    task.cancel()
        except* Exception as errors:  # noqa: BLE001 -- the root of the meeting's tasks
            self._fail(errors)
        finally:
            self._tasks = None
            # Cancelled, it has not: whoever waits for a sign of life waits no longer.
            self._has_ended.set()
            self._close_session()
            for thread in (self._key, self._group):
                thread.shutdown(wait=False, cancel_futures=True)
            every = (*self._old_media, self._media)
            for outcome in await asyncio.gather(*(m.stop() for m in every), return_exceptions=True):
                if isinstance(outcome, Exception):
                    log.error("media did not stop in order", exc_info=outcome)
        assert self._ended is not None  # noqa: S101 -- `_has_ended` says so
        return self._ended

    def leave(self) -> None:
        """Leave the meeting; `run` returns soon after."""
        self._media.set_sending(False)
        self._do(lambda now: self._session.leave(now))

    def admit(self, name_or_id: str) -> None:
        """See Session.admit. Raises LocalError."""
        self._do(lambda now: self._session.admit(name_or_id, now), LocalError)

    def deny(self, name_or_id: str) -> None:
        """See Session.deny. Raises LocalError."""
        self._do(lambda now: self._session.deny(name_or_id, now), LocalError)

    def kick(self, leaf: int) -> None:
        """See Session.kick. Raises LocalError."""
        self._do(lambda now: self._session.kick(leaf, now), LocalError)

    def allow_back(self, key_id: str) -> None:
        """See Session.allow_back. Raises LocalError."""
        self._do(lambda now: self._session.allow_back(key_id, now), LocalError)

    def end_for_all(self) -> None:
        """See Session.end_for_all. Raises LocalError."""
        self._do(lambda now: self._session.end_for_all(now), LocalError)

    def hand_over(self, leaf: int) -> None:
        """See Session.hand_over. Raises LocalError."""
        self._do(lambda now: self._session.hand_over(leaf, now), LocalError)

    def compare(self, leaf: int, *, is_compared: bool) -> None:
        """See Session.compare. Raises LocalError."""
        self._do(lambda now: self._session.compare(leaf, is_compared, now), LocalError)

    def trust_changed(self) -> None:
        """See Session.trust_changed."""
        self._do(lambda now: self._session.trust_changed(now))

    def rules_changed(self, rules: OwnRules) -> None:
        """See Session.rules_changed."""
        self._do(lambda now: self._session.rules_changed(rules, now))

    def identity_changed(self, identity: OwnIdentity) -> None:
        """See Session.identity_changed."""
        self._do(lambda now: self._session.identity_changed(identity, now))

    def media_is(self, state: MediaState) -> None:
        """See Session.media_is."""
        self._do(lambda now: self._session.media_is(state, now))

    def media_heard(self, leaf: int, epoch: int) -> None:
        """The media engine authenticated a frame."""
        self._do(lambda now: self._session.media_heard(leaf, epoch, now))

    def unknown_epoch_heard(self) -> None:
        """The media engine saw a frame of an epoch that it has no key for."""
        self._do(lambda now: self._session.unknown_epoch_heard(now))

    async def give_sign_of_life(self) -> None:
        """Return when the session has had its turn, or the meeting has ended."""
        self._wake.set()
        waits = [asyncio.ensure_future(wait) for wait in (self._rounds.next(), self._has_ended.wait())]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    def _now(self) -> float:
        return asyncio.get_running_loop().time()

    def _on_event(self, event: CarrierEvent) -> None:
        self._do(lambda now: self._session.handle(event, now))
        if isinstance(event, Connected | Disconnected):
            self._wants_media.set()

    async def _tick(self) -> None:
        while True:
            self._do(lambda now: self._session.tick(now))
            self._rounds.turn()
            now = self._now()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(0.01, self._session.next_deadline(now) - now)):
                    await self._wake.wait()
            self._wake.clear()

    async def _keep_media(self) -> None:
        """A place in the relay whenever we are in the group and have just (re)connected."""
        while True:
            await self._wants_media.wait()
            self._wants_media.clear()
            await self._stop_old_media()
            if self._view.state is not State.IN_GROUP:
                continue
            try:
                await self._media.start(await self._carrier.open_media())
            except (ConferenceError, MediaError) as error:
                log.warning("no media: %s", error)
                await asyncio.sleep(MEDIA_RETRY_S)
                self._wants_media.set()

    async def _stop_old_media(self) -> None:
        while self._old_media:
            await self._old_media.pop().stop()

    def _do(self, step: Callable[[float], list[Effect]], *expected: type[Exception]) -> None:
        """Let the session do something, and do what it asks; what is `expected` is for the caller."""
        try:
            self._apply(step(self._now()))
        except expected:
            raise
        except Exception as error:  # noqa: BLE001 -- callers are tasks, sockets and the bus: none would end us
            self._fail(error)

    def _fail(self, error: BaseException) -> None:
        log.error("a fault of this device ends the meeting", exc_info=error)
        self._close_session()
        if self._ended is None:
            try:
                self._end(_end_by(error))
            except Exception:  # whoever is told is broken too: `run` tells the end all the same
                log.exception("the meeting's end was not told in order")

    def _end(self, ended: Ended) -> None:
        self._ended = ended
        self._has_ended.set()
        self._update()

    def _close_session(self) -> None:
        try:
            self._session.close(self._now())
        except Exception:  # what is broken is closed as far as it goes
            log.exception("the meeting's session did not close in order")

    def _apply(self, effects: list[Effect]) -> None:
        for effect in effects:
            match effect:
                case Publish() | SendLobby() | SendLive() | Replay() | Announce():
                    self._carrier.perform(effect)
                case StartJob(lane=Lane.GROUP) if self._tasks is not None:
                    self._tasks.create_task(self._work(effect, self._group))
                case StartJob():
                    self._signing.put(effect)
                case NewEpoch(keys):
                    self._media.advance(keys)
                case GroupLeft():
                    # A keyring serves one group: epochs of the next one may count from the beginning.
                    self._media.set_sending(False)
                    self._old_media.append(self._media)
                    self._media = self._make_media(self.media_heard, self.unknown_epoch_heard)
                    self._wants_media.set()
                case Changed():
                    self._update()
                case BadInput(error):
                    self._note(error)
                case Ended() if self._ended is None:
                    self._end(effect)
                case _:
                    pass
        self._sign_next()

    def _sign_next(self) -> None:
        job = None if self._tasks is None else self._signing.take()
        if job is not None and self._tasks is not None:
            self._tasks.create_task(self._sign(job))

    async def _sign(self, job: StartJob) -> None:
        try:
            await self._work(job, self._key)
        finally:
            self._signing.is_done()
            self._sign_next()

    async def _work(self, job: StartJob, thread: ThreadPoolExecutor) -> None:
        loop = asyncio.get_running_loop()
        try:
            result = await loop.run_in_executor(thread, job.run)
        except Exception as error:  # noqa: BLE001 -- a job's root: the session turns it into an end
            failure = error
            self._do(lambda now: self._session.job_failed(job.job_id, failure, now))
        else:
            self._do(lambda now: self._session.job_done(job.job_id, result, now))

    def _update(self) -> None:
        before, self._view = self._view, self._session.view()
        if self._view.state is State.IN_GROUP and before.state is not State.IN_GROUP:
            self._wants_media.set()
        self._media.set_sending(self._view.may_send)
        self._changed()

    def _note(self, error: Exception) -> None:
        """Each kind of bad input is logged once, and counted."""
        kind = f"{type(error).__name__}: {error}"
        self.bad_inputs[kind] += 1
        if self.bad_inputs[kind] == 1:
            log.warning("ignored bad input: %s", kind)
        if len(self.bad_inputs) > 256:
            del self.bad_inputs[self.bad_inputs.most_common()[-1][0]]


def _end_by(error: BaseException) -> Ended:
    """A key that cannot sign has its own words for why, and for what to do; all else is in the journal."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    if isinstance(error, IdentityError):
        return Ended(f"this device could not do its part: {error}", is_error=True, hint=error.hint)
    return FAULT
