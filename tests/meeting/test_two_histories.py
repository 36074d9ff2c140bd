"""One group that the service has shown two logs of, and shows one of again."""

from conclaved.meeting import Role
from tests.meeting.simulated_service import Meeting, Room, SimulatedService, agree, identity
from tests.meeting.test_renewing import change, renewed

SECOND = "second.example.com"


def run_both(services: tuple[SimulatedService, SimulatedService], seconds: float) -> None:
    clock = services[0].clock
    for _ in range(round(seconds * 10)):
        clock.now += 0.1
        for service in services:
            for room in list(service.rooms):
                room.tick(clock.now)
            service.settle()


def move(room: Room, source: SimulatedService, target: SimulatedService) -> None:
    """The room is shown the other log from now on, and notices nothing."""
    source.rooms.remove(room)
    target.rooms.append(room)
    room.service = target


def test_one_that_is_alone_and_further_on_comes_to_the_others() -> None:
    meeting = Meeting.invite(("a.example.com", SECOND))
    service, second = meeting.service, identity(SECOND)
    host, a = meeting.room(meeting.host), meeting.room(identity("a.example.com"))
    other = meeting.room(second, admission=meeting.admission(second, Role.HOST))
    service.run(4)
    agree(host, a, other)
    apart = SimulatedService(service.clock)
    apart.log = list(service.log)
    move(other, service, apart)
    apart.leader = other
    run_both((service, apart), 30)
    assert other.names() == {SECOND}
    for _ in range(8):
        second = renewed(second, name=SECOND, is_new_key=False)
        change(other, second)
        run_both((service, apart), 3)
    assert other.view.epoch > host.view.epoch + 3
    move(other, apart, service)
    run_both((service, apart), 60)
    agree(host, a, other)
