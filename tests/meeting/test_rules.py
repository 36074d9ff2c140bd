"""The group rules, held against commits: what MLS itself refuses, and what they let pass.

`test_every_rule_broken_once` has a real member break each of them in a real group.
"""

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from conclaved.meeting import GroupRuleError
from conclaved.meeting.admission import succeed
from conclaved.meeting.meeting_context import MeetingContext
from conclaved.meeting.rules import GROUP_RULES, admission_of, check_commit
from conclaved.mls import (
    Extension,
    GroupContextExtensions,
    LeafChange,
    LeafNode,
    PreSharedKey,
    PreSharedKeyID,
    ReInit,
    Remove,
    UnknownProposal,
)
from conclaved.mls.proposal_list import ResolvedProposal
from tests.meeting.cast import HOST, A, B, by_host, context, host_admission, invitation, leaf_of, signed
from tests.meeting.insider import KICK, VANISHED
from tests.meeting.simulated_service import SUITE, agree
from tests.meeting.table import Table


def test_who_came_through_the_link_stays_when_it_closes() -> None:
    table = Table.closed_by_kick()
    assert "a.example.com" in table.host.names()
    agree(table.host, table.a)


def test_the_first_valid_commit_wins_whatever_stands_before_it() -> None:
    table = Table.lay()
    epoch = table.host.view.epoch
    table.insider.commit([Remove(table.insider.leaf_of(A))], authenticated_data=KICK)
    table.insider.commit(leaf=LeafChange(extensions=()))
    table.insider.commit(enters=True)
    table.insider.commit()
    table.meeting.service.settle()
    assert table.host.view.epoch == table.a.view.epoch == table.insider.live.epoch == epoch + 1
    agree(table.host, table.a)


def test_a_member_may_commit_what_a_host_proposed() -> None:
    table = Table.lay()
    table.meeting.service.names_leaders = False
    table.host.kick("a.example.com")
    table.meeting.service.settle()
    table.insider.commit(by_reference=table.insider.proposals, enters=True)
    table.meeting.service.settle()
    assert table.a.ended is not None
    assert A.signer.public_key in table.insider.context.kicked
    assert table.host.view.epoch == table.insider.live.epoch


def test_a_member_cannot_commit_half_of_a_kick() -> None:
    for half in (0, 1):
        table = Table.lay()
        table.meeting.service.names_leaders = False
        table.host.kick("a.example.com")
        table.meeting.service.settle()
        rooms = (table.host, table.a)
        before = [room.state() for room in rooms]
        table.insider.commit(by_reference=[table.insider.proposals[half]])
        table.meeting.service.settle()
        assert [room.state() for room in rooms] == before
        assert all(isinstance(room.bad_inputs[-1], GroupRuleError) for room in rooms)
        table.meeting.service.run(8)
        assert table.a.ended is not None


# -- commits made by hand ---------------------------------------------------------------------


@dataclass
class Effect:
    """What a commit does, said by hand."""

    committer: int = 1
    proposals: tuple[ResolvedProposal, ...] = ()
    added: tuple[int, ...] = ()
    updated: tuple[tuple[int, LeafNode, LeafNode], ...] = ()
    extensions: tuple[Extension, ...] = (context().extension(),)


LEAVES = {0: leaf_of(HOST, host_admission()), 1: leaf_of(A, by_host(A.signer.public_key))}


def check(effect: Effect, after: dict[int, LeafNode] | None = None) -> MeetingContext:
    return check_commit(context(), LEAVES, after or LEAVES, effect)


@pytest.mark.parametrize(
    "proposal",
    [
        PreSharedKey(PreSharedKeyID.external(SUITE, b"id")),
        ReInit(b"group", 1, SUITE, ()),
        UnknownProposal(0xF0F0, b""),
    ],
    ids=lambda proposal: type(proposal).__name__,
)
def test_a_proposal_that_no_rule_is_about_is_refused(proposal: object) -> None:
    item = ResolvedProposal(proposal, 0, False, b"")  # type: ignore[arg-type]
    with pytest.raises(GroupRuleError, match="holds a"):
        check(Effect(proposals=(item,)))


def test_a_proposal_from_outside_is_refused() -> None:
    with pytest.raises(GroupRuleError, match="outside"):
        check(Effect(proposals=(ResolvedProposal(Remove(1), None, True, VANISHED),)))


def test_a_remove_of_nobody_is_refused() -> None:
    with pytest.raises(GroupRuleError, match="empty leaf"):
        check(Effect(proposals=(ResolvedProposal(Remove(7), 0, True, VANISHED),)))


def test_a_leaf_that_changes_its_key_is_refused() -> None:
    with pytest.raises(GroupRuleError, match="changes its key"):
        check(Effect(updated=((1, LEAVES[1], leaf_of(B, by_host(B.signer.public_key))),)))


def test_a_commit_of_nothing_is_fine() -> None:
    assert check(Effect()) == context()


def test_a_newer_invitation_of_the_same_meeting_is_fine_by_a_host() -> None:
    newer = context(invitation(serial=8, title="Board, moved"))
    item = ResolvedProposal(GroupContextExtensions((newer.extension(),)), 0, True, b"")
    assert check(Effect(proposals=(item,), extensions=(newer.extension(),))) == newer


@pytest.mark.parametrize("serial", [1, 6, 7])
def test_an_older_invitation_is_not(serial: int) -> None:
    older = context(invitation(serial=serial, title="Another"))
    item = ResolvedProposal(GroupContextExtensions((older.extension(),)), 0, True, b"")
    with pytest.raises(GroupRuleError, match="another meeting's"):
        check(Effect(proposals=(item,), extensions=(older.extension(),)))


def test_after_the_end_no_commit_is_anything() -> None:
    with pytest.raises(GroupRuleError) as caught:
        check_commit(context(is_ended=True), LEAVES, LEAVES, Effect())
    assert caught.value.rule == "nothing_follows_the_end"


def test_a_host_ends_the_meeting_for_all() -> None:
    end = signed(context(is_ended=True))
    item = ResolvedProposal(GroupContextExtensions((end.extension(),)), 0, False, b"")
    assert check(Effect(proposals=(item,), extensions=(end.extension(),))) == end


def test_a_member_may_renew_its_key() -> None:
    new = leaf_of(B, succeed(A.signer, admission_of(LEAVES[1]), B.signer.public_key))
    assert check(Effect(updated=((1, LEAVES[1], new),)), {0: LEAVES[0], 1: new}) == context()


def test_every_rule_has_a_name_of_its_own_and_says_what_it_prevents() -> None:
    names = [rule.__name__ for rule in GROUP_RULES]
    assert len(set(names)) == len(names)
    assert all("Prevents:" in str(rule.__doc__) for rule in GROUP_RULES)


def test_the_documentation_lists_every_rule_in_the_order_of_the_code() -> None:
    text = (Path(__file__).parents[2] / "docs/meeting.md").read_text()
    listed = re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE)
    assert listed == [rule.__name__ for rule in GROUP_RULES]
