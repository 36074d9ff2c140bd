"""This device's own word about its camera and microphone, to the others in the group.

It is said at each change (the newest state only, `GAP_S` apart at least), when somebody has come in, and
again from time to time, since a live message may be lost or held back. When somebody comes in, members
speak in the order of their leaves, `PACE_S` apart: a group of a thousand does not answer all at once.

A word waits behind all else for its turn at the device's key. What it says is what holds when that has come:
only the newest is worth a signature. That something is live now waits for less.
"""

from collections.abc import Callable

from conclaved.meeting.committing import Committing
from conclaved.meeting.events import Lane
from conclaved.meeting.media_state import (
    PACE_S,
    CameraState,
    MediaState,
    MicrophoneState,
    Statement,
    repeat_every_s,
)
from conclaved.meeting.membership import Membership
from conclaved.meeting.outbox import Outbox
from conclaved.meeting.voice import Voice

GAP_S = 0.5
"""Between two statements. A hand that flutters on a switch is heard once it rests."""
PATIENCE_S = 5.0
"""How long a word waits at most for a commit that is due or being made: a TPM needs half a second for each
signature, and one that is late with its commit has another member commit in its place. That something is
live now does not wait."""


class Telling:
    """Used only while this device is in the group; `Session` sees to that."""

    def __init__(self, out: Outbox, member: Membership, commits: Committing, voice: Voice) -> None:
        self._member = member
        self._commits = commits
        self._voice = voice
        self._changed: Callable[[], None] = out.changed
        self._count = 0
        self._said: MediaState | None = None
        """What the others were told last, in this group, or are about to be."""
        self._told: MediaState | None = None
        """What has left this device last."""
        self._said_at = float("-inf")
        self._due: float | None = None
        self._is_signing = self._is_urgent = False
        self._word = b""
        """What is to be said now."""

    def __repr__(self) -> str:
        return f"Telling({self._count} said)"

    @property
    def due_at(self) -> float | None:
        """When the next word is due; None while there is nothing to say."""
        return None if self._is_signing else self._due

    def set(self, state: MediaState) -> None:
        """This device's camera and microphone are so now."""
        if state != self._member.own_media:
            self._member.own_media = state
            self._changed()

    def look(self, now: float) -> None:
        """Say what is due."""
        own, told = self._member.own_media, self._member.told
        group = self._member.group
        if own is None or group is None:
            return
        if self._member.is_alone:
            self._due = None
            return
        if told.has_newcomers:
            told.has_newcomers = False
            rank = sum(leaf < group.own_leaf_index for leaf in self._member.leaves())
            self._plan(now + rank * PACE_S)
        if self._is_signing and own != self._said:
            self._put(own, now)
            if not self._is_urgent and self._hides_something(own):
                self._speak(Lane.VOICE)
        elif own != self._said:
            self._plan(now)
        if self._due is None:
            self._plan(now + repeat_every_s(len(self._member.leaves())))
        if self._due is None or now < self._due or self._is_signing:
            return
        if self._commits.is_at_work and now < self._due + PATIENCE_S and not self._hides_something(own):
            return
        self._say(own, now)

    def close(self) -> None:
        """The group is given up: the next one is told anew."""
        self._said = self._told = self._due = None
        self._is_signing = self._is_urgent = False

    def _hides_something(self, own: MediaState) -> bool:
        """Whether the others take for muted what is live: that cannot wait."""
        said = self._told or own
        is_heard = own.microphone is MicrophoneState.LIVE and said.microphone is not MicrophoneState.LIVE
        return is_heard or (own.camera is CameraState.LIVE and said.camera is not CameraState.LIVE)

    def _plan(self, at: float) -> None:
        at = max(at, self._said_at + GAP_S)
        self._due = at if self._due is None else min(self._due, at)

    def _put(self, state: MediaState, now: float) -> None:
        """This is to be said: also by the word that waits for its turn at the key."""
        self._said, self._said_at = state, now
        self._word = Statement(*self._voice.clock(now), state).encode()

    def _say(self, state: MediaState, now: float) -> None:
        self._count += 1
        self._due = None
        self._put(state, now)
        self._speak(Lane.VOICE if self._hides_something(state) else Lane.WORD)

    def _speak(self, lane: Lane) -> None:
        self._is_signing, self._is_urgent = True, lane is Lane.VOICE

        def said(word: bytes) -> None:
            self._is_signing = False
            statement = Statement.decode(word)
            self._told = None if statement is None else statement.state
            if word != self._word:
                # Its turn had come before the newest was there, which is said next.
                self._said = self._told

        self._voice.say(lambda: self._word, said, lane)
