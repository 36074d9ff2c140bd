"""A member whom the service shows another log than the rest, together with one who is thrown out."""

from dataclasses import dataclass

from conclaved.meeting import Level, Role
from conclaved.meeting.alive import Beacon
from conclaved.meeting.events import CarrierEvent, Effect, Entry, Publish
from conclaved.mls import Remove
from tests.meeting.insider import VANISHED, Insider
from tests.meeting.simulated_service import Client, Meeting, Room, SimulatedService, agree, identity

A, B = identity("a.example.com"), identity("b.example.com")
SECOND = "second.example.com"
INVITED = ("a.example.com", "b.example.com", "insider.example.com", SECOND)


def beacon(insider: Insider, begun: float) -> None:
    """The insider says that it is alive."""
    data = Beacon(b"12345678", int((insider.service.clock.now - begun) * 1000)).encode()
    insider.live_message(insider.live.protect(insider.live.sign_application(data)))


def is_commit(effect: Effect) -> bool:
    return isinstance(effect, Publish) and effect.expected is not None


@dataclass
class Apart:
    """A host, a victim and B in a locked meeting, and two insiders that are about to be thrown out."""

    meeting: Meeting
    host: Room
    victim: Room
    b: Room
    insiders: tuple[Insider, Insider]
    apart: SimulatedService
    begun: float

    @classmethod
    def begin(cls) -> "Apart":
        """Victim and insiders have a service of their own from now on, which begins with the same log."""
        meeting = Meeting.invite(INVITED, level=Level.LOCKED)
        service = meeting.service
        host, victim, b = meeting.room(meeting.host), meeting.room(A), meeting.room(B)
        insiders = Insider.admit(meeting).join(), Insider.admit(meeting, who=identity(SECOND)).join()
        service.run(3)
        agree(host, victim, b)
        apart = SimulatedService(service.clock)
        apart.log = list(service.log)
        for each in (victim, *insiders):
            service.rooms.remove(each)
            apart.rooms.append(each)
            each.service = apart
        host.kick("insider.example.com")
        host.kick(SECOND)
        return cls(meeting, host, victim, b, insiders, apart, service.clock.now)

    def take_for_gone(self) -> None:
        """One insider proposes that the host and B have vanished, and the other one commits it."""
        first, second = self.insiders
        gone = [Remove(first.leaf_of(who)) for who in (self.meeting.host, B)]
        proposals = [second.propose(each, VANISHED) for each in gone]
        self.apart.settle()
        first.commit(by_reference=proposals, enters=True)
        self.apart.settle()

    def run(self, seconds: int) -> str:
        """Time passes for both; the insiders are heard. A letter a second: whether the victim sends."""
        sending, clock = "", self.apart.clock
        for _ in range(seconds):
            for each in self.insiders:
                beacon(each, self.begun)
            for _ in range(10):
                clock.now += 0.1
                for service in (self.meeting.service, self.apart):
                    for room in list(service.rooms):
                        room.tick(clock.now)
                    service.settle()
            sending += "S" if self.victim.may_send() else "."
        return sending

    def assert_the_rest_has_gone_on(self) -> None:
        """With another code than the victim has."""
        assert self.host.names() == {"host.example.com", "b.example.com"}
        assert self.victim.view.security_code != self.host.view.security_code
        assert self.victim.names() == {"a.example.com", "insider.example.com", SECOND}
        assert self.victim.view.behind == "all hosts of the locked meeting have vanished"


def test_those_thrown_out_cannot_take_the_rest_for_gone_before_one_who_has_just_heard_them() -> None:
    split = Apart.begin()
    split.take_for_gone()
    assert split.run(25) == "." * 25
    split.assert_the_rest_has_gone_on()


def test_a_member_sends_to_nobody_whose_removal_is_hidden_when_it_has_missed_the_hosts_for_long() -> None:
    split = Apart.begin()
    assert split.run(12)[7:] == "." * 5
    split.take_for_gone()
    assert split.run(20) == "." * 20
    split.assert_the_rest_has_gone_on()


def test_a_host_stops_sending_to_a_cohost_whose_removal_is_hidden_from_it() -> None:
    meeting = Meeting.invite(INVITED, level=Level.LOCKED)
    service = meeting.service
    host, a = meeting.room(meeting.host), meeting.room(A)
    meeting.room(B)
    cohost = Insider.admit(meeting, Role.HOST).join()
    begun = service.clock.now
    for _ in range(3):
        beacon(cohost, begun)
        service.run(2)
    assert host.may_send()
    length = len(service.log)
    cohost.is_following = False

    def only_proposals(client: Client, event: CarrierEvent) -> list[CarrierEvent]:
        """The host gets nothing of the epoch in which the co-host is out."""
        is_hidden = client is host and isinstance(event, Entry) and event.sequence >= length + 2
        return [] if is_hidden else [event]

    service.filter = only_proposals
    service.upstream = lambda client, effect: client is not host or not is_commit(effect)
    host.kick("insider.example.com")
    for _ in range(5):
        beacon(cohost, begun)
        service.run(2)
    assert "insider.example.com" not in a.names()
    assert not host.may_send()


def test_a_host_stops_sending_to_one_it_throws_out_when_the_service_refuses_its_commits() -> None:
    meeting = Meeting.invite(INVITED, level=Level.LOCKED)
    service = meeting.service
    host = meeting.room(meeting.host)
    insider = Insider.admit(meeting).join()
    begun = service.clock.now
    service.upstream = lambda client, effect: client is not host or not is_commit(effect)
    host.kick("insider.example.com")
    sending = ""
    for _ in range(6):
        beacon(insider, begun)
        service.run(2)
        sending += "S" if host.may_send() else "."
    assert sending == "SS...."
    assert host.view.behind == "insider.example.com was thrown out by this room and is still in"
    service.upstream = lambda client, effect: True
    service.run(6)
    assert host.names() == {"host.example.com"}
    assert host.may_send()
