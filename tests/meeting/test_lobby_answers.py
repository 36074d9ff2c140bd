"""What hosts answer in the lobby: how often, and whom a device on its way in believes."""

from conclaved.conference.limits import Allowance, HubLimits
from conclaved.meeting import Role, lobby
from conclaved.meeting.admission import issue
from conclaved.meeting.events import Effect, Leader, Lobby, SendLobby
from conclaved.meeting.joining import DENIED_AFTER_S, DENIED_BY_ANOTHER_AFTER_S
from tests.meeting.insider import Insider
from tests.meeting.simulated_service import Client, Meeting, Room, agree, identity

A, B = identity("a.example.com"), identity("b.example.com")
INVITED = ("a.example.com", "b.example.com", "insider.example.com")


def begun() -> tuple[Meeting, Room, Room]:
    """A meeting with a host and an invited member in it."""
    meeting = Meeting.invite(("a.example.com",))
    host, a = meeting.room(meeting.host), meeting.room(A)
    meeting.service.run(4)
    agree(host, a)
    return meeting, host, a


def repeated_request(meeting: Meeting) -> lobby.Request:
    """The one that a host has answered, as anybody with the link can repeat it: short, and unsigned."""
    link = meeting.link.sealer()
    request = next(
        m
        for m in (lobby.unseal(e.data, link) for e in meeting.service.sent if isinstance(e, SendLobby))
        if isinstance(m, lobby.Request)
    )
    return lobby.Request(request.request_id, (), request.signature_key, b"")


# -- how often --------------------------------------------------------------------------------------


def test_a_host_repeats_an_answer_only_now_and_then() -> None:
    meeting, host, _ = begun()
    request, stranger = repeated_request(meeting), Insider.admit(meeting)
    answers: list[Effect] = []

    def count(client: Client, effect: Effect) -> bool:
        if client is host and isinstance(effect, SendLobby):
            answers.append(effect)
        return True

    meeting.service.upstream = count
    for _ in range(30):
        for _ in range(40):
            stranger.say(request)
        meeting.service.run(0.1)
    assert 2 <= len(answers) <= 4


def test_repeated_requests_do_not_use_up_what_the_hub_carries_for_a_host() -> None:
    meeting, host, a = begun()
    request, stranger, limits = repeated_request(meeting), Insider.admit(meeting), HubLimits()
    of_host = Allowance(limits.client_burst, limits.client_per_s)
    # A hub that counts all that a host says together.
    meeting.service.upstream = lambda client, effect: (
        client is not host or of_host.take(meeting.service.clock.now)
    )
    for _ in range(100):
        for _ in range(20):
            stranger.say(request)
        meeting.service.run(0.2)
        assert not a.view.behind
    agree(host, a)


# -- whom to believe ----------------------------------------------------------------------------------


def denied_by_a_kicked_host() -> tuple[Meeting, Room, Room]:
    """A meeting, its host, and one in the lobby whom a host that was thrown out has turned away."""
    meeting = Meeting.invite(INVITED)
    host, a = meeting.room(meeting.host), meeting.room(A)
    kicked = Insider.admit(meeting, Role.HOST).join()
    meeting.service.run(2)
    host.kick("insider.example.com")
    meeting.service.run(2)
    agree(host, a)
    late = meeting.room(identity("guest.example.com"))
    meeting.service.run(1)
    (request,) = {r.request_id: r for r in kicked.requests}.values()
    kicked.say(
        lobby.deny(
            kicked.who.signer,
            kicked.admission,
            meeting.invitation.content.meeting_id,
            request.request_id,
            request.signature_key,
        )
    )
    meeting.service.settle()
    return meeting, host, late


def test_a_kicked_host_turns_away_nobody_whom_another_lets_in() -> None:
    meeting, host, late = denied_by_a_kicked_host()
    meeting.service.run(DENIED_BY_ANOTHER_AFTER_S - 2)
    assert not late.has_ended()
    host.admit("guest.example.com")
    meeting.service.run(4)
    assert late.is_in()
    assert late.view.waits_for == ""


def test_one_whom_a_host_turned_away_that_did_not_sign_the_invitation_waits_for_another() -> None:
    meeting, _, late = denied_by_a_kicked_host()
    meeting.service.run(1)
    assert late.view.waits_for == "another host, since a host did not let this room in"
    meeting.service.run(DENIED_BY_ANOTHER_AFTER_S)
    assert late.ended is not None
    assert late.ended.reason == "a host did not let this room in"


def test_the_signer_of_the_invitation_ends_the_wait_that_another_hosts_denial_began() -> None:
    meeting, host, late = denied_by_a_kicked_host()
    meeting.service.run(1)
    host.deny("guest.example.com")
    meeting.service.run(DENIED_AFTER_S + 0.5)
    assert late.has_ended()


def test_a_hosts_role_by_a_kicked_host_does_not_keep_one_from_a_real_admission() -> None:
    meeting = Meeting.invite(INVITED)
    host, a = meeting.room(meeting.host), meeting.room(A)
    kicked = Insider.admit(meeting, Role.HOST).join()
    meeting.service.run(2)
    host.kick("insider.example.com")
    meeting.service.run(2)
    agree(host, a)
    late = meeting.room(identity("guest.example.com"))
    meeting.service.run(1)
    (request,) = {r.request_id: r for r in kicked.requests}.values()
    bad = issue(
        kicked.who.signer,
        meeting.invitation.content.meeting_id,
        request.signature_key,
        Role.HOST,
        issuer_admission=kicked.admission,
    )
    kicked.say(lobby.Grant(request.request_id, bad))
    meeting.service.run(2)
    host.admit("guest.example.com")
    meeting.service.run(40)
    assert late.is_in()


def test_a_replayed_grant_makes_no_guest_of_a_host_that_is_on_its_way_back() -> None:
    meeting = Meeting.invite(("a.example.com",))
    host, a = meeting.room(meeting.host), meeting.room(A)
    guest = meeting.room(identity("guest.example.com"))
    meeting.service.run(5)
    host.admit("guest.example.com")
    meeting.service.run(4)
    agree(host, a, guest)
    host.hand_over("guest.example.com")
    meeting.service.run(5)
    assert guest.view.is_host
    link = meeting.link.sealer()
    grants = [
        e
        for e in meeting.service.sent
        if isinstance(e, SendLobby) and isinstance(lobby.unseal(e.data, link), lobby.Grant)
    ]
    guest.holds_jobs = True
    meeting.service.lose_log(host)
    stranger = Insider.admit(meeting)
    for _ in range(30):
        meeting.service.run(0.2)
        for each in grants:
            meeting.service.take(stranger, each)
        meeting.service.settle()
        guest.work()
    assert guest.view.is_host


def test_one_with_the_link_does_not_keep_a_host_from_founding() -> None:
    meeting = Meeting.invite(("a.example.com",))
    outsider = Insider.admit(meeting)
    outsider.publish(b"junk")
    host = meeting.room(meeting.host)
    for _ in range(60):
        outsider.live_message(b"junk")
        meeting.service.run(2)
    assert host.is_in()


def test_one_with_the_link_does_not_keep_a_member_from_founding() -> None:
    meeting = Meeting.invite(("a.example.com",))
    outsider = Insider.admit(meeting)
    outsider.publish(b"junk")
    a = meeting.room(A, admission=meeting.admission(A))
    for _ in range(60):
        outsider.live_message(b"junk")
        meeting.service.run(2)
    assert a.is_in()


def test_an_old_offer_throws_nobody_out_by_one_who_came_later() -> None:
    meeting = Meeting.invite(INVITED)
    host, a = meeting.room(meeting.host), meeting.room(A)
    meeting.service.run(4)
    agree(host, a)
    link = meeting.link.sealer()
    offers = [
        e
        for e in meeting.service.sent
        if isinstance(e, SendLobby) and isinstance(lobby.unseal(e.data, link), lobby.Offer)
    ]
    # A's leaf changes with its own commit.
    meeting.service.names_leaders = False
    host.hear(Leader(False))
    a.hear(Leader(True))
    late = meeting.room(B, admission=meeting.admission(B))
    meeting.service.run(4)
    agree(host, a, late)
    a.hear(Leader(False))
    late.hear(Leader(True))
    groups = len(a.groups)
    for each in offers:
        late.hear(Lobby(each.data))
    meeting.service.run(5)
    assert len(a.groups) == groups
