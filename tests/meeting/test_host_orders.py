"""What hosts have asked for in the log: which change counts, and whose."""

from dataclasses import replace

import pytest

from conclaved.meeting import Role
from conclaved.meeting.host_orders import orders_in_force
from conclaved.meeting.meeting_context import MeetingContext
from conclaved.mls import AuthenticatedContent, GroupContextExtensions, Remove, WireFormat
from conclaved.mls.framing import FramedContent, Sender, SenderType
from tests.meeting.cast import HOST, OTHER_HOST, A, B, by_host, context, host_admission, leaf_of, signed
from tests.meeting.insider import KICK, LEAVE

LEAVES = {
    0: leaf_of(HOST, host_admission()),
    1: leaf_of(OTHER_HOST, by_host(OTHER_HOST.signer.public_key, Role.HOST)),
    2: leaf_of(A, by_host(A.signer.public_key)),
    3: leaf_of(B, by_host(B.signer.public_key)),
}
KEYS = {index: leaf.signature_key for index, leaf in LEAVES.items()}


def said(sender: int, body: object, data: bytes = b"") -> AuthenticatedContent:
    """A proposal as it stands in the log."""
    content = FramedContent(b"group", 1, Sender(SenderType.MEMBER, sender), data, body)  # type: ignore[arg-type]
    return AuthenticatedContent(WireFormat.PRIVATE_MESSAGE, content, b"", None)


def change(sender: int, after: MeetingContext) -> AuthenticatedContent:
    word = signed(after, {0: None, 1: OTHER_HOST}.get(sender, A))
    return said(sender, GroupContextExtensions((word.extension(),)))


def kick(sender: int, *leaves: int) -> list[AuthenticatedContent]:
    listed = change(sender, context(kicked=frozenset(KEYS[leaf] for leaf in leaves)))
    return [listed, *(said(sender, Remove(leaf), KICK) for leaf in leaves)]


END = context(is_ended=True)


def in_force(*proposed: AuthenticatedContent) -> tuple[object, set[int], bool]:
    orders = orders_in_force(proposed, LEAVES, context())
    change = orders.change
    position = None if change is None else next(i for i, each in enumerate(proposed) if each is change)
    return position, set(orders.kicks), orders.is_end


def test_nothing_is_in_force_in_an_empty_log() -> None:
    assert in_force() == (None, set(), False)


def test_a_kick_is_in_force_once_list_and_remove_are_there() -> None:
    listed, removed = kick(0, 2)
    assert in_force(listed) == (None, set(), False)
    assert in_force(removed) == (None, set(), False)
    assert in_force(listed, removed) == (0, {2}, False)
    assert in_force(removed, listed) == (1, {2}, False)


def test_of_two_changes_the_later_counts() -> None:
    assert in_force(*kick(0, 2), *kick(0, 2, 3)) == (2, {2, 3}, False)
    assert in_force(*kick(0, 2), *kick(1, 3)) == (2, {3}, False)


@pytest.mark.parametrize("member", [2, 3])
def test_a_member_asks_for_nothing(member: int) -> None:
    assert in_force(*kick(member, 0)) == (None, set(), False)
    assert in_force(change(member, END)) == (None, set(), False)


def test_what_no_commit_could_hold_does_not_count() -> None:
    nobody = change(0, context(kicked=frozenset({KEYS[2]})))
    assert in_force(*kick(0, 3), nobody) == (0, {3}, False)
    assert in_force(said(0, GroupContextExtensions(()))) == (None, set(), False)


def test_who_leaves_need_not_be_removed_by_the_kick() -> None:
    listed, _ = kick(0, 2)
    assert in_force(listed, said(2, Remove(2), LEAVE)) == (0, set(), False)


def test_an_end_is_in_force_whatever_comes_after_it() -> None:
    assert in_force(change(0, END)) == (0, set(), True)
    assert in_force(*kick(0, 2), change(1, END)) == (2, set(), True)
    assert in_force(change(1, END), *kick(0, 2)) == (0, set(), True)


def test_a_host_that_was_thrown_out_before_does_not_take_it_back() -> None:
    assert in_force(*kick(0, 1), *kick(1, 0)) == (0, {1}, False)
    assert in_force(*kick(0, 1), change(1, END)) == (0, {1}, False)
    assert in_force(*kick(0, 1), change(1, context())) == (0, {1}, False)


def test_the_log_decides_between_two_that_throw_each_other_out() -> None:
    mine, theirs = kick(0, 1), kick(1, 0)
    assert in_force(theirs[0], mine[0], theirs[1], mine[1]) == (0, {0}, False)


def test_an_incomplete_kick_silences_nobody() -> None:
    listed, _ = kick(1, 0)
    assert in_force(listed, *kick(0, 2)) == (1, {2}, False)


def test_of_many_changes_by_one_host_the_newest_are_looked_at() -> None:
    good = kick(0, 2)
    bad = [change(0, context(kicked=frozenset({KEYS[3]}))) for _ in range(3)]
    assert in_force(*good, *bad) == (0, {2}, False)
    assert in_force(*good, *bad, bad[0]) == (None, set(), False)
    assert in_force(*kick(1, 2), *bad, bad[0]) == (0, {2}, False)


def test_an_end_keeps_the_list_of_the_kicked() -> None:
    kicked = context(kicked=frozenset({B.signer.public_key[::-1]}))
    orders = orders_in_force([change(0, replace(kicked, is_ended=True))], LEAVES, kicked)
    assert orders.is_end
