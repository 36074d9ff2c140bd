"""Kicks: who is thrown out stays out, whoever does what against it, and whatever comes at once."""

import os

import pytest

from conclaved.meeting import GroupRuleError, Role
from conclaved.meeting.events import CarrierEvent, Effect, Leader, Live, Publish
from conclaved.mls import GroupContextExtensions, MlsError, Remove
from tests.meeting.insider import KICK, LEAVE, VANISHED, Insider
from tests.meeting.simulated_service import Client, Meeting, Room, agree, identity

A, B = identity("a.example.com"), identity("b.example.com")
OTHER_HOST = identity("other-host.example.com")


def meeting_with(*who: object, role: Role = Role.MEMBER) -> tuple[Meeting, list[Room], Insider]:
    """The host's room, one for each of `who`, and an insider."""
    meeting = Meeting.invite(("a.example.com", "b.example.com"))
    rooms = [meeting.room(meeting.host), *(meeting.room(each) for each in who)]  # type: ignore[arg-type]
    insider = Insider.admit(meeting, role).join()
    meeting.service.run(2)
    agree(*rooms)
    return meeting, rooms, insider


def test_a_kicked_member_reads_nothing_of_what_comes_after() -> None:
    meeting, (host, a), insider = meeting_with(A)
    insider.is_following = False
    group = insider.live
    count = len(insider.heard)
    host.kick("insider.example.com")
    meeting.service.run(6)
    assert "insider.example.com" not in host.names()
    kicked_at = next(
        i for i, e in enumerate(insider.heard[count:]) if isinstance(e, Live) and opens(group, e.data) is None
    )
    later = [e.data for e in insider.heard[count + kicked_at :] if isinstance(e, Live)]
    assert later
    assert all(opens(group, data) is None for data in later)
    assert host.keys[-1].members == a.keys[-1].members
    assert group.own_leaf_index not in host.keys[-1].members
    assert group.own_leaf_index in host.keys[-1].removed


def opens(group: object, data: bytes) -> object:
    try:
        return group.unprotect(data)  # type: ignore[attr-defined]
    except MlsError:
        return None


def test_a_kicked_key_does_not_come_back_by_its_old_admission() -> None:
    meeting, (host, a), insider = meeting_with(A)
    host.kick("insider.example.com")
    meeting.service.run(4)
    insider.group = None
    for _ in range(3):
        insider.offer()
        meeting.service.run(2)
    assert not insider.is_in()
    agree(host, a)
    assert "insider.example.com" not in host.names()


def test_one_who_is_to_be_kicked_cannot_end_the_epoch_before_it() -> None:
    meeting, (host, a), insider = meeting_with(A)
    before = [room.state() for room in (host, a)]
    host.kick("insider.example.com")
    meeting.service.settle()
    for _ in range(3):
        insider.commit()
        meeting.service.settle()
        assert [room.state() for room in (host, a)] == before
        for room in (host, a):
            assert isinstance(room.bad_inputs[-1], GroupRuleError)
            assert "passes over a host's kick" in str(room.bad_inputs[-1])
    meeting.service.run(1)
    assert "insider.example.com" not in host.names()
    agree(host, a)


def test_a_kick_that_comes_after_the_end_of_its_epoch_is_proposed_again() -> None:
    meeting, (host, a), insider = meeting_with(A)
    insider.commit(enters=True)
    host.kick("insider.example.com")
    meeting.service.run(2)
    assert "insider.example.com" not in host.names()
    agree(host, a)


def test_two_kicks_at_once_throw_out_both() -> None:
    meeting, (host, a, b), _ = meeting_with(A, B)
    host.kick("b.example.com")
    host.kick("insider.example.com")
    meeting.service.run(5)
    assert b.ended is not None
    assert host.names() == {"host.example.com", "a.example.com"}
    agree(host, a)


def test_a_stale_change_of_the_kicked_list_is_not_signed_again_in_a_later_epoch() -> None:
    # The host's key store is slow; another host's kick comes between.
    meeting, (host, a, b), other = meeting_with(A, B, role=Role.HOST)
    host.holds_jobs = True
    host.kick("b.example.com")
    slow, host.jobs, host.holds_jobs = host.jobs, [], False
    key = other.live.leaf(a.leaf("a.example.com"))
    assert key is not None
    after = other.context.kick(frozenset({key.signature_key}), frozenset())
    after = after.signed(other.who.signer, other.admission)
    other.commit(
        [GroupContextExtensions((after.extension(),)), Remove(a.leaf("a.example.com"))],
        authenticated_data=KICK,
        enters=True,
    )
    meeting.service.settle()
    host.jobs = slow
    host.work()
    meeting.service.run(5)
    assert a.ended is not None
    assert b.ended is not None
    assert key.signature_key in other.context.kicked


def test_a_member_that_keeps_offering_itself_is_kicked_all_the_same() -> None:
    meeting, (host, a), insider = meeting_with(A)
    insider.is_following = False
    host.kick("insider.example.com")
    for _ in range(30):
        insider.offer()
        meeting.service.run(0.1)
    assert "insider.example.com" not in host.names()
    agree(host, a)


def test_a_member_that_leaves_before_its_kick_is_on_the_list_all_the_same() -> None:
    meeting, (host, a), insider = meeting_with(A)
    insider.propose(Remove(insider.leaf), LEAVE)
    meeting.service.settle()
    host.kick("insider.example.com")
    meeting.service.run(5)
    insider.group = None
    insider.offer()
    meeting.service.run(4)
    assert not insider.is_in()
    assert host.names() == {"host.example.com", "a.example.com"}
    agree(host, a)


def test_a_flood_of_proposals_keeps_no_kick_out() -> None:
    meeting, (host, a), insider = meeting_with(A)
    for _ in range(300):
        insider.propose(Remove(insider.leaf), os.urandom(4))
    meeting.service.settle()
    host.kick("insider.example.com")
    meeting.service.run(5)
    assert "insider.example.com" not in host.names()
    agree(host, a)


def test_a_kick_in_an_open_meeting_closes_the_link() -> None:
    meeting = Meeting.invite((), is_open=True)
    host = meeting.room(meeting.host)
    staying, going = meeting.room(identity("x.example.net")), meeting.room(identity("y.example.net"))
    meeting.service.run(4)
    agree(host, staying, going)
    host.kick("y.example.net")
    meeting.service.run(4)
    assert going.ended is not None
    back = identity("y.example.net")
    again = Insider.admit(meeting, who=back, admission=meeting.link_admission(back))
    again.offer()
    meeting.service.run(4)
    assert not again.is_in()
    agree(host, staying)
    assert host.names() == {"host.example.com", "x.example.net"}


# -- against the log --------------------------------------------------------------------------------


def test_a_commit_that_passes_over_a_kick_in_the_log_is_nobodys_whoever_made_it() -> None:
    # An honest one may have been on its way; that of a friend of the kicked one was not.
    meeting, (host, a, b), insider = meeting_with(A, B)
    before = [room.state() for room in (host, a, b)]
    in_flight = insider.live.protect(insider.make_commit().content)
    host.kick("b.example.com")
    meeting.service.settle()
    insider.publish(in_flight)
    insider.commit(by_reference=insider.proposals[:1])
    insider.commit([Remove(insider.leaf_of(B))], authenticated_data=VANISHED)
    meeting.service.settle()
    assert [room.state() for room in (host, a, b)] == before
    assert all("passes over" in str(room.bad_inputs[-1]) for room in (host, a, b))
    meeting.service.run(2)
    assert b.has_ended()
    agree(host, a)


def test_a_kicked_room_itself_commits_nothing_though_it_is_asked_to_lead() -> None:
    meeting, (host, a, b), _ = meeting_with(A, B)
    meeting.service.leader = b
    meeting.service.names_leaders = False
    for room in (host, a, b):
        room.session.handle(leader(room is b), meeting.service.clock.now)
    commits: list[Client] = []

    def who(client: Client, effect: Effect) -> bool:
        if isinstance(effect, Publish) and effect.expected is not None:
            commits.append(client)
        return True

    meeting.service.upstream = who
    host.kick("b.example.com")
    meeting.service.run(4)
    assert b.has_ended()
    assert b not in commits
    agree(host, a)


def leader(is_self: bool) -> CarrierEvent:
    return Leader(is_self)


KICKS = [("a.example.com", "b.example.com"), ("a.example.com", "a.example.com")]


@pytest.mark.parametrize(("first", "second"), KICKS)
@pytest.mark.parametrize("first_host", [0, 1])
def test_two_hosts_that_kick_at_once_are_both_obeyed(first: str, second: str, first_host: int) -> None:
    meeting, hosts, a, b = two_hosts()
    hosts[first_host].kick(first)
    hosts[1 - first_host].kick(second)
    meeting.service.run(5)
    assert a.has_ended()
    assert b.has_ended() is (second == "b.example.com")
    agree(*hosts)
    assert {"host.example.com", "other-host.example.com"} <= hosts[0].names()


def two_hosts() -> tuple[Meeting, list[Room], Room, Room]:
    meeting = Meeting.invite(("a.example.com", "b.example.com"))
    hosts = [meeting.room(meeting.host)]
    hosts.append(meeting.room(OTHER_HOST, admission=meeting.admission(OTHER_HOST, Role.HOST)))
    a, b = meeting.room(A), meeting.room(B)
    meeting.service.run(4)
    agree(*hosts, a, b)
    return meeting, hosts, a, b


@pytest.mark.parametrize("first", [0, 1])
def test_of_two_hosts_that_kick_each_other_the_log_picks_one(first: int) -> None:
    meeting, hosts, a, b = two_hosts()
    names = ["host.example.com", "other-host.example.com"]
    hosts[first].kick(names[1 - first])
    hosts[1 - first].kick(names[first])
    meeting.service.run(5)
    assert sum(host.has_ended() for host in hosts) == 1
    (stays,) = (host for host in hosts if not host.has_ended())
    agree(stays, a, b)
    assert len(a.names()) == 3


def test_two_hosts_with_slow_key_stores_that_kick_at_once_are_both_obeyed() -> None:
    meeting, hosts, a, b = two_hosts()
    for host, name in zip(hosts, ("a.example.com", "b.example.com"), strict=True):
        host.holds_jobs = True
        host.kick(name)
    # Their proposals come one by one, and mixed.
    for _ in range(4):
        for host in hosts:
            jobs, host.jobs = host.jobs, []
            for job in jobs[:1]:
                host.work_on(job)
            host.jobs = jobs[1:] + host.jobs
    for host in hosts:
        host.holds_jobs = False
        host.work()
    meeting.service.run(6)
    assert a.has_ended()
    assert b.has_ended()
    agree(*hosts)


def test_a_rooms_own_commit_that_the_service_puts_behind_a_kick_is_nobodys_for_itself_too() -> None:
    meeting, hosts, a, b = two_hosts()
    service = meeting.service
    held: list[tuple[Client, Publish]] = []
    service.checks_expected = False

    def hold(client: Client, effect: Effect) -> bool:
        if isinstance(effect, Publish) and effect.expected is not None and not held:
            held.append((client, effect))
            return False
        return True

    service.upstream = hold
    Insider.admit(meeting).offer()
    service.run(0.4)
    ((committer, commit),) = held
    assert committer is hosts[0]
    hosts[1].kick("b.example.com")
    service.settle()
    service.take(committer, commit)
    service.settle()
    assert all("passes over" in str(room.bad_inputs[-1]) for room in (*hosts, a, b))
    assert b.has_ended()
    agree(*hosts, a)
