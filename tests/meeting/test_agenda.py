"""The agenda: what goes into the next commit, and that nobody can hold up the rest."""

from dataclasses import replace

import pytest

from conclaved.identity import SoftwareSigner
from conclaved.meeting import OwnIdentity, Role
from conclaved.meeting.admission import issue
from conclaved.meeting.agenda import Agenda, Plan
from conclaved.meeting.limits import DEFAULT_LIMITS
from conclaved.meeting.meeting_context import MeetingContext
from conclaved.mls import (
    Add,
    AuthenticatedContent,
    GroupContextExtensions,
    KeyPackage,
    LeafNode,
    Proposal,
    Remove,
    Sender,
    SenderType,
    Update,
    WireFormat,
)
from conclaved.mls.framing import FramedContent
from tests.meeting.cast import (
    HOST,
    OPEN,
    A,
    B,
    bundle_of,
    by_host,
    by_link,
    context,
    host_admission,
    leaf_of,
    signed,
)
from tests.meeting.insider import KICK, LEAVE, VANISHED
from tests.meeting.simulated_service import identity

C = identity("c.example.com")
D = identity("d.example.com")
GUEST = identity("guest.example.net")
LEAVES = {
    0: leaf_of(HOST, host_admission()),
    1: leaf_of(A, by_host(A.signer.public_key)),
    2: leaf_of(B, by_host(B.signer.public_key)),
}
KEY_A, KEY_B = A.signer.public_key, B.signer.public_key


def message(sender: int, proposal: Proposal, data: bytes = b"") -> AuthenticatedContent:
    """A proposal as it looks once opened and verified."""
    content = FramedContent(b"group", 5, Sender(SenderType.MEMBER, sender), data, proposal)
    return AuthenticatedContent(WireFormat.PRIVATE_MESSAGE, content, b"", None)


def change(sender: int, after: MeetingContext) -> AuthenticatedContent:
    return message(sender, GroupContextExtensions((signed(after).extension(),)), KICK)


def offer_of(who: OwnIdentity, role: Role = Role.MEMBER) -> KeyPackage:
    return bundle_of(who, by_host(who.signer.public_key, role)).key_package


def agenda(*items: AuthenticatedContent | KeyPackage) -> Agenda:
    made = Agenda()
    for item in items:
        if isinstance(item, KeyPackage):
            made.offer(item, 1.0)
        else:
            made.propose(item, 1.0)
    return made


def plan_of(
    *items: AuthenticatedContent | KeyPackage,
    own_leaf: int = 0,
    terms: MeetingContext | None = None,
    leaves: dict[int, LeafNode] = LEAVES,
) -> Plan:
    return agenda(*items).plan(leaves, terms or context(), own_leaf)


def test_nothing_waits_at_first() -> None:
    assert not plan_of()
    assert agenda().since is None


def test_all_joins_and_leaves_go_into_one_plan() -> None:
    leave, c, d = message(1, Remove(1), LEAVE), offer_of(C), offer_of(D)
    plan = plan_of(leave, c, d)
    assert plan.by_reference == (leave,)
    assert plan.offers == (c, d)
    assert plan.authenticated_data == b""


def test_the_oldest_that_waits_says_since_when() -> None:
    made = agenda()
    made.offer(offer_of(C), 3.0)
    made.propose(message(1, Remove(1), LEAVE), 4.0)
    assert made.since == 3.0


def test_an_offer_is_done_when_its_key_has_come_in() -> None:
    made = agenda(offer_of(C), offer_of(D))
    made.next_epoch(frozenset({C.signer.public_key}), 9.0)
    assert [o.leaf_node.signature_key for o in made.plan(LEAVES, context(), 0).offers] == [
        D.signer.public_key
    ]
    assert made.since == 9.0
    made.next_epoch(frozenset({D.signer.public_key}), 10.0)
    assert made.since is None


def test_proposals_die_with_their_epoch() -> None:
    made = agenda(message(1, Remove(1), LEAVE))
    made.next_epoch(frozenset(), 2.0)
    assert made.proposals == ()
    assert not made.plan(LEAVES, context(), 0)


def test_a_newer_offer_of_a_key_replaces_the_older() -> None:
    old, new = offer_of(C), offer_of(C)
    assert plan_of(old, new).offers == (new,)


def test_the_same_offer_twice_is_one() -> None:
    made, offer = agenda(), offer_of(C)
    assert made.offer(offer, 1.0)
    assert not made.offer(offer, 2.0)
    made.withdraw(C.signer.public_key)
    assert made.since is None


def test_who_lost_its_state_is_removed_and_added_at_once() -> None:
    again = offer_of(A)
    plan = plan_of(again)
    assert plan.by_value == (Remove(1), Add(again))
    assert plan.authenticated_data == VANISHED


def test_who_leaves_and_comes_back_is_not_removed_twice() -> None:
    leave, again = message(1, Remove(1), LEAVE), offer_of(A)
    plan = plan_of(leave, again)
    assert plan.by_reference == (leave,)
    assert plan.by_value == (Add(again),)


def test_the_offer_by_which_a_member_came_in_changes_nothing_when_replayed() -> None:
    offer = offer_of(C)
    assert not plan_of(offer, leaves={**LEAVES, 3: offer.leaf_node})


def test_the_committer_neither_removes_nor_adds_itself() -> None:
    assert not plan_of(message(0, Remove(0), LEAVE), offer_of(HOST, Role.HOST))


@pytest.mark.parametrize("reason", [b"", KICK, VANISHED, b"\xff", LEAVE + b"x"])
def test_a_leave_under_another_reason_is_left_out(reason: bytes) -> None:
    assert not plan_of(message(1, Remove(1), reason))


@pytest.mark.parametrize("reason", [b"", LEAVE, b"\x09", KICK])
def test_a_member_removes_no_other(reason: bytes) -> None:
    assert not plan_of(message(1, Remove(2), reason))


def test_what_another_takes_for_gone_is_cleared_away_by_one_who_does_not_hear_it_either() -> None:
    said = message(1, Remove(2), VANISHED)
    made = agenda(said)
    assert not made.plan(LEAVES, context(), 0)
    made.vanish(frozenset({2}), 3.0, is_host=False)
    assert made.plan(LEAVES, context(), 0).by_reference == (said,)
    # Not by the one who said it, nor by the one concerned.
    assert not made.plan(LEAVES, context(), 1)
    assert not made.plan(LEAVES, context(), 2)


def test_who_is_no_host_clears_nobody_away_alone() -> None:
    made = agenda()
    made.vanish(frozenset({2}), 3.0, is_host=False)
    assert made.since is None
    assert not made.plan(LEAVES, context(), 1)


def test_a_kick_needs_a_host_and_its_list() -> None:
    after = context().kick(frozenset({KEY_B}), frozenset())
    kick = message(0, Remove(2), KICK)
    assert not plan_of(kick, own_leaf=1)
    assert not plan_of(kick, change(1, after), own_leaf=1)
    plan = plan_of(kick, change(0, after), own_leaf=1)
    assert plan.by_reference == (kick, change(0, after))


def test_a_kick_waits_until_both_of_its_proposals_are_there() -> None:
    assert not plan_of(change(0, context().kick(frozenset({KEY_B}), frozenset())), own_leaf=1)


def test_a_kicked_one_commits_nothing_any_more() -> None:
    after = context().kick(frozenset({KEY_B}), frozenset())
    items = change(0, after), message(0, Remove(2), KICK), message(1, Remove(1), LEAVE), offer_of(C)
    assert not plan_of(*items, own_leaf=2)
    assert len(plan_of(*items, own_leaf=0).by_reference) == 3


def test_who_has_vanished_is_removed_by_value_and_said_to_have() -> None:
    made = agenda()
    made.vanish(frozenset({1, 9}), 3.0, is_host=True)
    assert made.since == 3.0
    plan = made.plan(LEAVES, context(), 0)
    assert plan.by_value == (Remove(1),)
    assert plan.authenticated_data == VANISHED
    made.vanish(frozenset(), 4.0, is_host=True)
    assert not made.plan(LEAVES, context(), 0)


def test_who_has_vanished_and_comes_back_goes_into_one_plan() -> None:
    again = offer_of(A)
    made = agenda(again)
    made.vanish(frozenset({1}), 3.0, is_host=True)
    plan = made.plan(LEAVES, context(), 0)
    assert plan.by_value == (Remove(1), Add(again))
    assert plan.authenticated_data == VANISHED


def test_who_is_kicked_is_not_removed_as_vanished_too() -> None:
    after = context().kick(frozenset({KEY_B}), frozenset())
    made = agenda(change(0, after), message(0, Remove(2), KICK))
    made.vanish(frozenset({2}), 3.0, is_host=True)
    plan = made.plan(LEAVES, context(), 1)
    assert len(plan.by_reference) == 2
    assert plan.by_value == ()


def test_nobody_takes_itself_to_have_vanished_and_the_next_epoch_looks_anew() -> None:
    made = agenda()
    made.vanish(frozenset({0}), 3.0, is_host=True)
    assert not made.plan(LEAVES, context(), 0)
    made.vanish(frozenset({1}), 3.0, is_host=True)
    made.next_epoch(frozenset(), 4.0)
    assert made.since is None
    assert not made.plan(LEAVES, context(), 0)


def test_of_two_kicks_in_one_epoch_the_second_lists_both() -> None:
    first = context().kick(frozenset({KEY_A}), frozenset())
    both = first.kick(frozenset({KEY_B}), frozenset())
    kicks = message(0, Remove(1), KICK), message(0, Remove(2), KICK)
    plan = plan_of(change(0, first), kicks[0], change(0, both), kicks[1])
    assert set(plan.by_reference) == {*kicks, change(0, both)}
    # The second one is not complete yet: the first does not wait for it.
    plan = plan_of(change(0, first), kicks[0], change(0, both))
    assert set(plan.by_reference) == {kicks[0], change(0, first)}


def test_an_offer_does_not_save_its_owner_from_a_kick() -> None:
    after = context().kick(frozenset({KEY_B}), frozenset())
    kick = (change(0, after), message(0, Remove(2), KICK))
    plan = plan_of(*kick, offer_of(B))
    assert set(plan.by_reference) == set(kick)
    assert plan.by_value == ()


def test_a_kick_that_closes_the_link_is_not_spoilt_by_an_offer_through_the_link() -> None:
    after = context(OPEN).kick(frozenset({KEY_B}), frozenset())
    offer = bundle_of(GUEST, by_link(GUEST.signer.public_key)).key_package
    plan = plan_of(change(0, after), message(0, Remove(2), KICK), offer, terms=context(OPEN))
    assert len(plan.by_reference) == 2
    assert plan.by_value == ()


def test_a_kicked_key_is_left_out_until_a_host_forgives_it() -> None:
    key = C.signer.public_key
    kicked = context(kicked=frozenset({key}))
    assert not plan_of(offer_of(C), terms=kicked)
    after = replace(kicked.forgive(frozenset({key})), serial=kicked.next_serial)
    plan = plan_of(offer_of(C), change(0, after), terms=kicked)
    assert plan.by_reference
    assert not plan.offers
    let_in_anew = bundle_of(C, by_host(key, serial=after.next_serial)).key_package
    assert plan_of(let_in_anew, change(0, after), terms=kicked).offers


def test_an_offer_with_another_members_encryption_key_is_left_out() -> None:
    good = offer_of(C)
    stolen = replace(
        offer_of(D), leaf_node=replace(offer_of(D).leaf_node, encryption_key=LEAVES[1].encryption_key)
    )
    assert plan_of(stolen, good).offers == (good,)


def test_of_two_offers_with_one_encryption_key_one_is_left_out() -> None:
    first, second = offer_of(C), offer_of(D)
    copied = replace(
        second, leaf_node=replace(second.leaf_node, encryption_key=first.leaf_node.encryption_key)
    )
    assert plan_of(first, copied).offers == (first,)


def test_an_offer_that_does_not_know_what_a_meeting_is_is_left_out() -> None:
    stranger = bundle_of(C, by_host(C.signer.public_key), extension_types=()).key_package
    assert plan_of(stranger, offer_of(D)).offers[0].leaf_node.signature_key == D.signer.public_key
    assert not plan_of(stranger)


def test_an_admission_by_one_who_was_kicked_lets_nobody_new_in() -> None:
    other = identity("other-host.example.com")
    own = by_host(other.signer.public_key, Role.HOST)
    admission = issue(other.signer, own.meeting_id, C.signer.public_key, Role.MEMBER, issuer_admission=own)
    offer = bundle_of(C, admission).key_package
    kicked = context(kicked=frozenset({other.signer.public_key}))
    assert plan_of(offer).offers == (offer,)
    assert not plan_of(offer, terms=kicked)


def test_proposals_of_other_kinds_are_left_out() -> None:
    assert not plan_of(message(1, Add(offer_of(C))), message(1, GroupContextExtensions(())))


def test_a_message_that_is_no_proposal_is_not_taken() -> None:
    made = agenda()
    made.propose(message(1, b"application data"), 1.0)  # type: ignore[arg-type]
    assert made.proposals == ()


def test_a_members_flood_keeps_nobody_elses_proposal_out() -> None:
    made = agenda(*(message(1, Remove(1000 + i)) for i in range(DEFAULT_LIMITS.proposals_of_one + 50)))
    assert len(made.proposals) == DEFAULT_LIMITS.proposals_of_one
    made.propose(message(2, Remove(2), LEAVE), 2.0)
    assert made.plan(LEAVES, context(), 0)


def test_offers_are_bounded() -> None:
    made, offer = agenda(), offer_of(C)
    for _ in range(DEFAULT_LIMITS.offers + 5):
        key = SoftwareSigner.generate().public_key
        made.offer(replace(offer, leaf_node=replace(offer.leaf_node, signature_key=key)), 1.0)
    assert repr(made) == f"Agenda({DEFAULT_LIMITS.offers} offers, 0 proposals)"


# -- when a commit fails for a reason that could not be seen --------------------------------------


def test_proposals_and_offers_go_apart_after_a_failure() -> None:
    leave, c = message(1, Remove(1), LEAVE), offer_of(C)
    made = agenda(leave, c)
    made.failed(made.plan(LEAVES, context(), 0), LEAVES)
    plan = made.plan(LEAVES, context(), 0)
    assert plan.by_reference == (leave,)
    assert plan.by_value == ()
    made.next_epoch(frozenset(), 2.0)
    assert made.plan(LEAVES, context(), 0).offers == (c,)


def test_a_spoilt_proposal_is_set_aside_but_known_for_others_commits() -> None:
    leave, c = message(1, Remove(1), LEAVE), offer_of(C)
    made = agenda(leave, c)
    made.failed(made.plan(LEAVES, context(), 0), LEAVES)
    made.failed(made.plan(LEAVES, context(), 0), LEAVES)
    assert made.proposals == (leave,)
    assert made.plan(LEAVES, context(), 0).offers == (c,)


def test_a_spoilt_offer_is_found_and_the_others_come_in() -> None:
    bad, good = offer_of(C), offer_of(D)
    made, committed = agenda(bad, good), []
    for _ in range(4):
        plan = made.plan(LEAVES, context(), 0)
        if bad in plan.offers:
            made.failed(plan, LEAVES)
        elif plan:
            committed.append(plan.offers)
            made.next_epoch(frozenset({D.signer.public_key}), 2.0)
    assert committed == [(good,)]
    assert not made.plan(LEAVES, context(), 0)
    assert not made.offer(bad, 3.0)


def test_one_whose_offers_were_spoilt_holds_up_nobody_with_the_next_one() -> None:
    made = agenda(offer_of(C))
    made.failed(made.plan(LEAVES, context(), 0), LEAVES)
    assert made.since is None
    again, good = offer_of(C), offer_of(D)
    made.offer(again, 2.0)
    made.offer(good, 2.0)
    assert made.plan(LEAVES, context(), 0).offers == (good,)
    made.next_epoch(frozenset({D.signer.public_key}), 3.0)
    assert made.plan(LEAVES, context(), 0).offers == (again,)


def test_repr_shows_counts_only() -> None:
    assert repr(agenda(offer_of(C), message(1, Remove(1), LEAVE))) == "Agenda(1 offers, 1 proposals)"


# -- Updates ----------------------------------------------------------------------------------------


def update(sender: int, leaf: LeafNode | None = None) -> AuthenticatedContent:
    return message(sender, Update(leaf or LEAVES[sender]))


def test_updates_go_with_everything_else() -> None:
    leave, c = message(1, Remove(1), LEAVE), offer_of(C)
    plan = plan_of(update(2), leave, c)
    assert plan.by_reference == (leave, update(2))
    assert plan.offers == (c,)


def test_of_a_members_updates_the_latest_counts() -> None:
    other = leaf_of(A, by_host(KEY_A))
    assert plan_of(update(1), update(1, other)).updates == (update(1, other),)


def test_the_committers_own_update_is_left_out() -> None:
    assert not plan_of(update(0), own_leaf=0)


@pytest.mark.parametrize("goes", ["leaves", "vanishes", "comes back"])
def test_an_update_of_a_leaf_that_goes_is_left_out(goes: str) -> None:
    made = agenda(update(1))
    match goes:
        case "leaves":
            made.propose(message(1, Remove(1), LEAVE), 2.0)
        case "vanishes":
            made.vanish(frozenset({1}), 2.0, is_host=True)
        case _:
            made.offer(offer_of(A), 2.0)
    plan = made.plan(LEAVES, context(), 0)
    assert plan
    assert plan.updates == ()


def test_an_update_without_a_valid_admission_is_left_out() -> None:
    assert not plan_of(update(1, leaf_of(A)))
    assert not plan_of(update(1, leaf_of(A, by_host(KEY_B))))


def test_after_a_failure_an_update_goes_alone_and_last_and_then_not_at_all() -> None:
    leave, c = message(1, Remove(1), LEAVE), offer_of(C)
    made = agenda(update(2), leave, c)
    made.failed(made.plan(LEAVES, context(), 0), LEAVES)
    plan = made.plan(LEAVES, context(), 0)
    assert plan.by_reference == (leave,)
    assert plan.offers == (c,)
    made.next_epoch(frozenset({C.signer.public_key}), 2.0)
    made.propose(update(2), 3.0)
    plan = made.plan(LEAVES, context(), 0)
    assert plan.by_reference == (update(2),)
    made.failed(plan, LEAVES)
    assert not made.plan(LEAVES, context(), 0)
    assert made.since is None


def test_one_whose_update_was_carried_out_is_suspected_no_longer() -> None:
    made = agenda(update(2), offer_of(C))
    made.failed(made.plan(LEAVES, context(), 0), LEAVES)
    made.next_epoch(frozenset(), 2.0, updated_keys=frozenset({KEY_B}))
    made.propose(update(2), 3.0)
    plan = made.plan(LEAVES, context(), 0)
    assert plan.updates
    assert plan.offers
