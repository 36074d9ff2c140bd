"""A member whom the service shows another log than the rest, together with one who is thrown out."""

from dataclasses import dataclass

from conclaved.meeting import Level
from conclaved.meeting.alive import Beacon
from conclaved.mls import Remove
from tests.meeting.insider import VANISHED, Insider
from tests.meeting.simulated_service import Meeting, Room, SimulatedService, agree, identity

A, B = identity("a.example.com"), identity("b.example.com")
INVITED = ("a.example.com", "b.example.com", "insider.example.com")


def beacon(insider: Insider, begun: float) -> None:
    """The insider says that it is alive."""
    data = Beacon(b"12345678", int((insider.service.clock.now - begun) * 1000)).encode()
    insider.live_message(insider.live.protect(insider.live.sign_application(data)))


@dataclass
class Apart:
    """A host, a victim and B in a locked meeting, and an insider that is about to be thrown out."""

    meeting: Meeting
    host: Room
    victim: Room
    b: Room
    insider: Insider
    apart: SimulatedService
    begun: float

    @classmethod
    def begin(cls) -> "Apart":
        """Victim and insider have a service of their own from now on, which begins with the same log."""
        meeting = Meeting.invite(INVITED, level=Level.LOCKED)
        service = meeting.service
        host, victim, b = meeting.room(meeting.host), meeting.room(A), meeting.room(B)
        insider = Insider.admit(meeting).join()
        service.run(3)
        agree(host, victim, b)
        apart = SimulatedService(service.clock)
        apart.log = list(service.log)
        for each in (victim, insider):
            service.rooms.remove(each)
            apart.rooms.append(each)
            each.service = apart
        return cls(meeting, host, victim, b, insider, apart, service.clock.now)

    def run(self, seconds: int) -> str:
        """Time passes for both; the insider is heard. A letter a second: whether the victim sends."""
        sending, clock = "", self.apart.clock
        for _ in range(seconds):
            beacon(self.insider, self.begun)
            for _ in range(10):
                clock.now += 0.1
                for service in (self.meeting.service, self.apart):
                    for room in list(service.rooms):
                        room.tick(clock.now)
                    service.settle()
            sending += "S" if self.victim.may_send() else "."
        return sending

    def assert_the_rest_has_gone_on(self) -> None:
        assert self.host.names() == {"host.example.com", "b.example.com"}


def test_who_is_thrown_out_cannot_take_everybody_else_for_gone_before_one_who_has_just_heard_them() -> None:
    split = Apart.begin()
    split.apart.leader = split.insider
    split.host.kick("insider.example.com")
    gone = [split.insider.leaf_of(split.meeting.host), split.insider.leaf_of(B)]
    split.insider.commit([*map(Remove, gone)], authenticated_data=VANISHED, enters=True)
    assert split.run(30) == "." * 30
    split.assert_the_rest_has_gone_on()


def test_a_member_sends_to_nobody_whose_removal_is_hidden_when_it_has_missed_the_hosts_for_long() -> None:
    split = Apart.begin()
    split.apart.leader = split.victim
    split.host.kick("insider.example.com")
    sending = split.run(60)
    assert sending.endswith("." * 50)
    assert split.victim.names() == {"a.example.com", "insider.example.com"}
    assert split.victim.view.behind == "all hosts of the locked meeting have vanished"
    assert split.victim.view.security_code != split.host.view.security_code
    split.assert_the_rest_has_gone_on()
