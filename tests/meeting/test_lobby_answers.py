"""What hosts answer in the lobby: how often, and whom a device on its way in believes."""

from conclaved.conference.limits import Allowance, HubLimits
from conclaved.meeting import lobby
from conclaved.meeting.events import Effect, SendLobby
from tests.meeting.insider import Insider
from tests.meeting.simulated_service import Client, Meeting, Room, agree, identity

A = identity("a.example.com")


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
