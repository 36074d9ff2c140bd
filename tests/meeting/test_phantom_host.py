"""A locked meeting whose only host in the tree is a KeyPackage that it made long ago, elsewhere."""

from dataclasses import dataclass

from conclaved.meeting import Level, Role
from conclaved.meeting.audit import Event
from conclaved.meeting.meeting_context import MeetingContext
from conclaved.mls import Add, Remove
from tests.meeting.insider import VANISHED, Insider
from tests.meeting.simulated_service import Meeting, Room, SimulatedService, agree, identity
from tests.meeting.test_kept_apart import beacon

A, SECOND = identity("a.example.com"), identity("second.example.com")
UNHEARD = "no host of the locked meeting has been heard yet"


@dataclass
class Phantom:
    """An insider's own group on a service of its own, with a victim and an old KeyPackage of a host's."""

    insider: Insider
    victim: Room
    host_leaf: int
    begun: float

    @classmethod
    def begin(cls) -> "Phantom":
        meeting = Meeting.invite(("a.example.com", "insider.example.com"), level=Level.LOCKED)
        insider = Insider.admit(meeting)
        host = meeting.room(meeting.host)
        insider.join()
        second = meeting.room(SECOND, admission=meeting.admission(SECOND, Role.HOST))
        meeting.service.run(4)
        agree(host, second)
        package = insider.offers[-1]
        apart = SimulatedService(meeting.service.clock)
        insider.service, apart.leader = apart, insider
        apart.rooms.append(insider)
        insider.offers.clear()
        insider.found(MeetingContext(meeting.invitation))
        victim = meeting.room(A, admission=meeting.admission(A), service=apart)
        apart.run(1)
        insider.welcome(Add(package))
        return cls(insider, victim, insider.leaf_of(SECOND), apart.clock.now)

    def run(self, turns: int) -> str:
        """Two seconds a turn, in which the insider is heard; a letter each: whether the victim sends."""
        sending = ""
        for _ in range(turns):
            beacon(self.insider, self.begun)
            self.insider.service.run(2)
            sending += "S" if self.victim.may_send() else "."
        return sending


def test_nobody_sends_before_it_is_heard() -> None:
    phantom = Phantom.begin()
    assert phantom.victim.is_in()
    assert phantom.victim.view.behind == UNHEARD
    assert phantom.run(20) == "." * 20


def test_nor_when_it_is_taken_for_gone() -> None:
    phantom = Phantom.begin()
    assert phantom.run(4) == "...."
    phantom.insider.commit([Remove(phantom.host_leaf)], authenticated_data=VANISHED, enters=True)
    phantom.insider.service.settle()
    assert phantom.run(16) == "." * 16


def test_a_room_that_comes_in_to_a_host_that_is_there_sends_at_once() -> None:
    meeting = Meeting.invite(("a.example.com", "b.example.com"), level=Level.LOCKED)
    host, b = meeting.room(meeting.host), meeting.room(identity("b.example.com"))
    meeting.service.run(4.3)
    agree(host, b)
    a = meeting.room(A)
    meeting.service.run(0.3)
    agree(host, a, b)
    assert a.may_send()
    assert not [entry for entry in a.session.record.entries if entry.event is Event.BEHIND]


def test_a_host_that_comes_back_alone_waits_for_nobody() -> None:
    meeting = Meeting.invite(("a.example.com",), level=Level.LOCKED)
    host, a = meeting.room(meeting.host), meeting.room(A)
    meeting.service.run(4)
    agree(host, a)
    meeting.service.crash(host)
    back = meeting.room(meeting.host, admission=host.session.admission)
    meeting.service.run(1)
    agree(back, a)
    assert back.may_send()
