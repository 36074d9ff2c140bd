"""The group rules, broken one by one by a real member in a real group.

Each case is a commit that MLS finds valid. Every honest member refuses it, is as it was, and goes
on: the next valid commit of the same epoch is taken by all.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest

from conclaved.meeting import Admission, GroupRuleError, Level, LinkSecret, Role, SignedInvitation
from conclaved.meeting.admission import ADMISSION_EXTENSION, issue, succeed
from conclaved.meeting.meeting_context import MEETING_EXTENSION, MeetingContext
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
from tests.meeting.cast import (
    HOST,
    OTHER_HOST,
    A,
    B,
    by_host,
    context,
    host_admission,
    invitation,
    leaf_of,
)
from tests.meeting.insider import KICK, LEAVE, VANISHED, Insider
from tests.meeting.simulated_service import SUITE, Meeting, Room, agree, identity

OTHER_LINK = LinkSecret(bytes(32)).link_key().public_key
STRANGER = identity("stranger.example.com")
GUEST = identity("guest.example.net")


@dataclass
class Table:
    """Two honest rooms, and an insider with the role that the case is about."""

    meeting: Meeting
    host: Room
    a: Room
    insider: Insider

    @classmethod
    def lay(cls, role: Role = Role.MEMBER, *, is_open: bool = False) -> "Table":
        meeting = Meeting.invite(("a.example.com", "late.example.com"), is_open=is_open)
        host = meeting.room(meeting.host)
        a = meeting.room(identity("a.example.com")) if is_open else meeting.room(A)
        insider = Insider.admit(meeting, role).join()
        meeting.service.run(2)
        agree(host, a)
        assert len(host.names()) == 3
        return cls(meeting, host, a, insider)

    def changed(self, after: MeetingContext) -> GroupContextExtensions:
        return GroupContextExtensions((after.extension(),))

    def invitation(self, **changes: object) -> SignedInvitation:
        content = replace(self.meeting.invitation.content, **changes)  # type: ignore[arg-type]
        return SignedInvitation.verify(content.sign(self.meeting.host.signer, self.meeting.host.chain))

    def refuses(self) -> None:
        """What the insider has just published is nobody's, and the meeting goes on."""
        rooms = (self.host, self.a)
        before, epoch = [room.state() for room in rooms], self.host.view.epoch
        counts = [len(room.bad_inputs) for room in rooms]
        self.meeting.service.settle()
        assert [room.state() for room in rooms] == before
        for room, count in zip(rooms, counts, strict=True):
            assert len(room.bad_inputs) == count + 1
            assert isinstance(room.bad_inputs[-1], GroupRuleError), room.bad_inputs[-1]
        late = Insider.admit(self.meeting, who=identity("late.example.com")).join()
        self.meeting.service.run(1)
        agree(*rooms)
        assert "late.example.com" in self.host.names()
        assert self.host.view.epoch == late.live.epoch == self.insider.live.epoch == epoch + 1


Case = Callable[[Table], object]


BY_MEMBER: dict[str, Case] = {
    "a PSK that all have": lambda t: t.insider.commit(
        [PreSharedKey(PreSharedKeyID.resumption(SUITE, t.insider.live.group_id, t.insider.live.epoch))]
    ),
    "an Add without an admission": lambda t: t.insider.commit([t.insider.add(STRANGER)]),
    "an Add with another's admission": lambda t: t.insider.commit(
        [t.insider.add(STRANGER, t.meeting.admission(B))]
    ),
    "an Add that the member itself admits": lambda t: t.insider.commit(
        [
            t.insider.add(
                STRANGER,
                issue(
                    t.insider.who.signer,
                    t.meeting.invitation.content.meeting_id,
                    STRANGER.signer.public_key,
                    Role.GUEST,
                    issuer_admission=t.insider.admission,
                ),
            )
        ]
    ),
    "an Add through the link of a closed meeting": lambda t: t.insider.commit(
        [t.insider.add(STRANGER, t.meeting.link_admission(STRANGER))]
    ),
    "an Add with an admission to another meeting": lambda t: t.insider.commit(
        [t.insider.add(STRANGER, by_host(STRANGER.signer.public_key))]
    ),
    "a Remove without a reason": lambda t: t.insider.commit([Remove(t.insider.leaf_of(A))]),
    "a Remove as if the other had left": lambda t: t.insider.commit(
        [Remove(t.insider.leaf_of(A))], authenticated_data=LEAVE
    ),
    "a Remove for a reason that there is not": lambda t: t.insider.commit(
        [Remove(t.insider.leaf_of(A))], authenticated_data=b"\x09"
    ),
    "a kick": lambda t: t.insider.commit([Remove(t.insider.leaf_of(A))], authenticated_data=KICK),
    "a kick with the list": lambda t: t.insider.commit(
        [
            Remove(t.insider.leaf_of(A)),
            t.changed(t.insider.context.kick(frozenset({A.signer.public_key}), frozenset())),
        ],
        authenticated_data=KICK,
    ),
    "a change of the kicked list": lambda t: t.insider.commit(
        [t.changed(replace(t.insider.context, kicked=frozenset({b"key"})))]
    ),
    "a change of nothing": lambda t: t.insider.commit([t.changed(t.insider.context)]),
    "a committer without its admission": lambda t: t.insider.commit(leaf=LeafChange(extensions=())),
    "a committer with another's admission": lambda t: t.insider.commit(
        leaf=LeafChange(extensions=(Extension(ADMISSION_EXTENSION, t.meeting.admission(B).encode()),))
    ),
    "a committer that makes itself a host": lambda t: t.insider.commit(
        leaf=LeafChange(
            extensions=(
                Extension(ADMISSION_EXTENSION, replace(t.insider.admission, role=Role.HOST).encode()),
            )
        )
    ),
    "a leave that looks like a kick": lambda t: a_proposes_its_own_remove(t, KICK),
    "a leave for a reason that there is not": lambda t: a_proposes_its_own_remove(t, b"\xff"),
}


def a_proposes_its_own_remove(table: Table, reason: bytes) -> None:
    """A second insider asks to be removed, and the first one commits it."""
    other = Insider.admit(table.meeting, who=identity("other.example.com")).join()
    table.meeting.service.run(2)
    proposal = other.live.sign_proposal(Remove(other.leaf), reason)
    other.publish(other.live.protect(proposal))
    table.meeting.service.settle()
    table.insider.commit(by_reference=table.insider.proposals)


@pytest.mark.parametrize("case", BY_MEMBER.values(), ids=BY_MEMBER.keys())
def test_a_member_cannot_commit(case: Case) -> None:
    table = Table.lay()
    case(table)
    table.refuses()


BY_HOST: dict[str, Case] = {
    "a kick that does not list the key": lambda t: t.insider.commit(
        [Remove(t.insider.leaf_of(A))], authenticated_data=KICK
    ),
    "a list without the kick": lambda t: t.insider.commit(
        [t.changed(replace(t.insider.context, kicked=frozenset({A.signer.public_key})))]
    ),
    "another meeting's invitation": lambda t: t.insider.commit(
        [t.changed(replace(t.insider.context, invitation=t.invitation(serial=2, meeting_id=bytes(16))))]
    ),
    "another signer's invitation": lambda t: t.insider.commit(
        [
            t.changed(
                replace(
                    t.insider.context,
                    invitation=SignedInvitation.verify(
                        replace(t.meeting.invitation.content, serial=2).sign(
                            t.insider.who.signer, t.insider.who.chain
                        )
                    ),
                )
            )
        ]
    ),
    "another invitation of the same serial": lambda t: t.insider.commit(
        [t.changed(replace(t.insider.context, invitation=t.invitation(title="Another")))]
    ),
    "a newer invitation to a meeting that is open": lambda t: t.insider.commit(
        [t.changed(replace(t.insider.context, invitation=t.invitation(serial=2, is_open=True)))]
    ),
    "a newer invitation of another level": lambda t: t.insider.commit(
        [t.changed(replace(t.insider.context, invitation=t.invitation(serial=2, level=Level.LOCKED)))]
    ),
    "a newer invitation with another link": lambda t: t.insider.commit(
        [t.changed(replace(t.insider.context, invitation=t.invitation(serial=2, link_public_key=OTHER_LINK)))]
    ),
    "a newer invitation to another service": lambda t: t.insider.commit(
        [
            t.changed(
                replace(t.insider.context, invitation=t.invitation(serial=2, service="wss://x.example:443"))
            )
        ]
    ),
    "a newer invitation with a recorder": lambda t: t.insider.commit(
        [
            t.changed(
                replace(t.insider.context, invitation=t.invitation(serial=2, service_ends=("r.example",)))
            )
        ]
    ),
    "a group that is no meeting": lambda t: t.insider.commit([GroupContextExtensions(())]),
    "a malformed meeting": lambda t: t.insider.commit(
        [GroupContextExtensions((Extension(MEETING_EXTENSION, b"nonsense"),))]
    ),
    "an Add of a kicked key": lambda t: t.insider.commit(
        [
            t.changed(replace(t.insider.context, kicked=frozenset({STRANGER.signer.public_key}))),
            t.insider.add(STRANGER, t.meeting.admission(STRANGER)),
        ]
    ),
    "a chain of four": lambda t: t.insider.commit([t.insider.add(STRANGER, *chain_of_four(t))]),
}


def chain_of_four(table: Table) -> tuple[Admission, ...]:
    """STRANGER's admission by a host by a host by a host by the invitation's signer."""
    meeting_id = table.meeting.invitation.content.meeting_id
    chain = table.insider.admission
    signer = table.insider.who.signer
    for who in (OTHER_HOST, B, STRANGER):
        chain = issue(signer, meeting_id, who.signer.public_key, Role.HOST, issuer_admission=chain)
        signer = who.signer
    return (chain,)


@pytest.mark.parametrize("case", BY_HOST.values(), ids=BY_HOST.keys())
def test_even_a_host_cannot_commit(case: Case) -> None:
    table = Table.lay(Role.HOST)
    case(table)
    table.refuses()


def closed_by_kick() -> Table:
    """An open meeting whose link a kick has closed."""
    table = Table.lay(Role.HOST, is_open=True)
    victim = table.meeting.room(GUEST)
    table.meeting.service.run(4)
    assert "guest.example.net" in table.host.names()
    table.host.kick("guest.example.net")
    table.meeting.service.run(4)
    assert victim.ended is not None
    assert table.insider.context.is_link_closed
    return table


AFTER_THE_LINK_CLOSED: dict[str, Case] = {
    "an Add through the link": lambda t: t.insider.commit(
        [t.insider.add(STRANGER, t.meeting.link_admission(STRANGER))]
    ),
    "a link that is open again": lambda t: t.insider.commit(
        [t.changed(replace(t.insider.context, is_link_closed=False, link_guests=frozenset()))]
    ),
    "a new guest on the list": lambda t: t.insider.commit(
        [
            t.changed(
                replace(
                    t.insider.context,
                    link_guests=t.insider.context.link_guests | {STRANGER.signer.public_key},
                )
            ),
            t.insider.add(STRANGER, t.meeting.link_admission(STRANGER)),
        ]
    ),
}


@pytest.mark.parametrize("case", AFTER_THE_LINK_CLOSED.values(), ids=AFTER_THE_LINK_CLOSED.keys())
def test_once_the_link_is_closed_nobody_commits(case: Case) -> None:
    table = closed_by_kick()
    case(table)
    table.refuses()


def test_who_came_through_the_link_stays_when_it_closes() -> None:
    table = closed_by_kick()
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


# -- the rules that MLS itself stands before ------------------------------------------------------


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
    end = context(is_ended=True)
    item = ResolvedProposal(GroupContextExtensions((end.extension(),)), 0, False, b"")
    assert check(Effect(proposals=(item,), extensions=(end.extension(),))) == end


def test_a_member_may_renew_its_key() -> None:
    new = leaf_of(B, succeed(A.signer, admission_of(LEAVES[1]), B.signer.public_key))
    assert check(Effect(updated=((1, LEAVES[1], new),)), {0: LEAVES[0], 1: new}) == context()


def test_every_rule_has_a_name_of_its_own_and_says_what_it_prevents() -> None:
    names = [rule.__name__ for rule in GROUP_RULES]
    assert len(set(names)) == len(names)
    assert all("Prevents:" in str(rule.__doc__) for rule in GROUP_RULES)
