"""What leaves a session: effects, jobs with what follows them, and words for people.

All parts of a session share one. A part appends; `drain` hands everything out at once, so that
what belongs to one event comes out together and in order.
"""

from collections.abc import Callable
from typing import Any

from conclaved.meeting import lobby
from conclaved.meeting.errors import MeetingError
from conclaved.meeting.events import BadInput, Changed, Effect, Lane, Publish, SendLobby, StartJob
from conclaved.meeting.link import NONCE_BYTES, Sealer
from conclaved.mls import Group, KeyPackageBundle, MlsError, PendingCommit, StagedCommit

MAX_WORDS = 8
NEWS_S = 60.0
"""How long something that has happened is news."""

Done = Callable[[Any, float], None]
"""(result, now)"""
Failed = Callable[[Exception, float], None]
"""(error, now)"""


class Outbox:
    """See the file's head."""

    def __init__(self, sealer: Sealer, random: Callable[[int], bytes]) -> None:
        self.sealer = sealer
        self.random = random
        self.is_busy = False
        """Whether a job runs that moves the group: entries and own commits wait until it is over."""
        self._news: tuple[tuple[str, float | None], ...] = ()
        self._effects: list[Effect] = []
        self._jobs: dict[int, tuple[Done, Failed]] = {}
        self._jobs_started = 0
        self._published = 0

    def __repr__(self) -> str:
        return f"Outbox({len(self._effects)} effects, {len(self._jobs)} jobs)"

    def drain(self) -> list[Effect]:
        """Everything since the last call."""
        effects, self._effects = self._effects, []
        return effects

    def add(self, effect: Effect) -> None:
        """Hand out an effect."""
        self._effects.append(effect)

    def publish(self, data: bytes, expected: int | None = None) -> int:
        """Append to the log; see `events.Publish`. Returns the token of the answer."""
        self._published += 1
        self.add(Publish(self._published, data, expected))
        return self._published

    def seal(self, message: lobby.LobbyMessage) -> bytes:
        """A lobby message under the link, with a fresh nonce."""
        return lobby.seal(message, self.sealer, self.random(NONCE_BYTES))

    def say(self, message: lobby.LobbyMessage) -> None:
        """Say something in the lobby."""
        self.add(SendLobby(self.seal(message)))

    # -- jobs -----------------------------------------------------------------------------------

    def job(self, run: Callable[[], object], done: Done, failed: Failed, lane: Lane = Lane.OTHER) -> None:
        """Heavy work that touches no ratchet, such as a signature."""
        self._jobs_started += 1
        self._jobs[self._jobs_started] = (done, failed)
        self.add(StartJob(self._jobs_started, run, lane))

    def exclusive_job(self, run: Callable[[], object], done: Done, failed: Failed) -> None:
        """Heavy work on the group: one at a time."""
        self.is_busy = True

        def free_done(result: Any, now: float) -> None:
            self.is_busy = False
            done(result, now)

        def free_failed(error: Exception, now: float) -> None:
            self.is_busy = False
            failed(error, now)

        self.job(run, free_done, free_failed, Lane.GROUP)

    def job_done(self, job_id: int, result: object, now: float) -> None:
        """A result; one that nobody waits for any more is dropped, its secrets with it."""
        waiting = self._jobs.pop(job_id, None)
        if waiting is None:
            discard(result)
        else:
            waiting[0](result, now)

    def job_failed(self, job_id: int, error: Exception, now: float) -> None:
        """A job raised."""
        waiting = self._jobs.pop(job_id, None)
        if waiting is not None:
            waiting[1](error, now)

    def forget_jobs(self) -> None:
        """Nobody waits for any result any more."""
        self._jobs.clear()
        self.is_busy = False

    # -- words for people -----------------------------------------------------------------------

    def changed(self) -> None:
        """The session's view is new."""
        if not any(isinstance(effect, Changed) for effect in self._effects):
            self.add(Changed())

    @property
    def news(self) -> tuple[str, ...]:
        """What has happened lately, the latest last."""
        return tuple(text for text, _ in self._news)

    def tell(self, text: str) -> None:
        """Something has happened that people may want to know: news for a minute."""
        self._news = (*self._news, (text, None))[-MAX_WORDS:]
        self.changed()

    def expire(self, now: float) -> None:
        """Forget what is no news any more."""
        if not self._news:
            return
        dated = tuple((text, now if at is None else at) for text, at in self._news)
        self._news = tuple((text, at) for text, at in dated if now - at < NEWS_S)
        if len(self._news) < len(dated):
            self.changed()

    def bad_input(self, error: Exception) -> None:
        """Something that came in broke a rule. Anything but an error of that kind is raised again."""
        if not isinstance(error, MlsError | MeetingError):
            raise error
        self.add(BadInput(error))


def discard(result: object) -> None:
    """Close the secrets in a job's result that nobody wants any more."""
    for item in result if isinstance(result, tuple) else (result,):
        if isinstance(item, StagedCommit | PendingCommit):
            item.discard()
        elif isinstance(item, Group | KeyPackageBundle):
            item.close()
