"""Every group rule, broken by a real member in a real group, as a plain member and as a host.

Each case is a commit that MLS finds valid. Every honest member refuses it with the rule's name, is
as it was, and the meeting goes on: an honest one who comes next is taken in by all.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest

from conclaved.meeting import (
    Admission,
    GroupRuleError,
    Level,
    LinkSecret,
    OwnIdentity,
    Role,
    SignedInvitation,
)
from conclaved.meeting.admission import ADMISSION_EXTENSION, issue, succeed
from conclaved.meeting.meeting_context import MEETING_EXTENSION
from conclaved.meeting.membership import leaves_of
from conclaved.meeting.rules import GROUP_RULES, check_commit
from conclaved.mls import (
    Add,
    Extension,
    GroupContextExtensions,
    LeafChange,
    PreSharedKey,
    PreSharedKeyID,
    Remove,
    X509Credential,
)
from tests.meeting.cast import OTHER_HOST, A, B, by_host
from tests.meeting.insider import KICK, LEAVE, VANISHED, Insider
from tests.meeting.simulated_service import PUBLIC_CA, SUITE, WALL, identity
from tests.meeting.table import GUEST, RECORDER, STRANGER, Table

OTHER_LINK = LinkSecret(bytes(32)).link_key().public_key
INSIDER_AGAIN = identity("insider.example.com")
"""The insider's certificate for its next key."""


@dataclass(frozen=True)
class Case:
    """How a rule is broken, and by whom."""

    rule: str
    what: str
    commit: Callable[[Table], object]
    roles: tuple[Role, ...] = (Role.MEMBER, Role.HOST)
    lay: Callable[[Role], Table] = Table.lay


def admission(of: Admission) -> LeafChange:
    """The own leaf with this admission in it."""
    return LeafChange(extensions=(Extension(ADMISSION_EXTENSION, of.encode()),))


def new_key(of: Admission | None) -> LeafChange:
    """The own leaf under the insider's next key, with this admission."""
    return LeafChange(
        signer=INSIDER_AGAIN.signer,
        credential=X509Credential(INSIDER_AGAIN.chain),
        extensions=() if of is None else (Extension(ADMISSION_EXTENSION, of.encode()),),
    )


def terms(table: Table, by: Insider | None = None, **changes: object) -> GroupContextExtensions:
    """The meeting's present terms with changes, and with the word of whoever makes them."""
    return table.changed(replace(table.insider.context, **changes), by)  # type: ignore[arg-type]


def unsigned(table: Table, **changes: object) -> GroupContextExtensions:
    after = replace(table.insider.context, **changes)  # type: ignore[arg-type]
    return GroupContextExtensions((after.extension(),))


def an_older_word(table: Table) -> object:
    kicked = replace(table.insider.context, kicked=frozenset({STRANGER.signer.public_key}))
    return kicked.signed(table.insider.who.signer, table.insider.admission).word


def add_with(table: Table, role: Role) -> Add:
    """A stranger with an admission by the invitation's signer."""
    return table.insider.add(STRANGER, table.meeting.admission(STRANGER, role))


def another_commits_its_leave(table: Table, reason: bytes) -> None:
    """A second insider asks to be removed, and the first one commits it."""
    other = table.join(identity("other.example.com"))
    proposal = other.live.sign_proposal(Remove(other.leaf), reason)
    other.publish(other.live.protect(proposal))
    table.meeting.service.settle()
    table.insider.commit(by_reference=table.insider.proposals)


def named(name: str, insider: Insider) -> X509Credential:
    """A certificate of that name for the insider's key."""
    key = insider.who.signer.certificate_public_key
    return X509Credential(
        tuple(PUBLIC_CA.issue(key, dns=[name], not_before=WALL - 60, not_after=WALL + 86400))
    )


def kicked_list(table: Table, *keys: bytes) -> GroupContextExtensions:
    return terms(table, kicked=table.insider.context.kicked | set(keys))


def another_is_kicked(table: Table) -> Insider:
    """A host that was thrown out, and still has its key."""
    other = table.join(OTHER_HOST, Role.HOST)
    other.is_following = False
    table.host.kick("other-host.example.com")
    table.meeting.service.run(3)
    assert "other-host.example.com" not in table.host.names()
    return other


def the_kicked_admits(table: Table) -> None:
    other = another_is_kicked(table)
    table.insider.commit([table.insider.add(STRANGER, table.admitted_by(other, STRANGER))])


def the_kicked_appoints(table: Table) -> None:
    other = another_is_kicked(table)
    table.insider.commit(leaf=admission(table.admitted_by(other, table.insider.who, Role.HOST)))


def the_kicked_comes_back(table: Table) -> None:
    other = another_is_kicked(table)
    table.insider.commit([table.insider.add(OTHER_HOST, other.admission)])


def the_kicked_comes_back_under_a_new_key(table: Table) -> None:
    other = another_is_kicked(table)
    successor = succeed(OTHER_HOST.signer, other.admission, STRANGER.signer.public_key)
    table.insider.commit([table.insider.add(STRANGER, successor)])


def another_is_forgiven(table: Table) -> Insider:
    other = another_is_kicked(table)
    table.host.allow_back("other-host.example.com")
    table.meeting.service.run(3)
    assert table.insider.context.allowed_back
    return other


def the_forgiven_comes_as_before(table: Table) -> None:
    other = another_is_forgiven(table)
    table.insider.commit([table.insider.add(OTHER_HOST, other.admission)])


def the_forgiven_admits(table: Table) -> None:
    other = another_is_forgiven(table)
    table.insider.commit([table.insider.add(STRANGER, table.admitted_by(other, STRANGER, Role.MEMBER))])


def a_note_is_taken_off(table: Table) -> None:
    another_is_forgiven(table)
    table.insider.commit([terms(table, allowed_back=frozenset())])


def a_chain_of_four(table: Table) -> None:
    """STRANGER's admission by a host by a host by a host by the invitation's signer."""
    meeting_id = table.meeting.invitation.content.meeting_id
    chain, signer = table.meeting.admission(B, Role.HOST), B.signer
    for who in (OTHER_HOST, A, STRANGER):
        chain = issue(signer, meeting_id, who.signer.public_key, Role.HOST, issuer_admission=chain)
        signer = who.signer
    table.insider.commit([table.insider.add(STRANGER, chain)])


def a_second_line(table: Table) -> None:
    successor = succeed(table.insider.who.signer, table.insider.admission, STRANGER.signer.public_key)
    table.insider.commit([table.insider.add(STRANGER, successor)])


def a_successor_of_nobody(table: Table) -> None:
    successor = succeed(B.signer, table.meeting.admission(B), STRANGER.signer.public_key)
    table.insider.commit([table.insider.add(STRANGER, successor)])


def a_rejoin_under_another_name(table: Table) -> None:
    """B leaves its leaf by a fresh one, whose certificate is for somebody else."""
    own = table.meeting.admission(B)
    first = Insider.admit(table.meeting, who=B, admission=own).join()
    first.is_following = False
    other = named("chair.example.com", first)
    again = OwnIdentity(B.signer, other.certificates)
    leaf = table.insider.leaf_of(B)
    table.insider.commit([Remove(leaf), table.insider.add(again, own)], authenticated_data=VANISHED)


def half_of_a_line_is_listed(table: Table) -> None:
    """A host throws out a member that has changed its key, and lists the new one alone."""
    own = table.meeting.admission(B)
    first = Insider.admit(table.meeting, who=B, admission=own).join()
    first.is_following = False
    again = identity("b.example.com")
    successor = succeed(B.signer, own, again.signer.public_key)
    second = Insider.admit(table.meeting, who=again, admission=successor).join()
    table.meeting.service.run(1)
    listed = kicked_list(table, again.signer.public_key)
    table.insider.commit([Remove(second.leaf), listed], authenticated_data=KICK)


def own_succession(table: Table) -> Admission:
    """Onto the next key, on an admission that the insider's leaf does not have."""
    again = table.meeting.admission(table.insider.who, Role.HOST)
    return succeed(table.insider.who.signer, again, INSIDER_AGAIN.signer.public_key)


MEMBER, HOST = (Role.MEMBER,), (Role.HOST,)

CASES = [
    Case(
        "only_known_proposals",
        "a PSK that all have",
        lambda t: t.insider.commit(
            [PreSharedKey(PreSharedKeyID.resumption(SUITE, t.insider.live.group_id, t.insider.live.epoch))]
        ),
    ),
    Case(
        "it_stays_a_meeting",
        "a group that is none",
        lambda t: t.insider.commit([GroupContextExtensions(())]),
    ),
    Case(
        "it_stays_a_meeting",
        "malformed terms",
        lambda t: t.insider.commit([GroupContextExtensions((Extension(MEETING_EXTENSION, b"nonsense"),))]),
    ),
    Case("a_leave_says_so", "a leave that looks like a kick", lambda t: another_commits_its_leave(t, KICK)),
    Case(
        "a_leave_says_so",
        "a leave for a reason that there is not",
        lambda t: another_commits_its_leave(t, b"\xff"),
    ),
    Case(
        "removes_have_a_reason",
        "a Remove without one",
        lambda t: t.insider.commit([Remove(t.insider.leaf_of(A))]),
    ),
    Case(
        "removes_have_a_reason",
        "a Remove as if the other had left",
        lambda t: t.insider.commit([Remove(t.insider.leaf_of(A))], authenticated_data=LEAVE),
    ),
    Case(
        "removes_have_a_reason",
        "a Remove for a reason that there is not",
        lambda t: t.insider.commit([Remove(t.insider.leaf_of(A))], authenticated_data=b"\x09"),
    ),
    Case(
        "only_hosts_kick",
        "a kick",
        lambda t: t.insider.commit([Remove(t.insider.leaf_of(A))], authenticated_data=KICK),
        MEMBER,
    ),
    Case(
        "only_hosts_kick",
        "a kick with the list",
        lambda t: t.insider.commit(
            [Remove(t.insider.leaf_of(A)), kicked_list(t, A.signer.public_key)], authenticated_data=KICK
        ),
        MEMBER,
    ),
    Case(
        "kicks_list_every_key",
        "a kick without a list",
        lambda t: t.insider.commit([Remove(t.insider.leaf_of(A))], authenticated_data=KICK),
        HOST,
    ),
    Case("kicks_list_every_key", "a kick that leaves out a former key", half_of_a_line_is_listed, HOST),
    Case(
        "only_hosts_change_the_terms",
        "a change of the kicked list",
        lambda t: t.insider.commit([kicked_list(t, STRANGER.signer.public_key)]),
        MEMBER,
    ),
    Case(
        "only_hosts_change_the_terms",
        "the end",
        lambda t: t.insider.commit([terms(t, is_ended=True)]),
        MEMBER,
    ),
    Case(
        "only_hosts_change_the_terms", "a change of nothing", lambda t: t.insider.commit([terms(t)]), MEMBER
    ),
    Case(
        "it_stays_the_same_meeting",
        "another meeting's invitation",
        lambda t: t.insider.commit([terms(t, invitation=t.invitation(serial=2, meeting_id=bytes(16)))]),
        HOST,
    ),
    Case(
        "it_stays_the_same_meeting",
        "another signer's invitation",
        lambda t: t.insider.commit(
            [
                terms(
                    t,
                    invitation=SignedInvitation.verify(
                        replace(t.meeting.invitation.content, serial=2).sign(
                            t.insider.who.signer, t.insider.who.chain
                        )
                    ),
                )
            ]
        ),
        HOST,
    ),
    Case(
        "it_stays_the_same_meeting",
        "another invitation of the same serial",
        lambda t: t.insider.commit([terms(t, invitation=t.invitation(title="Another"))]),
        HOST,
    ),
    *(
        Case(
            "its_terms_stay",
            f"a newer invitation with another {field}",
            lambda t, field=field, value=value: t.insider.commit(  # type: ignore[misc]
                [terms(t, invitation=t.invitation(serial=2, **{field: value}))]
            ),
            HOST,
        )
        for field, value in {
            "is_open": True,
            "link_public_key": OTHER_LINK,
            "service": "wss://x.example:443",
            "service_ends": ("r.example",),
        }.items()
    ),
    Case(
        "its_terms_stay",
        "a newer invitation of another level",
        lambda t: t.insider.commit(
            [terms(t, invitation=t.invitation(serial=2, level=Level.LOCKED, service_ends=()))]
        ),
        HOST,
    ),
    Case(
        "who_is_allowed_back_is_let_in_anew",
        "a list without the kick, and no note",
        lambda t: t.insider.commit([terms(t, kicked=frozenset())]),
        HOST,
        Table.closed_by_kick,
    ),
    Case("who_is_allowed_back_is_let_in_anew", "a note that is gone", a_note_is_taken_off, HOST),
    Case(
        "its_serial_counts_changes",
        "a serial that leaves room for none",
        lambda t: t.insider.commit([terms(t, serial=t.insider.context.serial + 2)]),
        HOST,
    ),
    Case(
        "its_serial_counts_changes",
        "a serial from before",
        lambda t: t.insider.commit([terms(t, serial=0)]),
        HOST,
        Table.closed_by_kick,
    ),
    Case(
        "a_closed_link_stays_closed",
        "a link that is open again",
        lambda t: t.insider.commit([terms(t, is_link_closed=False, link_guests=frozenset())]),
        HOST,
        Table.closed_by_kick,
    ),
    Case(
        "a_closed_link_stays_closed",
        "a new guest on the list",
        lambda t: t.insider.commit(
            [
                terms(t, link_guests=t.insider.context.link_guests | {STRANGER.signer.public_key}),
                t.insider.add(STRANGER, t.meeting.link_admission(STRANGER)),
            ]
        ),
        HOST,
        Table.closed_by_kick,
    ),
    Case(
        "its_terms_are_a_hosts",
        "a list on which nobody's word stands",
        lambda t: t.insider.commit([unsigned(t, kicked=frozenset({STRANGER.signer.public_key}))]),
        HOST,
    ),
    Case(
        "its_terms_are_a_hosts",
        "the end, with the word on other terms",
        lambda t: t.insider.commit([unsigned(t, is_ended=True, word=an_older_word(t))]),
        HOST,
    ),
    Case(
        "nobody_comes_in_at_the_end",
        "an end with an Add",
        lambda t: t.insider.commit([terms(t, is_ended=True), add_with(t, Role.GUEST)]),
        HOST,
    ),
    Case(
        "every_leaf_is_admitted",
        "an Add without an admission",
        lambda t: t.insider.commit([t.insider.add(STRANGER)]),
    ),
    Case(
        "every_leaf_is_admitted",
        "an Add with another's admission",
        lambda t: t.insider.commit([t.insider.add(STRANGER, t.meeting.admission(B))]),
    ),
    Case(
        "every_leaf_is_admitted",
        "an Add that the member itself admits",
        lambda t: t.insider.commit([t.insider.add(STRANGER, t.admitted_by(t.insider, STRANGER))]),
        MEMBER,
    ),
    Case(
        "every_leaf_is_admitted",
        "an Add through the link of a closed meeting",
        lambda t: t.insider.commit([t.insider.add(STRANGER, t.meeting.link_admission(STRANGER))]),
    ),
    Case(
        "every_leaf_is_admitted",
        "an Add with an admission to another meeting",
        lambda t: t.insider.commit([t.insider.add(STRANGER, by_host(STRANGER.signer.public_key))]),
    ),
    Case("every_leaf_is_admitted", "a chain of four", a_chain_of_four),
    Case(
        "every_leaf_is_admitted",
        "a committer without its admission",
        lambda t: t.insider.commit(leaf=LeafChange(extensions=())),
    ),
    Case(
        "every_leaf_is_admitted",
        "a committer with another's admission",
        lambda t: t.insider.commit(leaf=admission(t.meeting.admission(B))),
    ),
    Case(
        "every_leaf_is_admitted",
        "a committer that makes itself a host",
        lambda t: t.insider.commit(leaf=admission(replace(t.insider.admission, role=Role.HOST))),
        MEMBER,
    ),
    Case(
        "every_leaf_is_admitted", "a new key without a word", lambda t: t.insider.commit(leaf=new_key(None))
    ),
    Case("nobody_kicked_is_in", "an Add of one who was thrown out", the_kicked_comes_back),
    Case("nobody_kicked_is_in", "its successor", the_kicked_comes_back_under_a_new_key),
    Case(
        "nobody_kicked_is_in",
        "a list without the kick",
        lambda t: t.insider.commit([kicked_list(t, A.signer.public_key)]),
        HOST,
    ),
    Case(
        "nobody_kicked_is_in",
        "an Add of one who is listed in the same commit",
        lambda t: t.insider.commit([kicked_list(t, STRANGER.signer.public_key), add_with(t, Role.MEMBER)]),
        HOST,
    ),
    Case(
        "a_closed_link_admits_nobody",
        "an Add through the link",
        lambda t: t.insider.commit([t.insider.add(STRANGER, t.meeting.link_admission(STRANGER))]),
        lay=Table.closed_by_kick,
    ),
    Case(
        "service_ends_are_named",
        "a recorder of its own",
        lambda t: t.insider.commit([add_with(t, Role.SERVICE_END)]),
    ),
    Case(
        "named_service_ends_are_nothing_else",
        "a recorder that is a guest",
        lambda t: t.insider.commit([t.insider.add(RECORDER, t.meeting.admission(RECORDER, Role.GUEST))]),
    ),
    Case(
        "named_service_ends_are_nothing_else",
        "a member under a recorder's certificate",
        lambda t: t.insider.commit(leaf=LeafChange(credential=named("recorder.example.com", t.insider))),
    ),
    Case(
        "nobody_alone_takes_for_gone",
        "a Remove of one who is there",
        lambda t: t.insider.commit([Remove(t.insider.leaf_of(A))], authenticated_data=VANISHED),
        MEMBER,
    ),
    Case(
        "nobody_alone_takes_for_gone",
        "a Remove of all others",
        lambda t: t.insider.commit(
            [Remove(m.leaf_index) for m in t.insider.live.members if m.leaf_index != t.insider.leaf],
            authenticated_data=VANISHED,
        ),
        MEMBER,
    ),
    Case("one_leaf_for_a_line", "a successor beside the one that it succeeds", a_second_line),
    Case(
        "keys_change_by_succession",
        "a new key that a host has admitted",
        lambda t: t.insider.commit(leaf=new_key(t.meeting.admission(INSIDER_AGAIN))),
    ),
    Case(
        "keys_change_by_succession",
        "a succession on another admission than the leaf's",
        lambda t: t.insider.commit(leaf=new_key(own_succession(t))),
    ),
    Case(
        "roles_only_rise",
        "a member that becomes a guest",
        lambda t: t.insider.commit(leaf=admission(t.meeting.admission(t.insider.who, Role.GUEST))),
        MEMBER,
    ),
    Case(
        "roles_only_rise",
        "a host that quietly stops being one",
        lambda t: t.insider.commit(leaf=admission(t.meeting.admission(t.insider.who))),
        HOST,
    ),
    Case("nobody_kicked_admits", "an Add", the_kicked_admits),
    Case("nobody_kicked_admits", "a higher role", the_kicked_appoints),
    Case("no_admission_outlives_a_kick", "an Add by what it held", the_forgiven_comes_as_before),
    Case("no_admission_outlives_a_kick", "an Add by its word", the_forgiven_admits),
    Case("successors_take_a_place", "a successor of one who is not in", a_successor_of_nobody),
    Case("who_comes_back_has_its_name", "a rejoin under another name", a_rejoin_under_another_name),
]


@pytest.mark.parametrize(
    ("case", "role"),
    [(case, role) for case in CASES for role in case.roles],
    ids=[f"{case.rule}: {case.what}, by a {role.word}" for case in CASES for role in case.roles],
)
def test_no_member_and_no_host_breaks_a_rule(case: Case, role: Role) -> None:
    table = case.lay(role)
    case.commit(table)
    table.refuses(case.rule)
    table.goes_on()


# -- the rules about what a host has asked for: what it asked for comes about ----------------------


@pytest.mark.parametrize("role", [Role.MEMBER, Role.HOST])
def test_a_commit_that_passes_over_a_kick_is_nobodys(role: Role) -> None:
    table = Table.lay(role)
    other = table.join(STRANGER)
    other.is_following = False
    table.meeting.service.names_leaders = False
    table.host.kick("stranger.example.com")
    table.meeting.service.settle()
    table.insider.commit()
    table.refuses("kicks_are_carried_out")
    table.meeting.service.run(5)
    assert "stranger.example.com" not in table.host.names()
    table.goes_on()


@pytest.mark.parametrize("role", [Role.MEMBER, Role.HOST])
def test_one_who_is_to_be_thrown_out_cannot_end_the_epoch_first(role: Role) -> None:
    table = Table.lay(role)
    table.host.kick("insider.example.com")
    table.meeting.service.settle()
    table.insider.commit()
    table.refuses("kicks_are_carried_out")
    table.meeting.service.run(3)
    assert "insider.example.com" not in table.host.names()


@pytest.mark.parametrize("role", [Role.MEMBER, Role.HOST])
def test_a_commit_that_passes_over_the_end_is_nobodys(role: Role) -> None:
    table = Table.lay(role)
    other = table.join(OTHER_HOST, Role.HOST)
    other.propose(terms(table, other, is_ended=True))
    table.meeting.service.settle()
    table.insider.commit()
    table.refuses("ends_are_carried_out")
    table.meeting.service.run(3)
    assert table.insider.context.is_ended


@pytest.mark.parametrize("role", [Role.MEMBER, Role.HOST])
def test_nothing_follows_the_end(role: Role) -> None:
    table = Table.lay(role)
    other = table.join(OTHER_HOST, Role.HOST)
    other.commit([terms(table, other, is_ended=True)], enters=True)
    table.meeting.service.settle()
    assert table.insider.context.is_ended
    epochs = [len(room.keys) for room in (table.host, table.a)]
    context, leaves = table.insider.context, leaves_of(other.live)
    commit = table.insider.commit()
    staged = other.live.stage(commit.content)
    with pytest.raises(GroupRuleError) as caught:
        check_commit(context, leaves, leaves_of(staged), staged)
    assert caught.value.rule == "nothing_follows_the_end"
    table.meeting.service.run(3)
    assert [len(room.keys) for room in (table.host, table.a)] == epochs


def test_no_rule_is_left_out() -> None:
    alone = {"kicks_are_carried_out", "ends_are_carried_out", "nothing_follows_the_end"}
    assert {case.rule for case in CASES} | alone == {rule.__name__ for rule in GROUP_RULES}


def test_who_comes_through_a_closed_link_is_known_from_who_was_in() -> None:
    table = Table.closed_by_kick()
    assert "a.example.com" in table.host.names()
    assert GUEST.signer.public_key not in table.insider.context.link_guests
