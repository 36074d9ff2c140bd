"""The group rules about leaves, each held against leaves made by hand."""

from dataclasses import replace

import pytest

from conclaved.meeting import Admission, GroupRuleError, OwnIdentity, Role
from conclaved.meeting.admission import ADMISSION_EXTENSION, IssuerType, issue, succeed
from conclaved.meeting.meeting_context import MeetingContext
from conclaved.meeting.tree_rules import (
    TREE_RULES,
    Members,
    admission_of,
    check_joined,
    check_newcomer,
    check_replacement,
    check_tree,
    is_host,
    keys_change_by_succession,
    line_of,
    name_on,
    nobody_kicked_admits,
    one_leaf_for_a_line,
    roles_only_rise,
    successors_take_a_place,
)
from conclaved.mls import BasicCredential, Extension, LeafNode
from tests.meeting.cast import (
    HOST,
    MEETING_ID,
    OPEN,
    OTHER_HOST,
    A,
    B,
    by_host,
    by_link,
    context,
    host_admission,
    leaf_of,
)
from tests.meeting.simulated_service import identity

STRANGER = identity("stranger.example.com")
GUEST = identity("guest.example.net")
RECORDER = identity("recorder.example.com")
A_AGAIN = identity("a.example.com")
"""The room of A under its next key."""
KEY = A.signer.public_key


def key(who: OwnIdentity) -> bytes:
    return who.signer.public_key


def kicked(*who: OwnIdentity) -> MeetingContext:
    return context(kicked=frozenset(map(key, who)))


OTHER = by_host(key(OTHER_HOST), Role.HOST)
BY_OTHER = issue(OTHER_HOST.signer, MEETING_ID, key(STRANGER), Role.MEMBER, issuer_admission=OTHER)
OWN = by_host(KEY)
SUCCESSION = succeed(A.signer, OWN, key(A_AGAIN))
LEAVES = [leaf_of(HOST, host_admission()), leaf_of(A, OWN)]
HOST_LEAF, A_LEAF = LEAVES
SUCCESSOR = leaf_of(A_AGAIN, SUCCESSION)


def refused(rule: str, context: MeetingContext, *leaves: LeafNode) -> None:
    with pytest.raises(GroupRuleError) as caught:
        check_tree(context, leaves)
    assert caught.value.rule == rule


def test_a_tree_in_which_all_are_admitted_holds() -> None:
    check_tree(context(), LEAVES)
    check_joined(context(), [*LEAVES, leaf_of(GUEST, by_host(key(GUEST), Role.GUEST))])


def test_one_leaf_without_an_admission_spoils_the_tree() -> None:
    refused("every_leaf_is_admitted", context(), *LEAVES, leaf_of(B))
    refused("every_leaf_is_admitted", context(), leaf_of(B, OWN))
    admitted = leaf_of(B, by_host(key(B)))
    twice = replace(admitted, extensions=admitted.extensions * 2)
    refused("every_leaf_is_admitted", context(), twice)


def test_a_malformed_admission_is_none() -> None:
    broken = replace(leaf_of(B, by_host(key(B))), extensions=(Extension(ADMISSION_EXTENSION, b"nonsense"),))
    with pytest.raises(GroupRuleError, match="malformed"):
        admission_of(broken)


def test_a_kicked_key_is_out_under_its_successor_too() -> None:
    refused("nobody_kicked_is_in", kicked(A), A_LEAF)
    refused("nobody_kicked_is_in", kicked(A), SUCCESSOR)
    check_tree(kicked(A_AGAIN), [A_LEAF])


def test_a_closed_link_holds_for_all_but_those_on_its_list_and_their_successors() -> None:
    leaf = leaf_of(GUEST, by_link(key(GUEST)))
    successor = leaf_of(B, succeed(GUEST.signer, by_link(key(GUEST)), key(B)))
    closed = context(OPEN, is_link_closed=True)
    check_tree(context(OPEN), [leaf])
    refused("a_closed_link_admits_nobody", closed, leaf)
    refused("a_closed_link_admits_nobody", closed, successor)
    listed = replace(closed, link_guests=frozenset({key(GUEST)}))
    check_tree(listed, [leaf])
    check_tree(listed, [successor])


def test_a_service_end_has_a_name_that_the_invitation_lists() -> None:
    check_tree(context(), [leaf_of(RECORDER, by_host(key(RECORDER), Role.SERVICE_END))])
    refused("service_ends_are_named", context(), leaf_of(B, by_host(key(B), Role.SERVICE_END)))


@pytest.mark.parametrize("role", [Role.HOST, Role.MEMBER, Role.GUEST])
def test_whom_the_invitation_lists_as_a_service_end_is_nothing_else(role: Role) -> None:
    leaf = leaf_of(RECORDER, by_host(key(RECORDER), role))
    refused("named_service_ends_are_nothing_else", context(), leaf)


def test_the_name_on_a_leaf_is_what_its_certificate_claims() -> None:
    assert name_on(RECORDER_LEAF) == "recorder.example.com"
    assert name_on(replace(RECORDER_LEAF, credential=BasicCredential(b"recorder.example.com"))) == ""


RECORDER_LEAF = leaf_of(RECORDER, by_host(key(RECORDER), Role.SERVICE_END))


def test_a_key_and_its_successor_are_not_in_together() -> None:
    assert one_leaf_for_a_line(LEAVES) is None
    assert one_leaf_for_a_line([HOST_LEAF, SUCCESSOR]) is None
    refused("one_leaf_for_a_line", context(), A_LEAF, SUCCESSOR)
    other = leaf_of(STRANGER, succeed(A.signer, OWN, key(STRANGER)))
    refused("one_leaf_for_a_line", context(), SUCCESSOR, other)


def test_a_joiner_enters_no_meeting_that_has_been_ended() -> None:
    check_tree(context(is_ended=True), LEAVES)
    with pytest.raises(GroupRuleError, match="ended"):
        check_joined(context(is_ended=True), LEAVES)
    with pytest.raises(GroupRuleError, match="ended"):
        check_newcomer(context(is_ended=True), A_LEAF, [HOST_LEAF])


def test_who_is_a_host() -> None:
    assert is_host(HOST_LEAF)
    assert not is_host(A_LEAF)
    assert not is_host(None)


def test_a_leaf_has_the_keys_of_its_line() -> None:
    assert line_of(SUCCESSOR) == {KEY, key(A_AGAIN)}


# -- newcomers ------------------------------------------------------------------------------------


def refused_newcomer(rule: str, context: MeetingContext, leaf: LeafNode, *members: LeafNode) -> None:
    with pytest.raises(GroupRuleError) as caught:
        check_newcomer(context, leaf, members)
    assert caught.value.rule == rule


def test_a_kicked_host_lets_nobody_in_any_more() -> None:
    newcomer = leaf_of(STRANGER, BY_OTHER)
    check_newcomer(context(), newcomer, LEAVES)
    refused_newcomer("nobody_kicked_admits", kicked(OTHER_HOST), newcomer, *LEAVES)


def test_a_kicked_hosts_successor_lets_nobody_in_either() -> None:
    successor = succeed(OTHER_HOST.signer, OTHER, key(B))
    admission = issue(B.signer, MEETING_ID, key(STRANGER), Role.MEMBER, issuer_admission=successor)
    check_newcomer(context(), leaf_of(STRANGER, admission), LEAVES)
    refused_newcomer("nobody_kicked_admits", kicked(OTHER_HOST), leaf_of(STRANGER, admission), *LEAVES)


def test_whom_a_kicked_host_let_in_before_may_stay_and_come_back() -> None:
    newcomer = leaf_of(STRANGER, BY_OTHER)
    check_tree(kicked(OTHER_HOST), [newcomer])
    check_newcomer(kicked(OTHER_HOST), newcomer, [*LEAVES, newcomer])


def test_who_is_in_does_not_come_back_as_more_by_the_word_of_one_who_was_kicked() -> None:
    member = leaf_of(STRANGER, BY_OTHER)
    appointed = issue(OTHER_HOST.signer, MEETING_ID, key(STRANGER), Role.HOST, issuer_admission=OTHER)
    check_newcomer(context(), leaf_of(STRANGER, appointed), [*LEAVES, member])
    refused_newcomer(
        "nobody_kicked_admits", kicked(OTHER_HOST), leaf_of(STRANGER, appointed), *LEAVES, member
    )


def test_a_member_admits_nobody_by_a_host_role_that_it_has_from_one_who_was_kicked() -> None:
    by_kicked = issue(OTHER_HOST.signer, MEETING_ID, KEY, Role.HOST, issuer_admission=OTHER)
    admission = issue(A.signer, MEETING_ID, key(STRANGER), Role.MEMBER, issuer_admission=by_kicked)
    newcomer = leaf_of(STRANGER, admission)
    refused_newcomer("nobody_kicked_admits", kicked(OTHER_HOST), newcomer, HOST_LEAF, A_LEAF)
    check_newcomer(kicked(OTHER_HOST), newcomer, [HOST_LEAF, leaf_of(A, by_kicked)])


def test_a_host_who_is_in_admits_though_who_admitted_it_was_kicked() -> None:
    newcomer = leaf_of(STRANGER, BY_OTHER)
    check_newcomer(kicked(HOST), newcomer, [leaf_of(OTHER_HOST, OTHER)])
    refused_newcomer("nobody_kicked_admits", kicked(HOST), newcomer)


def test_a_hosts_word_holds_when_it_has_changed_its_key() -> None:
    successor = leaf_of(B, succeed(OTHER_HOST.signer, OTHER, key(B)))
    check_newcomer(kicked(HOST), leaf_of(STRANGER, BY_OTHER), [successor])


def test_the_link_is_nobody_who_could_be_kicked() -> None:
    leaf = leaf_of(GUEST, by_link(key(GUEST)))
    check_newcomer(context(OPEN, kicked=frozenset({key(STRANGER)})), leaf, [])


def test_a_successor_comes_back_in_the_place_of_the_key_before() -> None:
    check_newcomer(context(), SUCCESSOR, LEAVES)
    check_newcomer(context(), SUCCESSOR, [HOST_LEAF, SUCCESSOR])


def test_a_successor_of_one_who_is_not_in_asks_in_the_lobby() -> None:
    refused_newcomer("successors_take_a_place", context(), SUCCESSOR, HOST_LEAF)


def test_a_member_does_not_pass_its_place_to_another_name() -> None:
    other = leaf_of(STRANGER, succeed(A.signer, OWN, key(STRANGER)))
    refused_newcomer("successors_take_a_place", context(), other, *LEAVES)


def test_the_invitations_signer_comes_in_under_a_new_key_though_the_old_one_is_gone() -> None:
    again = identity("host.example.com")
    successor = leaf_of(again, succeed(HOST.signer, host_admission(), key(again)))
    check_newcomer(context(), successor, [leaf_of(A, by_host(key(A)))])
    refused_newcomer("nobody_kicked_is_in", kicked(HOST), successor, *LEAVES)


def test_a_successor_does_not_come_in_on_another_admission_than_the_leaf_had() -> None:
    as_host = succeed(A.signer, by_host(KEY, Role.HOST), key(A_AGAIN))
    refused_newcomer("successors_take_a_place", context(), leaf_of(A_AGAIN, as_host), *LEAVES)


# -- leaves that change ---------------------------------------------------------------------------


def test_a_key_changes_by_its_owners_word() -> None:
    assert keys_change_by_succession(A_LEAF, A_LEAF) is None
    assert keys_change_by_succession(A_LEAF, SUCCESSOR) is None
    check_replacement(context(), A_LEAF, SUCCESSOR, LEAVES)


CHANGES_OF_KEY: dict[str, Admission] = {
    "a host's admission of the new key": by_host(key(A_AGAIN)),
    "another's succession": succeed(B.signer, by_host(key(B)), key(A_AGAIN)),
    "a succession on another admission": succeed(A.signer, by_host(KEY, Role.HOST), key(A_AGAIN)),
    "a succession by two steps": succeed(B.signer, succeed(A.signer, OWN, key(B)), key(A_AGAIN)),
}


@pytest.mark.parametrize("admission", CHANGES_OF_KEY.values(), ids=CHANGES_OF_KEY.keys())
def test_a_key_changes_by_nothing_else(admission: Admission) -> None:
    new = leaf_of(A_AGAIN, admission)
    assert keys_change_by_succession(A_LEAF, new) is not None
    with pytest.raises(GroupRuleError) as caught:
        check_replacement(context(), A_LEAF, new, LEAVES)
    assert caught.value.rule == "keys_change_by_succession"


@pytest.mark.parametrize("before", list(Role))
@pytest.mark.parametrize("after", list(Role))
def test_which_roles_a_leaf_may_turn_into(before: Role, after: Role) -> None:
    old, new = leaf_of(A, by_host(KEY, before)), leaf_of(A, by_host(KEY, after))
    rises = {(Role.GUEST, Role.MEMBER), (Role.GUEST, Role.HOST), (Role.MEMBER, Role.HOST)}
    assert (roles_only_rise(old, new) is None) is (before is after or (before, after) in rises)


def test_a_host_appoints_another_and_one_who_was_kicked_does_not() -> None:
    appointed = issue(OTHER_HOST.signer, MEETING_ID, KEY, Role.HOST, issuer_admission=OTHER)
    leaf = leaf_of(A, appointed)
    check_replacement(context(), A_LEAF, leaf, LEAVES)
    with pytest.raises(GroupRuleError) as caught:
        check_replacement(kicked(OTHER_HOST), A_LEAF, leaf, LEAVES)
    assert caught.value.rule == "nobody_kicked_admits"


def test_whom_a_kicked_host_admitted_may_renew_its_key() -> None:
    member = leaf_of(STRANGER, BY_OTHER)
    successor = leaf_of(B, succeed(STRANGER.signer, BY_OTHER, key(B)))
    check_replacement(kicked(OTHER_HOST), member, successor, [HOST_LEAF, member])


def test_rules_hold_for_members_as_they_were_seen_once() -> None:
    members = Members.of(LEAVES)
    assert members.host_keys == {key(HOST)}
    assert nobody_kicked_admits(kicked(OTHER_HOST), leaf_of(STRANGER, BY_OTHER), members)
    assert successors_take_a_place(context(), SUCCESSOR, members) is None


def test_every_rule_says_what_it_prevents() -> None:
    for rule in (*TREE_RULES, nobody_kicked_admits, successors_take_a_place, roles_only_rise):
        assert "Prevents:" in str(rule.__doc__)


def test_the_link_is_no_succession() -> None:
    assert admission_of(leaf_of(GUEST, by_link(key(GUEST)))).issuer_type is IssuerType.LINK
