"""A Commit that has been validated and computed, and not yet entered (RFC 9420 §12.4.2, §14).

It is used once: `merge` moves the group into the next epoch, `discard` drops the secrets of an epoch
that never came to be. Until then the group is as it was.
"""

from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from conclaved.mls.commit_processing import Transition
from conclaved.mls.errors import GoneError, LocalError
from conclaved.mls.extension import Extension
from conclaved.mls.framing import AuthenticatedContent
from conclaved.mls.leaf_node import LeafNode
from conclaved.mls.proposal_list import ResolvedProposal
from conclaved.mls.ratchet_tree import RatchetTree
from conclaved.mls.single_owner import NotCopied


@dataclass(frozen=True, slots=True)
class Member:
    """A member of the group."""

    leaf_index: int
    leaf_node: LeafNode


def members_of(tree: RatchetTree) -> tuple[Member, ...]:
    """All members, by leaf index."""
    return tuple(Member(index, leaf) for index, leaf in tree.leaves())


class _Epoch(Protocol):
    """What is asked of a group, that of the epoch before or after."""

    @property
    def own_leaf_index(self) -> int: ...

    def check_live(self) -> None: ...

    def retire(self) -> None: ...

    def close(self) -> None: ...


G = TypeVar("G", bound=_Epoch)


class Staged(NotCopied, Generic[G]):
    """What a Commit does, and the way into the epoch that follows it. `G` is the class of group."""

    __slots__ = ("_following", "_is_used", "_previous", "_transition")

    def __init__(self, transition: Transition, previous: G, following: G | None) -> None:
        self._transition = transition
        self._previous = previous
        self._following = following
        self._is_used = False

    @property
    def committer(self) -> int:
        """The committer's leaf index."""
        return self._transition.committer

    @property
    def proposals(self) -> tuple[ResolvedProposal, ...]:
        """The Commit's proposals in their order."""
        return self._transition.proposals

    @property
    def added(self) -> tuple[int, ...]:
        """Leaf indices of the new members, in the order of their Adds."""
        return self._transition.added

    @property
    def removed(self) -> tuple[tuple[int, LeafNode], ...]:
        """Leaf index and last leaf of each removed member."""
        return self._transition.applied.removed

    @property
    def updated(self) -> tuple[tuple[int, LeafNode, LeafNode], ...]:
        """Leaf index, old and new leaf of each Update, and of the committer if there is a path."""
        return self._transition.updated

    @property
    def extensions(self) -> tuple[Extension, ...]:
        """The next epoch's GroupContext extensions."""
        return self._transition.applied.extensions

    @property
    def members(self) -> tuple[Member, ...]:
        """The next epoch's members."""
        return members_of(self._transition.tree)

    @property
    def epoch(self) -> int:
        """The next epoch."""
        return self._transition.context.epoch

    @property
    def leaf_count(self) -> int:
        """The next epoch's number of leaves, blank ones included."""
        return self._transition.tree.n_leaves

    @property
    def removes_us(self) -> bool:
        """Whether this member is out once the Commit is applied."""
        own = self._previous.own_leaf_index
        return any(index == own for index, _ in self.removed)

    def merge(self) -> G:
        """Enter the next epoch: its secrets move to the group returned, the previous one retires.

        LocalError if the Commit removes us; GoneError the second time, or if the previous group has
        entered another epoch meanwhile, which drops the secrets of the one that never comes to be.
        """
        if self.removes_us:
            raise LocalError("the Commit removes this member; there is no next epoch for it")
        if self._is_used or self._following is None:
            raise GoneError("the Commit has been merged or discarded")
        try:
            self._previous.check_live()
        except GoneError:
            self.discard()
            raise
        following, self._following, self._is_used = self._following, None, True
        self._previous.retire()
        return following

    def discard(self) -> None:
        """Drop the next epoch's secrets; idempotent, and without effect after `merge`."""
        self._is_used = True
        if self._following is not None:
            self._following.close()
            self._following = None

    def __repr__(self) -> str:
        state = "used" if self._is_used else "open"
        return f"{type(self).__name__}(epoch {self.epoch} by leaf {self.committer}, {state})"


class Pending(NotCopied, Generic[G]):
    """Our own Commit, to be merged once the delivery service has accepted it."""

    __slots__ = ("content", "staged", "welcome")

    def __init__(self, content: AuthenticatedContent, welcome: bytes | None, staged: Staged[G]) -> None:
        self.content = content
        """Send `group.protect(content)`, made before `merge` retires the group."""
        self.welcome = welcome
        """For those whom it adds: an encoded MLSMessage with the ratchet tree in it."""
        self.staged = staged
        """What the Commit does, as every other member will see it."""

    def merge(self) -> G:
        """Enter the next epoch; see `Staged.merge`."""
        return self.staged.merge()

    def discard(self) -> None:
        """Forget the Commit: another one won, or it was refused."""
        self.staged.discard()

    def __repr__(self) -> str:
        return f"PendingCommit({self.staged!r})"
