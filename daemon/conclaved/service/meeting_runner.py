"""One meeting, running: a session with its carrier, its jobs and its media.

The session decides; this file only moves values: events in, effects out, jobs to worker threads,
keys to the media engine, at once and in the loop's thread.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

from conclaved.conference.base import Carrier
from conclaved.conference.errors import ConferenceError
from conclaved.media import MediaError
from conclaved.meeting import MeetingView, Session, State
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
    NewEpoch,
    Publish,
    Replay,
    SendLive,
    SendLobby,
    StartJob,
)
from conclaved.rtp.offer import MediaOffer
from conclaved.sframe import EpochKeys

log = logging.getLogger(__name__)

JOB_THREADS = 2
MEDIA_RETRY_S = 5.0
"""Between two tries to get a way to the relay; the meeting itself goes on without."""


class Media(Protocol):
    """What a meeting needs of the media engine."""

    async def start(self, offer: MediaOffer) -> None: ...
    def advance(self, keys: EpochKeys) -> None: ...
    def set_sending(self, is_sending: bool) -> None: ...
    async def stop(self) -> None: ...


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
        self._executor = ThreadPoolExecutor(JOB_THREADS, thread_name_prefix="meeting")
        self._ended: Ended | None = None
        self._has_ended = asyncio.Event()
        self._wake = asyncio.Event()
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
        finally:
            self._tasks = None
            await self._stop_old_media()
            await self._media.stop()
            self._executor.shutdown(wait=False, cancel_futures=True)
        assert self._ended is not None  # noqa: S101 -- `_has_ended` says so
        return self._ended

    def leave(self) -> None:
        """Leave the meeting; `run` returns soon after."""
        self._media.set_sending(False)
        self._apply(self._session.leave(self._now()))

    def admit(self, name_or_id: str) -> None:
        """See Session.admit."""
        self._apply(self._session.admit(name_or_id, self._now()))

    def deny(self, name_or_id: str) -> None:
        """See Session.deny."""
        self._apply(self._session.deny(name_or_id, self._now()))

    def trust_changed(self) -> None:
        """See Session.trust_changed."""
        self._apply(self._session.trust_changed(self._now()))

    def media_heard(self, leaf: int, epoch: int) -> None:
        """The media engine authenticated a frame."""
        self._apply(self._session.media_heard(leaf, epoch, self._now()))

    def unknown_epoch_heard(self) -> None:
        """The media engine saw a frame of an epoch that it has no key for."""
        self._apply(self._session.unknown_epoch_heard(self._now()))

    def _now(self) -> float:
        return asyncio.get_running_loop().time()

    def _on_event(self, event: CarrierEvent) -> None:
        self._apply(self._session.handle(event, self._now()))
        if isinstance(event, Connected | Disconnected):
            self._wants_media.set()

    async def _tick(self) -> None:
        while True:
            now = self._now()
            self._apply(self._session.tick(now))
            await asyncio.sleep(max(0.01, self._session.next_deadline(now) - now))

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

    def _apply(self, effects: list[Effect]) -> None:
        for effect in effects:
            match effect:
                case Publish() | SendLobby() | SendLive() | Replay() | Announce():
                    self._carrier.perform(effect)
                case StartJob() if self._tasks is not None:
                    self._tasks.create_task(self._work(effect))
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
                    self._ended = effect
                    self._update()
                    self._has_ended.set()
                case _:
                    pass

    async def _work(self, job: StartJob) -> None:
        loop = asyncio.get_running_loop()
        try:
            result = await loop.run_in_executor(self._executor, job.run)
        except Exception as error:  # noqa: BLE001 -- a job's root: the session turns it into an end
            self._apply(self._session.job_failed(job.job_id, error, self._now()))
        else:
            self._apply(self._session.job_done(job.job_id, result, self._now()))

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
