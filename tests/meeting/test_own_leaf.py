"""A room's own leaf changes: by an Update that another commits, or by its own commit."""

from dataclasses import replace

import pytest

from conclaved.identity import Assurance
from conclaved.meeting import GroupRuleError, OwnIdentity
from conclaved.meeting.admission import ADMISSION_EXTENSION
from conclaved.meeting.committing import TAKEOVER_S
from conclaved.meeting.events import Effect, Publish
from conclaved.mls import Extension, LeafChange, Remove, Update, X509Credential
from conclaved.mls.leaf_node import LeafNodeSource
from tests.meeting.insider import LEAVE, Insider
from tests.meeting.simulated_service import PUBLIC_CA, WALL, Client, Meeting, Room, agree, identity

A, B = identity("a.example.com"), identity("b.example.com")


def three_rooms() -> tuple[Meeting, Room, Room, Room]:
    meeting = Meeting.invite(("a.example.com", "b.example.com", "late.example.com"))
    rooms = meeting.room(meeting.host), meeting.room(A), meeting.room(B)
    meeting.service.run(4)
    agree(*rooms)
    assert meeting.service.leader is rooms[0]
    return meeting, *rooms


def renewed(who: OwnIdentity, name: str) -> LeafChange:
    """A new certificate of the same name for the same key."""
    key = who.signer.certificate_public_key
    chain = PUBLIC_CA.issue(key, dns=[name], not_before=WALL - 60, not_after=WALL + 86400)
    return LeafChange(credential=X509Credential(tuple(chain)))


def change(room: Room, wanted: LeafChange) -> None:
    room.session._commits.change_leaf(wanted)


def source_of(room: Room, name: str) -> LeafNodeSource:
    group = room.session._member.group
    assert group is not None
    leaf = group.leaf(room.leaf(name))
    assert leaf is not None
    return leaf.leaf_node_source


def shows(room: Room, name: str, wanted: LeafChange) -> bool:
    return room.session._member.leaves()[room.leaf(name)].credential == wanted.credential


def test_a_leaders_change_goes_in_with_its_own_commit() -> None:
    meeting, host, a, b = three_rooms()
    wanted = renewed(meeting.host, "host.example.com")
    code = a.view.security_code
    change(host, wanted)
    meeting.service.run(1)
    agree(host, a, b)
    assert all(shows(room, "host.example.com", wanted) for room in (host, a, b))
    assert a.view.security_code != code
    assert source_of(a, "host.example.com") is LeafNodeSource.COMMIT
    assert not host.session._commits.has_work


def test_anothers_change_goes_in_by_its_update_with_the_leaders_commit() -> None:
    meeting, host, a, b = three_rooms()
    wanted, epoch = renewed(B, "b.example.com"), host.view.epoch
    change(b, wanted)
    meeting.service.run(1)
    agree(host, a, b)
    assert host.view.epoch == epoch + 1
    assert all(shows(room, "b.example.com", wanted) for room in (host, a, b))
    assert source_of(a, "b.example.com") is LeafNodeSource.UPDATE
    assert a.view.code_reason == "b.example.com renewed its certificate"
    assert all(p.assurance is Assurance.VERIFIED for p in a.view.participants)
    assert not b.session._commits.has_work


def test_two_changes_a_join_and_a_leave_are_one_commit() -> None:
    meeting, host, a, b = three_rooms()
    leaver = Insider.admit(meeting).join()
    meeting.service.run(1)
    epoch = host.view.epoch
    change(a, renewed(A, "a.example.com"))
    change(b, renewed(B, "b.example.com"))
    leaver.propose(Remove(leaver.leaf), LEAVE)
    late = meeting.room(identity("late.example.com"))
    meeting.service.run(2)
    agree(host, a, b, late)
    assert host.view.epoch == epoch + 1
    assert "insider.example.com" not in host.names()


def test_a_change_is_proposed_again_when_its_epoch_ends_without_it() -> None:
    meeting, host, a, b = three_rooms()
    insider = Insider.admit(meeting).join()
    meeting.service.run(1)
    wanted = renewed(B, "b.example.com")
    change(b, wanted)
    b.tick(meeting.service.clock.now)
    insider.commit(enters=True)
    meeting.service.run(3)
    agree(host, a, b)
    assert shows(a, "b.example.com", wanted)


def test_a_change_that_nobody_commits_its_owner_commits_itself() -> None:
    meeting, host, a, b = three_rooms()
    wanted = renewed(B, "b.example.com")

    def only_b(client: Client, effect: Effect) -> bool:
        return client is b or not (isinstance(effect, Publish) and effect.expected is not None)

    meeting.service.upstream = only_b
    change(b, wanted)
    meeting.service.run(2 * TAKEOVER_S + 1)
    meeting.service.upstream = lambda client, effect: True
    agree(host, a, b)
    assert shows(a, "b.example.com", wanted)
    assert source_of(a, "b.example.com") is LeafNodeSource.COMMIT


def test_a_slow_key_store_whose_signature_comes_an_epoch_late_signs_again() -> None:
    meeting, host, a, b = three_rooms()
    insider = Insider.admit(meeting).join()
    meeting.service.run(1)
    wanted = renewed(B, "b.example.com")
    b.holds_jobs = True
    change(b, wanted)
    b.tick(meeting.service.clock.now)
    slow, b.jobs, b.holds_jobs = b.jobs, [], False
    insider.commit(enters=True)
    meeting.service.settle()
    for job in slow:
        b.work_on(job)
    meeting.service.run(2)
    agree(host, a, b)
    assert shows(a, "b.example.com", wanted)


def test_later_wishes_are_joined_to_earlier_ones() -> None:
    meeting, host, a, b = three_rooms()
    wanted = renewed(B, "b.example.com")
    leaf = b.session._member.leaves()[b.leaf("b.example.com")]
    change(b, LeafChange(extensions=leaf.extensions))
    change(b, wanted)
    assert b.session._commits.wanted_leaf == replace(wanted, extensions=leaf.extensions)
    meeting.service.run(2)
    agree(host, a, b)
    assert shows(a, "b.example.com", wanted)
    assert b.session._commits.wanted_leaf is None


@pytest.mark.parametrize("is_leader", [True, False])
def test_a_change_that_breaks_a_group_rule_is_given_up_and_holds_up_nobody(is_leader: bool) -> None:
    meeting, host, a, b = three_rooms()
    room = host if is_leader else b
    change(room, LeafChange(extensions=(Extension(ADMISSION_EXTENSION, b"nonsense"),)))
    late = meeting.room(identity("late.example.com"))
    meeting.service.run(2)
    agree(host, a, b, late)
    meeting.service.run(3 * 2 * TAKEOVER_S)
    agree(host, a, b, late)
    assert room.session._commits.wanted_leaf is None
    assert any(isinstance(error, GroupRuleError) for error in room.bad_inputs)


def test_an_update_that_spoils_every_commit_holds_up_neither_joins_nor_kicks() -> None:
    meeting, host, a, b = three_rooms()
    insider = Insider.admit(meeting).join()
    meeting.service.run(1)
    other = a.session._member.leaves()[a.leaf("a.example.com")]
    good = insider.live.update_proposal()
    assert isinstance(good.body, Update)
    insider.propose(Update(replace(good.body.leaf_node, encryption_key=other.encryption_key)))
    late = meeting.room(identity("late.example.com"))
    meeting.service.run(3)
    agree(host, a, b, late)
    insider.group = None
    host.kick("insider.example.com")
    meeting.service.run(3)
    agree(host, a, b, late)
    assert "insider.example.com" not in host.names()
