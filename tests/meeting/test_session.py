"""What a meeting does when everybody is honest."""

import base64
from collections.abc import Callable

import pytest

from conclaved.identity import Assurance, TrustStore
from conclaved.meeting import InvitationError, Level, Link, LocalError, OwnRules, State, security_code
from conclaved.meeting.admission import Role
from conclaved.meeting.committing import SIGNATURE_S, TAKEOVER_S
from conclaved.meeting.events import Connected, Disconnected, Entry, Lane, Leader, Live, Lobby, StartJob
from conclaved.meeting.leaving import LEAVE_WITHIN_S
from conclaved.mls import Remove
from tests.meeting.insider import KICK, Insider
from tests.meeting.simulated_service import PROVIDER_CA, Meeting, Room, agree, identity, in_group


def three_rooms() -> tuple[Meeting, Room, Room, Room]:
    meeting = Meeting.invite(("a.example.com", "b.example.com"))
    host = meeting.room(meeting.host)
    a = meeting.room(identity("a.example.com"))
    b = meeting.room(identity("b.example.com"))
    meeting.service.run(5)
    return meeting, host, a, b


def test_invited_rooms_come_in_by_themselves_and_show_one_code() -> None:
    _, host, a, b = three_rooms()
    assert in_group(host, a, b)
    names = {"host.example.com", "a.example.com", "b.example.com"}
    assert host.names() == a.names() == b.names() == names
    assert host.view.security_code == a.view.security_code == b.view.security_code != ""
    assert all(p.assurance is Assurance.VERIFIED for p in a.view.participants)


def test_all_members_have_the_same_media_keys() -> None:
    _, host, a, b = three_rooms()
    keys = {(room.keys[-1].epoch, bytes(room.keys[-1].base_key)) for room in (host, a, b)}
    assert len(keys) == 1


def test_a_founder_alone_shows_no_code() -> None:
    meeting = Meeting.invite(())
    host = meeting.room(meeting.host)
    meeting.service.run(1)
    assert host.view.state is State.IN_GROUP
    assert host.view.security_code == ""


def test_a_leave_rotates_the_key_and_keeps_the_code() -> None:
    meeting, host, a, b = three_rooms()
    code, epoch = host.view.security_code, host.view.epoch
    b.perform(b.session.leave(meeting.service.clock.now))
    meeting.service.run(5)
    assert b.ended is not None
    assert not b.ended.is_error
    assert host.names() == {"host.example.com", "a.example.com"}
    assert host.view.epoch == a.view.epoch > epoch
    assert host.view.security_code == a.view.security_code == code
    assert bytes(host.keys[-1].base_key) == bytes(a.keys[-1].base_key) != bytes(b.keys[-1].base_key)


def test_a_leave_that_loses_the_race_to_a_commit_is_not_lost() -> None:
    meeting = Meeting.invite(("a.example.com", "b.example.com"))
    rooms = [meeting.room(meeting.host), meeting.room(identity("a.example.com"))]
    b = meeting.room(identity("b.example.com"))
    insider = Insider.admit(meeting).join()
    meeting.service.run(2)
    insider.commit(enters=True)
    b.leave()
    meeting.service.run(8)
    assert b.ended is not None
    assert "b.example.com" not in rooms[0].names()
    agree(*rooms)


def test_the_leader_can_leave_and_another_leads_at_once() -> None:
    meeting, host, a, b = three_rooms()
    host.leave()
    meeting.service.run(1)
    assert host.has_ended()
    assert a.names() == b.names() == {"a.example.com", "b.example.com"}
    assert a.view.epoch == b.view.epoch


def test_a_guest_waits_in_the_lobby_and_changes_the_code_when_admitted() -> None:
    meeting, host, a, b = three_rooms()
    code = host.view.security_code
    guest = meeting.room(identity("guest.provider.example", PROVIDER_CA))
    meeting.service.run(5)
    assert guest.view.state is State.ASKING
    assert [w.name for w in host.view.lobby] == ["guest.provider.example"]
    assert a.view.lobby == ()
    host.perform(host.session.admit("guest.provider.example", meeting.service.clock.now))
    meeting.service.run(5)
    assert in_group(guest)
    codes = {room.view.security_code for room in (host, a, b, guest)}
    assert len(codes) == 1
    assert codes != {code}
    shown = next(p for p in a.view.participants if p.name == "guest.provider.example")
    assert shown.assurance is Assurance.PROVIDER
    assert shown.role is Role.GUEST
    assert shown.admitted_by == "host.example.com"
    assert "guest.provider.example (guest) joined" in a.view.code_reason
    assert host.view.lobby == ()


def test_a_denied_guest_is_told() -> None:
    meeting, host, _, _ = three_rooms()
    guest = meeting.room(identity("guest.provider.example", PROVIDER_CA))
    meeting.service.run(3)
    host.perform(host.session.deny("guest.provider.example", meeting.service.clock.now))
    meeting.service.run(4)
    assert guest.ended is not None
    assert guest.ended.is_error


def test_members_stay_alive_for_a_minute() -> None:
    meeting, host, a, b = three_rooms()
    meeting.service.run(60)
    assert [room.view.behind for room in (host, a, b)] == ["", "", ""]
    assert all(p.is_heard for p in a.view.participants if p.role is Role.HOST)


def test_a_kicked_member_is_out_and_is_turned_away_if_it_comes_back() -> None:
    meeting, host, a, b = three_rooms()
    leaf = next(p.leaf for p in host.view.participants if p.name == "b.example.com")
    host.perform(host.session.kick(leaf, meeting.service.clock.now))
    meeting.service.run(5)
    assert b.ended is not None
    assert "removed" in b.ended.reason
    assert a.names() == {"host.example.com", "a.example.com"}
    # A new key for the same name is no way around it, invited or not.
    back = meeting.room(identity("b.example.com"))
    meeting.service.run(5)
    assert back.ended is not None
    assert "removed" in back.ended.reason
    assert host.view.lobby == ()


def test_a_kicked_key_comes_back_when_a_host_says_so() -> None:
    meeting = Meeting.invite(("a.example.com", "b.example.com"))
    own = identity("b.example.com")
    host, a, b = meeting.room(meeting.host), meeting.room(identity("a.example.com")), meeting.room(own)
    meeting.service.run(5)
    leaf = next(p.leaf for p in host.view.participants if p.name == "b.example.com")
    host.perform(host.session.kick(leaf, meeting.service.clock.now))
    meeting.service.run(5)
    assert b.ended is not None
    host.allow_back("b.example.com")
    back = meeting.room(own)
    meeting.service.run(8)
    assert in_group(back, a)
    assert "b.example.com" in a.names()


def test_an_invited_room_comes_in_though_a_kick_has_closed_the_link() -> None:
    meeting = Meeting.invite(("late.example.com",), is_open=True)
    host = meeting.room(meeting.host)
    meeting.room(identity("x.example.net"))
    meeting.service.run(4)
    host.kick("x.example.net")
    meeting.service.run(4)
    late = meeting.room(identity("late.example.com"))
    meeting.service.run(10)
    agree(host, late)


# -- coming back ---------------------------------------------------------------------------------------


def test_a_member_that_lost_its_state_comes_back_without_the_lobby() -> None:
    meeting = Meeting.invite(())
    own = identity("guest.provider.example", PROVIDER_CA)
    host, guest = meeting.room(meeting.host), meeting.room(own)
    meeting.service.run(3)
    host.admit("guest.provider.example")
    meeting.service.run(3)
    agree(host, guest)
    epoch, admission = host.view.epoch, guest.session.admission
    meeting.service.disconnect(guest)
    meeting.service.settle()
    again = meeting.room(own, admission=admission)
    meeting.service.run(4)
    agree(host, again)
    assert host.view.lobby == ()
    assert host.view.epoch == epoch + 1
    assert sorted(p.name for p in host.view.participants) == ["guest.provider.example", "host.example.com"]


def test_another_key_of_the_same_name_goes_through_the_lobby() -> None:
    meeting = Meeting.invite(())
    host = meeting.room(meeting.host)
    guest = meeting.room(identity("guest.provider.example", PROVIDER_CA))
    meeting.service.run(3)
    host.admit("guest.provider.example")
    meeting.service.run(3)
    other = meeting.room(identity("guest.provider.example", PROVIDER_CA), admission=guest.session.admission)
    meeting.service.run(4)
    assert other.view.state is State.ASKING
    assert [w.name for w in host.view.lobby] == ["guest.provider.example"]


def test_the_host_itself_comes_back_after_a_restart() -> None:
    meeting, host, a, b = three_rooms()
    meeting.service.disconnect(host)
    meeting.service.settle()
    again = meeting.room(meeting.host)
    meeting.service.run(8)
    agree(again, a, b)
    assert len(a.names()) == 3


# -- the host's part -----------------------------------------------------------------------------------


def test_only_a_host_admits_denies_and_kicks() -> None:
    _, _, a, _ = three_rooms()
    acts: list[Callable[[], None]] = [
        lambda: a.admit("x"),
        lambda: a.kick("host.example.com"),
        lambda: a.deny("x"),
    ]
    for act in acts:
        with pytest.raises(LocalError) as caught:
            act()
        assert caught.value.hint


def test_a_host_kicks_neither_itself_nor_nobody() -> None:
    _, host, _, _ = three_rooms()
    for leaf in (host.leaf("host.example.com"), 3, 99, -1):
        with pytest.raises(LocalError):
            host.session.kick(leaf, host.service.clock.now)


def test_whoever_is_not_in_the_lobby_cannot_be_admitted() -> None:
    _, host, _, _ = three_rooms()
    with pytest.raises(LocalError):
        host.admit("nobody.example.com")


def test_one_who_stops_asking_is_gone_from_the_lobby() -> None:
    meeting, host, _, _ = three_rooms()
    guest = meeting.room(identity("guest.provider.example", PROVIDER_CA))
    meeting.service.run(3)
    assert host.view.lobby
    guest.leave()
    meeting.service.run(20)
    assert host.view.lobby == ()


# -- own rules, trust and time -------------------------------------------------------------------------


def test_a_room_that_joins_locked_meetings_only_refuses_others() -> None:
    meeting = Meeting.invite(("a.example.com",))
    with pytest.raises(InvitationError):
        meeting.room(identity("a.example.com"), rules=OwnRules(Level.LOCKED))


def test_a_locked_meeting_is_met_by_verified_rooms() -> None:
    meeting = Meeting.invite(("a.example.com",), level=Level.LOCKED)
    host = meeting.room(meeting.host)
    a = meeting.room(identity("a.example.com"), rules=OwnRules(Level.LOCKED))
    meeting.service.run(4)
    agree(host, a)


def test_a_room_whose_policy_becomes_stricter_than_the_meeting_says_goodbye_and_sends_nothing_more() -> None:
    meeting, host, a, b = three_rooms()
    host.perform(host.session.rules_changed(OwnRules(Level.LOCKED), meeting.service.clock.now))
    assert not host.may_send()
    behind = set()
    for _ in range(100):
        meeting.service.run(0.1)
        behind |= {a.view.behind, b.view.behind}
    assert host.ended is not None
    assert "locked meetings only" in host.ended.reason
    assert host.ended.hint
    assert behind == {""}
    assert a.names() == b.names() == {"a.example.com", "b.example.com"}


def test_a_room_stays_when_its_policy_becomes_as_strict_as_the_meeting() -> None:
    meeting = Meeting.invite(("a.example.com",), level=Level.LOCKED)
    host, a = meeting.room(meeting.host), meeting.room(identity("a.example.com"))
    meeting.service.run(4)
    a.perform(a.session.rules_changed(OwnRules(Level.LOCKED), meeting.service.clock.now))
    meeting.service.run(1)
    agree(host, a)


def test_a_room_in_a_standard_meeting_shows_at_once_that_it_trusts_somebody_no_more() -> None:
    meeting, _, a, _ = three_rooms()
    a.anchors[0] = TrustStore()
    a.perform(a.session.trust_changed(meeting.service.clock.now))
    assert {p.assurance for p in a.view.participants} == {Assurance.UNKNOWN}
    assert a.is_in()


def test_a_meeting_ends_with_its_invitation() -> None:
    meeting, host, a, b = three_rooms()
    meeting.service.clock.now += 3600
    meeting.service.run(0.2)
    for room in (host, a, b):
        assert room.ended is not None
        assert "over" in room.ended.reason


def test_nobody_joins_with_an_invitation_that_has_expired() -> None:
    meeting = Meeting.invite(())
    meeting.service.clock.now += 3600
    with pytest.raises(InvitationError):
        meeting.room(meeting.host)


# -- jobs ----------------------------------------------------------------------------------------------


def test_a_signature_that_comes_after_its_epoch_has_gone_does_no_harm() -> None:
    meeting, host, a, b = three_rooms()
    host.holds_jobs = True
    meeting.service.run(2.5)
    assert host.jobs
    slow, host.jobs, host.holds_jobs = host.jobs, [], False
    late = Insider.admit(meeting).join()
    host.jobs = slow
    host.work()
    meeting.service.run(6)
    agree(host, a, b)
    assert host.view.epoch == late.live.epoch
    assert [room.view.behind for room in (host, a, b)] == [""] * 3


def test_entries_wait_while_a_commit_is_being_worked_out() -> None:
    meeting, host, a, b = three_rooms()
    a.holds_jobs = True
    c, d = Insider.admit(meeting).join(), Insider.admit(meeting, who=identity("d.example.com")).join()
    assert host.view.epoch == d.live.epoch > a.view.epoch
    a.holds_jobs = False
    while a.jobs:
        a.work()
    meeting.service.run(1)
    agree(host, a, b)
    assert c.live.epoch == a.view.epoch


def held(room: Room, lane: Lane) -> list[StartJob]:
    """What a slow device is to do in that lane, taken out of what waits."""
    jobs = [job for job in room.jobs if job.lane is lane]
    room.jobs = [job for job in room.jobs if job.lane is not lane]
    return jobs


def slow_commit() -> tuple[Meeting, list[Room], StartJob]:
    """Three rooms; the host, which is to commit, has begun to, and its key store takes its time."""
    meeting, host, a, b = three_rooms()
    host.holds_jobs = True
    Insider.admit(meeting, who=identity("c.example.com")).offer()
    for _ in range(20):
        meeting.service.run(0.1)
        making = held(host, Lane.COMMIT)
        if making:
            return meeting, [host, a, b], making[0]
    raise AssertionError("the host makes no commit")


def test_a_commit_that_comes_while_an_own_one_is_made_is_entered_without_waiting_for_that() -> None:
    meeting, (host, a, b), making = slow_commit()
    before = host.view.epoch
    meeting.service.run(TAKEOVER_S + SIGNATURE_S + 0.5)
    assert (a.view.epoch, b.view.epoch) == (before + 1, before + 1)
    assert host.view.epoch == before
    for job in held(host, Lane.GROUP):
        host.work_on(job)
    assert host.view.epoch == before + 1
    # What was made for the epoch that has gone harms nobody.
    host.holds_jobs = False
    host.work()
    host.work_on(making)
    meeting.service.run(5)
    agree(host, a, b)
    assert host.view.epoch == before + 1
    assert not host.bad_inputs


def test_a_commit_that_is_ready_before_anothers_is_entered_counts_once() -> None:
    meeting, (host, a, b), making = slow_commit()
    before = host.view.epoch
    meeting.service.run(TAKEOVER_S + SIGNATURE_S + 0.5)
    judging, published = held(host, Lane.GROUP), len(meeting.service.log)
    host.work_on(making)
    meeting.service.settle()
    # Its place in the log would be behind the one that is being judged: a second commit for one epoch.
    assert len(meeting.service.log) == published
    for job in judging:
        host.work_on(job)
    host.holds_jobs = False
    host.work()
    meeting.service.run(5)
    agree(host, a, b)
    assert host.view.epoch == before + 1
    assert not [alarm for room in (host, a, b) for alarm in room.view.alarms]


def test_a_commit_that_is_ready_while_a_bad_one_is_judged_is_published_then() -> None:
    meeting, host, a, b = three_rooms()
    insider = Insider.admit(meeting).join()
    agree(host, a, b)
    host.holds_jobs = True
    Insider.admit(meeting, who=identity("c.example.com")).offer()
    making: list[StartJob] = []
    while not making:
        meeting.service.run(0.1)
        making = held(host, Lane.COMMIT)
    before = host.view.epoch
    insider.commit((Remove(insider.leaf_of(meeting.host)),), authenticated_data=KICK)
    meeting.service.settle()
    judging = held(host, Lane.GROUP)
    host.work_on(making[0])
    assert host.view.epoch == before
    for job in judging:
        host.work_on(job)
    meeting.service.settle()
    # Its three signatures were not made in vain.
    assert host.view.epoch == a.view.epoch == b.view.epoch == before + 1
    assert not held(host, Lane.COMMIT)


def test_who_led_before_the_connection_was_lost_does_not_lead_after_it_until_it_is_named_again() -> None:
    meeting, host, a, _ = three_rooms()
    host.holds_jobs = a.holds_jobs = True
    assert meeting.service.leader is host
    host.is_connected = False
    meeting.service.depart(host)
    host.perform(host.session.handle(Disconnected(), meeting.service.clock.now))
    meeting.service.settle()
    assert meeting.service.leader is a
    meeting.service.connect(host)
    Insider.admit(meeting, who=identity("c.example.com")).offer()
    meeting.service.run(1)
    assert held(a, Lane.COMMIT)
    assert not held(host, Lane.COMMIT)


def test_a_commit_made_without_a_proposal_that_came_meanwhile_is_made_again_with_it() -> None:
    meeting, (host, a, b), making = slow_commit()
    before, published = host.view.epoch, len(meeting.service.log)
    b.leave()
    meeting.service.run(0.1)
    assert len(meeting.service.log) == published + 1
    host.work_on(making)
    meeting.service.run(0.1)
    assert len(meeting.service.log) == published + 1
    again = held(host, Lane.COMMIT)
    assert again
    host.holds_jobs = False
    host.work()
    for job in again:
        host.work_on(job)
    meeting.service.run(1)
    agree(host, a)
    assert host.view.epoch == before + 1
    assert b.ended is not None


def test_a_job_that_ends_after_the_session_leaves_nothing_behind() -> None:
    meeting, host, a, _ = three_rooms()
    a.holds_jobs = True
    Insider.admit(meeting).join()
    jobs, a.jobs = a.jobs, []
    assert jobs
    a.leave()
    host.kick("a.example.com")
    meeting.service.run(LEAVE_WITHIN_S + 0.1)
    assert a.ended is not None
    leave, a.jobs = a.jobs, []
    assert leave
    for job in (*leave, *jobs):
        a.work_on(job)
    assert a.ended is not None
    assert a.session.job_done(10**6, None, meeting.service.clock.now) == []


def test_an_ended_session_hears_nothing_any_more() -> None:
    meeting, _, a, _ = three_rooms()
    a.leave()
    meeting.service.run(4)
    assert a.ended is not None
    for event in (Connected(0), Entry(0, b""), Lobby(b""), Live(b""), Leader(True), Disconnected()):
        assert a.session.handle(event, meeting.service.clock.now) == []
    assert a.session.tick(meeting.service.clock.now) == []
    assert a.view.state is State.ENDED
    assert a.view.security_code == ""
    assert a.view.participants == ()


# -- what is shown -------------------------------------------------------------------------------------


def test_all_media_keys_of_one_epoch_say_who_is_in_and_who_is_out() -> None:
    meeting, host, a, b = three_rooms()
    gone = host.leaf("b.example.com")
    b.leave()
    meeting.service.run(4)
    for room in (host, a):
        assert gone in room.keys[-1].removed
        assert room.keys[-1].members == {p.leaf for p in room.view.participants}
        assert room.keys[-1].own_leaf in room.keys[-1].members


def test_media_of_the_present_epoch_counts_as_a_sign_of_life() -> None:
    meeting, _, a, _ = three_rooms()
    Insider.admit(meeting).join()
    leaf = a.leaf("insider.example.com")
    assert not next(p for p in a.view.participants if p.leaf == leaf).is_heard
    a.perform(a.session.media_heard(leaf, a.view.epoch - 1, meeting.service.clock.now))
    assert not next(p for p in a.view.participants if p.leaf == leaf).is_heard
    a.perform(a.session.media_heard(leaf, a.view.epoch, meeting.service.clock.now))
    assert next(p for p in a.view.participants if p.leaf == leaf).is_heard


def test_the_code_is_that_of_the_code_epochs_authenticator() -> None:
    meeting, host, a, b = three_rooms()
    insider = Insider.admit(meeting).join()
    meeting.service.run(1)
    expected = security_code(insider.live.epoch_authenticator)
    assert {room.view.security_code for room in (host, a, b)} == {expected}
    assert {room.view.code_epoch for room in (host, a, b)} == {insider.live.epoch}
    b.leave()
    meeting.service.run(4)
    assert security_code(insider.live.epoch_authenticator) != expected
    assert {room.view.security_code for room in (host, a)} == {expected}


def test_no_repr_shows_a_secret_or_the_code() -> None:
    meeting, host, a, _ = three_rooms()
    guest = meeting.room(identity("guest.provider.example", PROVIDER_CA))
    meeting.service.run(3)
    shown = " ".join(
        map(
            repr,
            (
                meeting.link,
                meeting.host,
                *(room.session for room in (host, a, guest)),
                *(room.view for room in (host, a, guest)),
                *(keys for room in (host, a) for keys in room.keys),
                *meeting.service.sent,
                Entry(0, meeting.service.log[0]),
                Link("h", 443, bytes(32), meeting.link),
            ),
        )
    )
    secrets = [meeting.link.secret, meeting.link.address, *(bytes(k.base_key) for k in host.keys)]
    secrets += [effect.data[:24] for effect in meeting.service.sent]
    for secret in secrets:
        for trace in (
            secret.hex(),
            repr(secret)[2:-1],
            base64.urlsafe_b64encode(secret).decode().rstrip("="),
        ):
            assert trace not in shown
    code = host.view.security_code
    assert code not in shown
    assert code.replace(" ", "") not in shown


def test_the_service_sees_no_name_and_no_key_of_the_media() -> None:
    meeting, host, _, _ = three_rooms()
    meeting.room(identity("guest.provider.example", PROVIDER_CA))
    meeting.service.run(3)
    wire = b"".join(effect.data for effect in meeting.service.sent)
    for name in (b"host.example.com", b"a.example.com", b"guest.provider.example", b"Board"):
        assert name not in wire
    for keys in host.keys:
        assert bytes(keys.base_key) not in wire
