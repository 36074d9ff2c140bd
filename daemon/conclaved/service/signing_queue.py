"""Which of a meeting's signatures is next, where the device's key makes one at a time.

A TPM needs up to 600 ms for each, and a commit has three: with a beacon and a word about mutes in between it
is made in vain, because another member has committed in its place meanwhile. So what moves the group comes
first, then that this device is alive, then who is let in, and last what is said of mutes. What has begun is
not interrupted. Within one lane the order is that of the asking.

Nobody waits for ever: commits have a pause between them, beacons come every two seconds, and the session's
limits bound the rest.
"""

import heapq

from conclaved.meeting.events import Lane, StartJob

ORDER = (Lane.COMMIT, Lane.VOICE, Lane.OTHER, Lane.WORD)
"""Those that sign, the most urgent first. What is in no such lane signs nothing, or alone."""


class SigningQueue:
    """See the file's head. It starts nothing: `take` says what is to be started."""

    def __init__(self) -> None:
        self._waiting: list[tuple[int, int, StartJob]] = []
        self._put = 0
        self._is_signing = False

    def __repr__(self) -> str:
        return f"SigningQueue({len(self._waiting)} wait)"

    def put(self, job: StartJob) -> None:
        """A job of one of the lanes in `ORDER` that is to be done."""
        self._put += 1
        heapq.heappush(self._waiting, (ORDER.index(job.lane), self._put, job))

    def take(self) -> StartJob | None:
        """The job to start now, if there is one and none is under way; it is until `is_done`."""
        if self._is_signing or not self._waiting:
            return None
        self._is_signing = True
        return heapq.heappop(self._waiting)[2]

    def is_done(self) -> None:
        """What was taken is over."""
        self._is_signing = False
