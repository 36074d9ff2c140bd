"""Who has been heard in this epoch: by authenticated traffic of this very epoch, and by nothing else."""

from conclaved.meeting.events import Effect, Live, NewEpoch
from tests.meeting.simulated_service import Meeting, Room, agree, identity

A, B = identity("a.example.com"), identity("b.example.com")


def heard(room: Room) -> set[str]:
    """Of the others."""
    return {p.name for p in room.view.participants if p.is_heard and not p.is_self}


def test_who_was_heard_in_the_last_epoch_has_yet_to_be_heard_in_this_one() -> None:
    meeting = Meeting.invite(("a.example.com", "b.example.com"))
    host, a = meeting.room(meeting.host), meeting.room(A)
    meeting.service.run(5)
    agree(host, a)
    assert heard(host) == {"a.example.com"}
    at_first: list[set[str]] = []
    perform = host.perform

    def look_first(effects: list[Effect]) -> None:
        if any(isinstance(effect, NewEpoch) for effect in effects):
            at_first.append(heard(host))
        perform(effects)

    host.perform = look_first  # type: ignore[method-assign]
    meeting.room(B)
    meeting.service.run(6)

    assert at_first == [set()]
    assert heard(host) == {"a.example.com", "b.example.com"}


def test_a_frame_of_an_earlier_epoch_is_no_sign_of_life_in_this_one() -> None:
    meeting = Meeting.invite(("a.example.com",))
    meeting.service.filter = lambda client, event: [] if isinstance(event, Live) else [event]
    host, a = meeting.room(meeting.host), meeting.room(A)
    meeting.service.run(1)
    agree(host, a)
    now, leaf = meeting.service.clock.now, host.leaf("a.example.com")
    host.perform(host.session.media_heard(leaf, host.view.epoch - 1, now))
    assert heard(host) == set()
    host.perform(host.session.media_heard(leaf, host.view.epoch, now))
    assert heard(host) == {"a.example.com"}
