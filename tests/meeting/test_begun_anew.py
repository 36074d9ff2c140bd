"""A meeting whose log is lost, or never was one: who founds it anew, and who does not come back by it."""

from dataclasses import replace

import pytest

from conclaved.meeting import Admission, GroupRuleError, Level, OwnIdentity, Role, State
from conclaved.meeting.admission import issue
from conclaved.meeting.alive import LOST_S
from conclaved.meeting.events import CarrierEvent, Effect, Entry, Live, Lobby, SendLobby
from conclaved.meeting.meeting_context import MeetingContext
from tests.meeting.cast import bundle_of
from tests.meeting.insider import Insider
from tests.meeting.simulated_service import Client, Meeting, Room, SimulatedService, agree, identity

A, B = identity("a.example.com"), identity("b.example.com")
OTHER_HOST, LATE = identity("other-host.example.com"), identity("late.example.com")
INVITED = ("a.example.com", "b.example.com", "late.example.com", "insider.example.com")
LEVELS = pytest.mark.parametrize("level", [Level.STANDARD, Level.LOCKED])


def after_a_kick(level: Level = Level.STANDARD) -> tuple[Meeting, Room, Room, Room]:
    """A host and two members; B was thrown out of it."""
    meeting = Meeting.invite(INVITED, level=level)
    host, a, b = meeting.room(meeting.host), meeting.room(A), meeting.room(B)
    meeting.service.run(4)
    agree(host, a, b)
    host.kick("b.example.com")
    meeting.service.run(2)
    assert b.ended is not None
    agree(host, a)
    return meeting, host, a, b


def refuses_kicked(room: Room) -> bool:
    return any(isinstance(e, GroupRuleError) and "kicked key" in str(e) for e in room.bad_inputs)


# -- who was thrown out stays out -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("level", "founder"),
    [(Level.STANDARD, "host"), (Level.STANDARD, "member"), (Level.LOCKED, "host")],
)
def test_a_log_lost_by_the_service_does_not_bring_a_kicked_member_back(level: Level, founder: str) -> None:
    meeting, host, a, b = after_a_kick(level)
    meeting.service.lose_log(host if founder == "host" else a)
    meeting.service.run(6)
    agree(host, a)
    back = meeting.room(B, admission=b.session.admission)
    meeting.service.run(6)
    assert back.view.state is State.OFFERING
    assert host.names() == {"host.example.com", "a.example.com"}
    assert refuses_kicked(host)
    assert refuses_kicked(a)


@LEVELS
@pytest.mark.parametrize("is_same_id", [False, True])
def test_nobody_follows_a_welcome_into_a_group_that_a_kicked_one_has_founded(
    level: Level, is_same_id: bool
) -> None:
    meeting = Meeting.invite(INVITED, level=level)
    host, a = meeting.room(meeting.host), meeting.room(A)
    # A host itself: a locked group without any is refused for that alone.
    kicked = Insider.admit(meeting, Role.HOST).join()
    meeting.service.run(2)
    group_id = kicked.live.group_id
    host.kick("insider.example.com")
    meeting.service.run(2)
    agree(host, a)
    service = meeting.service
    service.settle()
    service.log.clear()
    kicked.found(MeetingContext(meeting.invitation), group_id if is_same_id else b"")
    for room in (host, a):
        service.disconnect(room)
        service.settle()
        service.connect(room)
    service.run(1)
    kicked.welcome()
    service.run(1)
    for room in (host, a):
        assert room.view.state is State.OFFERING
        assert "thrown out" in room.view.waits_for
        # Nothing was ever sent or opened under its keys.
        assert room.groups[-1] == []


@pytest.mark.parametrize("shows_its_terms", [False, True])
def test_nobody_follows_a_kicked_host_that_founds_under_a_key_which_it_admitted_itself(
    shows_its_terms: bool,
) -> None:
    meeting = Meeting.invite(INVITED, level=Level.LOCKED)
    host, a = meeting.room(meeting.host), meeting.room(A)
    kicked = Insider.admit(meeting, Role.HOST).join()
    meeting.service.run(2)
    agree(host, a)
    host.kick("insider.example.com")
    meeting.service.run(2)
    assert host.names() == {"host.example.com", "a.example.com"}
    # Another key and certificate, admitted by the kicked key, after it was thrown out.
    other = identity("insider.example.com")
    again = admitted_by(kicked, meeting, other)
    # Members see the terms that list its first key, and could hand them to it.
    seen = host.session._member.context
    terms = seen if shows_its_terms else MeetingContext(meeting.invitation)
    service = meeting.service
    service.rooms.remove(kicked)
    service.settle()
    service.log.clear()
    again.found(terms)
    for room in (host, a):
        service.disconnect(room)
        service.settle()
        service.connect(room)
    service.run(1)
    again.welcome()
    service.run(1)
    for room in (host, a):
        assert room.view.state is State.OFFERING
        assert "thrown out" in room.view.waits_for


def test_later_terms_of_the_group_do_not_bring_in_whom_a_kicked_host_has_admitted_since() -> None:
    meeting, host, a, _ = after_a_kick()
    kicked = Insider.admit(meeting, Role.HOST).join()
    meeting.service.run(1)
    host.kick("insider.example.com")
    meeting.service.run(2)
    agree(host, a)
    terms = host.session._member.context
    later = replace(terms, serial=terms.serial + 1).signed(
        meeting.host.signer, host.session._own.own_admission()
    )
    again = admitted_by(kicked, meeting, identity("insider.example.com"))
    leaves = {0: bundle_of(again.who, again.admission).key_package.leaf_node}
    for room in (host, a):
        assert room.session._entering.earlier.objection_to(later, leaves) is not None


def test_whom_a_host_admitted_before_it_was_thrown_out_is_followed_into_the_next_group() -> None:
    meeting = Meeting.invite(INVITED)
    host, a = meeting.room(meeting.host), meeting.room(A)
    meeting.service.run(3)
    insider = Insider.admit(meeting, Role.HOST).join()
    guest = meeting.room(B, admission=admission_by(insider, meeting, B, Role.MEMBER))
    meeting.service.run(3)
    host.kick("insider.example.com")
    meeting.service.run(2)
    agree(host, a, guest)
    meeting.service.rooms.remove(insider)
    meeting.service.lose_log(guest)
    meeting.service.run(6)
    agree(host, a, guest)


def test_a_kicked_one_stays_out_when_the_hosts_daemon_restarts_alone() -> None:
    meeting, host, a, kicked = after_a_kick()
    meeting.service.crash(a)
    admission, terms = host.session.admission, host.session.kept_terms
    meeting.service.crash(host)
    meeting.service.log.clear()
    again = meeting.room(meeting.host, admission=admission, terms=terms)
    meeting.service.run(2)
    assert again.is_in()
    meeting.room(B, admission=kicked.session.admission)
    meeting.service.run(4)
    assert again.names() == {"host.example.com"}


def test_a_room_that_was_restarted_does_not_follow_a_kicked_host() -> None:
    meeting = Meeting.invite(INVITED, level=Level.LOCKED)
    host, a = meeting.room(meeting.host), meeting.room(A)
    kicked = Insider.admit(meeting, Role.HOST).join()
    meeting.service.run(2)
    host.kick("insider.example.com")
    meeting.service.run(2)
    agree(host, a)
    admission, terms = a.session.admission, a.session.kept_terms
    meeting.service.crash(a)
    apart = SimulatedService(meeting.service.clock)
    kicked.service = apart
    apart.rooms.append(kicked)
    kicked.offers.clear()
    kicked.found(MeetingContext(meeting.invitation))
    back = meeting.room(A, admission=admission, terms=terms, service=apart)
    apart.run(1)
    kicked.welcome()
    apart.run(1)
    assert not back.is_in()


@pytest.mark.parametrize("is_host_there", [False, True])
def test_a_link_that_a_kick_has_closed_stays_closed_in_a_group_that_another_founds(
    is_host_there: bool,
) -> None:
    meeting = Meeting.invite(INVITED, is_open=True)
    host, a = meeting.room(meeting.host), meeting.room(A, admission=meeting.admission(A))
    guest = meeting.room(identity("guest.example.com"))
    accomplice = Insider.admit(meeting).join()
    meeting.service.run(3)
    agree(host, a, guest)
    host.kick("guest.example.com")
    meeting.service.run(3)
    service = meeting.service
    service.rooms.remove(accomplice)
    service.settle()
    service.log.clear()
    followers = (a, host) if is_host_there else (a,)
    for room in (host, a):
        service.disconnect(room)
    service.settle()
    again = Insider.admit(meeting, who=accomplice.who, admission=accomplice.admission)
    again.found(MeetingContext(meeting.invitation))
    for room in followers:
        service.connect(room)
    service.run(1)
    again.welcome()
    service.run(3)
    if is_host_there:
        assert again.context.is_link_closed
        return
    assert a.is_in()
    meeting.room(identity("guest.example.com"))
    service.run(1)
    inside = {m.leaf_node.signature_key for m in again.live.members}
    again.offers = [o for o in again.offers if o.leaf_node.signature_key not in inside]
    again.welcome()
    service.run(1)
    assert a.has_ended() or "guest.example.com" not in a.names()


def admission_by(issuer: Insider, meeting: Meeting, who: OwnIdentity, role: Role) -> Admission:
    meeting_id, key = meeting.invitation.content.meeting_id, who.signer.public_key
    return issue(issuer.who.signer, meeting_id, key, role, issuer_admission=issuer.admission)


def admitted_by(issuer: Insider, meeting: Meeting, who: OwnIdentity) -> Insider:
    """A host by the word of another host that was thrown out."""
    return Insider.admit(meeting, who=who, admission=admission_by(issuer, meeting, who, Role.HOST))


def late_founds(meeting: Meeting, *then: Client) -> Room:
    """One who knows of no kick is let in, never comes in, and founds the meeting when the log is lost."""
    late = meeting.room(LATE, admission=meeting.admission(LATE), connect=False)
    meeting.service.upstream = lambda client, effect: client is not late or not isinstance(effect, SendLobby)
    meeting.service.connect(late)
    meeting.service.run(1)
    assert late.view.state is State.OFFERING
    meeting.service.lose_log(late, *then)
    meeting.service.upstream = lambda client, effect: True
    meeting.service.settle()
    assert late.is_in()
    return late


def test_a_host_brings_its_kicks_into_a_group_that_one_without_memory_has_founded() -> None:
    meeting, host, a, b = after_a_kick()
    late = late_founds(meeting)
    meeting.service.run(6)
    agree(host, a, late)
    back = meeting.room(B, admission=b.session.admission)
    meeting.service.run(6)
    assert not back.is_in()
    assert refuses_kicked(late)
    assert len(late.names()) == 3


def test_a_member_leaves_such_a_group_when_a_kicked_one_comes_into_it() -> None:
    meeting, host, a, b = after_a_kick()
    meeting.service.disconnect(host)
    late = late_founds(meeting)
    meeting.service.run(6)
    agree(a, late)
    back = meeting.room(B, admission=b.session.admission)
    meeting.service.run(4)
    assert back.is_in()
    assert a.ended is not None
    assert "b.example.com" in a.ended.reason
    assert "thrown out" in a.ended.reason


def test_a_host_who_does_not_know_the_name_behind_a_kicked_key_admits_nobody_by_itself() -> None:
    meeting, host, a, _ = after_a_kick()
    other = meeting.room(OTHER_HOST, admission=meeting.admission(OTHER_HOST, Role.HOST))
    meeting.service.run(3)
    agree(host, a, other)
    host.leave()
    meeting.service.run(5)
    for who in (identity("b.example.com"), LATE):
        room = meeting.room(who)
        meeting.service.run(4)
        assert room.view.state is State.ASKING
    assert [w.name for w in other.view.lobby] == ["b.example.com", "late.example.com"]
    other.admit("late.example.com")
    meeting.service.run(3)
    assert "late.example.com" in other.names()


def test_a_host_who_saw_the_kick_lets_in_everybody_else() -> None:
    meeting = Meeting.invite(INVITED)
    host, a, b = meeting.room(meeting.host), meeting.room(A), meeting.room(B)
    other = meeting.room(OTHER_HOST, admission=meeting.admission(OTHER_HOST, Role.HOST))
    meeting.service.run(4)
    host.kick("b.example.com")
    meeting.service.run(2)
    host.leave()
    meeting.service.run(5)
    assert b.ended is not None
    again, late = meeting.room(identity("b.example.com")), meeting.room(LATE)
    meeting.service.run(4)
    agree(other, a, late)
    assert "a host removed this room" in again.view.waits_for
    assert other.view.lobby == ()


def test_nobody_follows_a_founder_into_a_group_with_a_list_that_no_host_has_made() -> None:
    # Whoever has the link of an open meeting may come first. It knows the host's key, from the invitation.
    meeting = Meeting.invite(INVITED, is_open=True)
    guest = identity("guest.example.net")
    founder = Insider.admit(meeting, who=guest, admission=meeting.link_admission(guest))
    listed = MeetingContext(meeting.invitation, kicked=frozenset({meeting.host.signer.public_key}))
    founder.found(listed.signed(guest.signer, founder.admission))
    a = meeting.room(A)
    meeting.service.run(1)
    founder.welcome()
    meeting.service.run(1)
    assert a.view.state is State.OFFERING
    (error,) = a.bad_inputs
    assert isinstance(error, GroupRuleError)
    assert error.rule == "its_terms_are_a_hosts"


# -- who was allowed back meanwhile -----------------------------------------------------------------


def test_who_was_away_when_a_host_allowed_one_back_comes_in_all_the_same() -> None:
    meeting = Meeting.invite(INVITED)
    host, a, _, late = (meeting.room(who) for who in (meeting.host, A, B, LATE))
    meeting.service.run(4)
    host.kick("b.example.com")
    meeting.service.run(2)
    agree(host, a, late)
    service = meeting.service
    service.filter = lambda room, event: [] if room is late and isinstance(event, Entry) else [event]
    host.allow_back("b.example.com")
    back = meeting.room(B)
    service.run(LOST_S + 4)
    service.filter = lambda room, event: [event]
    service.run(6)
    agree(host, a, back, late)
    assert len(late.groups) == 2


def test_terms_by_one_who_was_thrown_out_allow_nobody_back() -> None:
    meeting, host, a, _ = after_a_kick()
    insider = Insider.admit(meeting, Role.HOST).join()
    meeting.service.run(1)
    own = insider.context
    host.kick("insider.example.com")
    meeting.service.run(2)
    agree(host, a)
    later = replace(own, serial=own.serial + 5, kicked=frozenset()).signed(
        insider.who.signer, insider.admission
    )
    leaves = {0: bundle_of(insider.who, insider.admission).key_package.leaf_node}
    for room in (host, a):
        earlier = room.session._entering.earlier
        assert earlier.objection_to(later, leaves) is not None
        earlier.joined(later)
        assert earlier.carried


# -- media keys -------------------------------------------------------------------------------------


def test_a_group_is_left_before_an_epoch_of_another_one_begins() -> None:
    # Each room drives a real keyring by it; one ring refuses an epoch that is not newer than the present.
    meeting, host, a, _ = after_a_kick()
    assert [len(room.groups) for room in (host, a)] == [1, 1]
    meeting.service.lose_log()
    meeting.service.run(6)
    agree(host, a)
    for room in (host, a):
        assert len(room.groups) == 2
        before, after = room.groups
        assert after[0] < before[-1]
        assert room.keyring.epoch == after[-1] == room.view.epoch


# -- a log that is nobody's -------------------------------------------------------------------------


@pytest.mark.parametrize("level", [Level.STANDARD, Level.LOCKED])
def test_junk_in_the_logs_first_place_does_not_keep_a_host_out_for_ever(level: Level) -> None:
    meeting = Meeting.invite(INVITED, level=level)
    meeting.service.log.append(b"junk")
    host, a = meeting.room(meeting.host), meeting.room(A)
    meeting.service.run(5)
    # And more of it while the host waits.
    insider = Insider.admit(meeting)
    for _ in range(3):
        insider.publish(b"junk")
    meeting.service.run(12)
    assert not host.is_in()
    meeting.service.run(10)
    agree(host, a)


def test_the_first_commit_of_a_group_that_is_gone_keeps_a_host_out_no_longer_than_junk() -> None:
    # Though the service repeats it all the time.
    meeting, elsewhere = Meeting.invite(INVITED), Meeting.invite(INVITED)
    elsewhere.room(elsewhere.host)
    meeting.service.log.append(b"junk")
    host = meeting.room(meeting.host)
    meeting.service.run(12)
    Insider.admit(meeting).publish(elsewhere.service.log[0])
    for _ in range(14):
        host.hear(Entry(1, elsewhere.service.log[0]))
        meeting.service.run(1)
    assert host.is_in()


def test_a_host_founds_no_second_group_beside_one_that_is_heard() -> None:
    meeting = Meeting.invite(INVITED)
    host, a, b = meeting.room(meeting.host), meeting.room(A), meeting.room(B)
    meeting.service.run(4)
    meeting.service.crash(host)
    # The service keeps its offers from the others for a while.
    again = meeting.room(meeting.host, connect=False)
    meeting.service.upstream = lambda client, effect: client is not again
    meeting.service.connect(again)
    meeting.service.run(45)
    assert again.view.state is State.OFFERING
    meeting.service.upstream = lambda client, effect: True
    meeting.service.run(4)
    agree(again, a, b)


def test_two_hosts_who_find_nobody_there_found_one_group() -> None:
    meeting = Meeting.invite(INVITED)
    meeting.service.log.append(b"junk")
    hosts = []
    for who, seconds in ((meeting.host, 1.3), (OTHER_HOST, 0)):
        hosts.append(meeting.room(who, admission=meeting.admission(who, Role.HOST)))
        meeting.service.run(seconds)
    meeting.service.run(30)
    agree(*hosts)
    assert len(hosts[0].names()) == 2


def test_what_the_log_held_before_it_was_lost_is_not_read_after() -> None:
    # An entry that came early, for a place that the new log fills with something else.
    meeting = Meeting.invite(INVITED)
    host, a = meeting.room(meeting.host), meeting.room(A)
    meeting.service.run(4)

    def ahead(room: Client, event: CarrierEvent) -> list[CarrierEvent]:
        return [event, Entry(event.sequence + 2, b"early")] if isinstance(event, Entry) else [event]

    meeting.service.filter = ahead
    insider = Insider.admit(meeting)
    insider.publish(b"anything")
    meeting.service.settle()
    meeting.service.filter = lambda room, event: [event]
    meeting.service.lose_log()
    meeting.service.run(8)
    agree(host, a)
    assert [room.view.behind for room in (host, a)] == ["", ""]


def test_losing_the_log_again_and_again_founds_again_and_again() -> None:
    meeting, host, a, b = after_a_kick()
    for _ in range(3):
        meeting.service.lose_log()
        meeting.service.run(6)
        agree(host, a)
    back = Insider.admit(meeting, who=B, admission=b.session.admission)
    back.offer()
    meeting.service.run(2)
    assert not back.is_in()


# -- leaving meanwhile ------------------------------------------------------------------------------


def unheard(client: Client, effect: Effect) -> bool:
    return False


def test_who_is_leaving_when_the_log_is_lost_is_gone() -> None:
    meeting, host, a, _ = after_a_kick()
    meeting.service.upstream = unheard
    a.leave()
    assert not a.may_send()
    meeting.service.settle()
    assert not a.has_ended()
    meeting.service.upstream = lambda client, effect: True
    meeting.service.lose_log()
    meeting.service.settle()
    assert a.ended is not None
    assert not a.ended.is_error
    meeting.service.run(6)
    assert host.names() == {"host.example.com"}
    assert a.view.state is State.ENDED


# -- another log that is as long as the one that was lost -----------------------------------------


@pytest.mark.parametrize("late_joiner", [False, True])
def test_who_comes_back_when_the_others_have_filled_another_log_as_far_joins_them(late_joiner: bool) -> None:
    meeting = Meeting.invite(INVITED)
    host, b, a = meeting.room(meeting.host), meeting.room(B), meeting.room(A)
    meeting.service.run(4)
    agree(host, a, b)
    # One has read the whole log, the other none of it: it came in by the last entry.
    late = a if late_joiner else b
    early = b if late_joiner else a
    length = len(meeting.service.log)
    meeting.service.disconnect(late)
    meeting.service.settle()
    meeting.service.lose_log(host, early)
    meeting.service.run(4)
    agree(host, early)
    while len(meeting.service.log) < length:
        meeting.service.log.append(b"noise")
    assert len(meeting.service.log) == length
    meeting.service.connect(late)
    meeting.service.run(6)
    agree(host, a, b)
    assert "the conference service lost the meeting's log; joining anew" in late.view.news


def test_a_service_that_kept_its_log_is_joined_again_without_a_new_epoch() -> None:
    meeting = Meeting.invite(INVITED)
    host, a, b = meeting.room(meeting.host), meeting.room(A), meeting.room(B)
    meeting.service.run(4)
    epoch = host.view.epoch
    for room in (host, a, b):
        meeting.service.disconnect(room)
        meeting.service.settle()
        meeting.service.connect(room)
    meeting.service.run(4)
    agree(host, a, b)
    assert host.view.epoch == epoch


@pytest.mark.parametrize("is_noticed", [False, True])
def test_a_host_founds_the_meeting_though_the_log_is_shorter_than_it_was(is_noticed: bool) -> None:
    meeting = Meeting.invite(INVITED)
    service = meeting.service
    service.log.extend([b"junk"] * 3)
    host = meeting.room(meeting.host)
    assert host.view.state is State.OFFERING
    del service.log[1:]
    if is_noticed:
        service.disconnect(host)
        service.settle()
        service.connect(host)
    service.run(60)
    assert host.is_in()
    a = meeting.room(A)
    service.run(4)
    agree(host, a)


def test_members_find_together_again_when_the_service_cuts_the_log_and_tells_nobody() -> None:
    meeting = Meeting.invite(INVITED)
    host, a = meeting.room(meeting.host), meeting.room(A)
    service = meeting.service
    service.run(4)
    del service.log[1:]
    b = meeting.room(B)
    service.run(70)
    agree(host, a, b)
    assert host.may_send()
    assert a.may_send()


def test_who_was_shown_a_log_of_its_own_comes_back_when_the_service_shows_it_the_others() -> None:
    meeting = Meeting.invite(INVITED)
    host, a, b = (meeting.room(who) for who in (meeting.host, A, B))
    service = meeting.service
    service.run(4)
    agree(host, a, b)
    apart = SimulatedService(service.clock)
    apart.log = list(service.log)
    service.rooms.remove(b)
    apart.rooms.append(b)
    b.service = apart
    for _ in range(250):
        service.run(0.1)
        apart.clock.now -= 0.1
        apart.run(0.1)
    assert host.names() == a.names() == {"host.example.com", "a.example.com"}
    apart.rooms.remove(b)
    service.rooms.append(b)
    b.service = service
    service.run(30)
    agree(host, a, b)


def test_two_that_are_each_alone_in_a_group_of_their_own_find_together() -> None:
    meeting = Meeting.invite(INVITED)
    host, a = meeting.room(meeting.host), meeting.room(A)
    service = meeting.service
    service.run(4)
    host.leave()
    service.run(3)
    assert a.names() == {"a.example.com"}
    service.filter = lambda room, event: [] if isinstance(event, Live | Lobby) else [event]
    back = meeting.room(meeting.host)
    service.run(30)
    assert back.names() == {"host.example.com"}
    assert a.names() == {"a.example.com"}
    service.filter = lambda room, event: [event]
    # Somebody outside makes them speak: neither had a reason to before.
    late = meeting.room(LATE)
    service.run(60)
    agree(back, a, late)


def test_a_host_that_another_one_answers_founds_no_group_beside_it() -> None:
    meeting = Meeting.invite(INVITED, hosts=("other-host.example.com",))
    service = meeting.service
    host = meeting.room(meeting.host)
    service.run(2)
    # The group takes nobody in, and the only sign of it is the answer to a request.
    service.filter = lambda room, event: [] if isinstance(event, Live) else [event]
    host.session._commits.on_offer = lambda offer, now: None  # type: ignore[method-assign]
    other = meeting.room(OTHER_HOST, admission=meeting.admission(OTHER_HOST, Role.HOST))
    service.run(26)
    assert other.view.state is State.OFFERING
