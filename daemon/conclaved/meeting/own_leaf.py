"""This device's own leaf, and how a change of it comes into the group.

Whoever commits next carries it in: this device in the path of its own commit, or another one by an
Update that this device proposes (RFC 9420 §12.1.2). An Update dies with its epoch, like every proposal,
and a commit may lose the race; so the change is wanted until the tree shows it.
"""

from collections.abc import Callable

from conclaved.meeting.outbox import Outbox
from conclaved.mls import AuthenticatedContent, Group, LeafChange, LeafNode

MAX_FAILURES = 3
"""A change that this device could not even commit itself so often is given up."""

Send = Callable[[Group, AuthenticatedContent], None]


class OwnLeaf:
    """What is to change in the own leaf. Used by `Committing` only."""

    def __init__(self, out: Outbox, send: Send) -> None:
        """`send` publishes a signed proposal of the group's present epoch."""
        self._out = out
        self._send = send
        self._proposed_in: tuple[bytes, int] | None = None
        self._failures = 0
        self.change: LeafChange | None = None
        self.since: float | None = None
        """When the change was first seen to be wanted (monotonic seconds); None when none is."""

    def __repr__(self) -> str:
        return f"OwnLeaf(changes={self.change is not None})"

    def want(self, change: LeafChange) -> None:
        """Change this too; of what was wanted before, what the new one leaves open stays."""
        old = self.change or LeafChange()
        self.change = LeafChange(
            change.signer or old.signer,
            change.credential or old.credential,
            old.extensions if change.extensions is None else change.extensions,
        )
        self._failures = 0
        self._proposed_in = None

    def look(self, leaf: LeafNode | None, now: float) -> None:
        """See whether the present leaf shows the change already."""
        if self.change is None:
            return
        if leaf is not None and _shows(leaf, self.change):
            self._forget()
        elif self.since is None:
            self.since = now

    def propose(self, group: Group, current: Callable[[], Group | None]) -> None:
        """Propose the change, once an epoch. `current` tells the group when the signatures are there."""
        change = self.change
        epoch = (group.group_id, group.epoch)
        if change is None or self._proposed_in == epoch:
            return
        self._proposed_in = epoch

        def done(content: AuthenticatedContent, _now: float) -> None:
            if current() is group and self.change is change:
                self._send(group, content)

        def failed(error: Exception, _now: float) -> None:
            if current() is group:
                self._out.bad_input(error)

        self._out.job(lambda: group.update_proposal(change), done, failed)

    def failed(self) -> bool:
        """A commit with the change in it could not be made. True if the change is given up."""
        self._failures += 1
        if self._failures >= MAX_FAILURES:
            self._forget()
        return self.change is None

    def _forget(self) -> None:
        self.change = self.since = self._proposed_in = None
        self._failures = 0


def _shows(leaf: LeafNode, change: LeafChange) -> bool:
    return (
        (change.signer is None or leaf.signature_key == change.signer.public_key)
        and (change.credential is None or leaf.credential == change.credential)
        and (change.extensions is None or leaf.extensions == change.extensions)
    )
