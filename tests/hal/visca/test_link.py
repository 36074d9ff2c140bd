"""Who may speak when: the link's state machine, with the time handed in."""

from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conclave_hal.camera_control import Power
from conclave_hal.errors import DeviceError, DeviceGoneError, UsageError
from conclave_hal.hot_plug import LONGEST_PAUSE_S
from conclave_hal.visca import commands, inquiries
from conclave_hal.visca.commands import MOVE_S, Command
from conclave_hal.visca.inquiries import Inquiry
from conclave_hal.visca.link import (
    ADDRESS_TRIES,
    ANSWER_S,
    BUFFER_FULL_PAUSE_S,
    BUFFER_FULL_S,
    CLEAR_TRIES,
    MAX_WAITING,
    START_S,
    Link,
    Phase,
)
from conclave_hal.visca.link_events import Changed, Died, Ended, Event, Outcome, Ready
from conclave_hal.visca.packet import parse_packet
from conclave_hal.visca.replies import ErrorCode, parse_reply

ABSOLUTE = commands.pan_tilt_to(100, 0, 24, 23)
RELATIVE = commands.pan_tilt_by(100, 0, 24, 23)
ZOOM = commands.zoom_to(0x1000)
POWER_ON = commands.set_power(Power.ON)
ADDRESS_SET, IF_CLEAR = "88 30 01 ff", "88 01 00 01 ff"
CLEAR_ONE = "81 01 00 01 ff"
ADDRESSED, CLEARED = "88 30 02 ff", "88 01 00 01 ff"


class Wire:
    """A link, its clock, and what it has said in words that tests can compare."""

    def __init__(self, link: Link) -> None:
        self.link = link
        self.now = 100.0
        self.events: list[Event] = []
        self.sent: list[str] = []

    def hears(self, *packets: str, number: int | None = None) -> "Wire":
        """The camera says it."""
        for packet in packets:
            self.link.receive(parse_reply(parse_packet(bytes.fromhex(packet))), self.now, number)
            self.note()
        return self

    def says(self) -> list[str]:
        """What was sent since this was last asked."""
        sent, self.sent = self.sent, []
        return sent

    def told(self) -> list[Event]:
        """What has happened since this was last asked."""
        told, self.events = self.events, []
        return told

    def wait(self, seconds: float) -> "Wire":
        """Let time pass, timer by timer."""
        end = self.now + seconds
        while (timer := self.link.next_timer()) is not None and timer <= end:
            assert timer >= self.now
            self.now = timer
            self.link.tick(self.now)
            self.note()
        self.now = end
        return self

    def submit(self, what: "Command | Inquiry[object]") -> int:
        ident = self.link.submit(what, self.now)
        self.note()
        return ident

    def cancel(self, ident: int) -> None:
        self.link.cancel(ident, self.now)
        self.note()

    def refuses_number(self, number: int) -> None:
        self.link.sequence_refused(self.now, number)
        self.note()

    def resets(self) -> None:
        self.link.sequence_reset(self.now)
        self.note()

    def note(self) -> None:
        self.events += self.link.take_events()
        outgoing = self.link.take_outgoing()
        self.sent += ["reset" if o.packet is None else bytes(o.packet).hex(" ") for o in outgoing]


def new(camera: int = 1) -> Wire:
    wire = Wire(Link(camera))
    wire.link.start(wire.now)
    wire.note()
    return wire


def ready(camera: int = 1) -> Wire:
    wire = new(camera).hears(f"88 30 {camera + 1:02d} ff", CLEARED)
    assert wire.says() == [ADDRESS_SET, IF_CLEAR]
    assert wire.told() == [Ready()]
    return wire


def outcomes(events: Iterable[Event]) -> list[tuple[int, Outcome]]:
    return [(event.request, event.outcome) for event in events if isinstance(event, Ended)]


# The start


def test_addresses_are_set_and_the_interface_is_cleared_before_anything_else() -> None:
    wire = new()
    wire.submit(ZOOM)
    assert wire.says() == [ADDRESS_SET]
    wire.hears(ADDRESSED)
    assert wire.says() == [IF_CLEAR]
    wire.hears(CLEARED)
    assert wire.says() == ["81 01 04 47 01 00 00 00 ff"]


def test_a_camera_with_a_fixed_address_is_found_by_if_clear() -> None:
    wire = new().wait(ADDRESS_TRIES * START_S + 0.01)
    assert wire.says() == [ADDRESS_SET] * ADDRESS_TRIES + [IF_CLEAR]
    wire.hears("90 50 ff")
    assert wire.link.phase is Phase.READY


def test_a_camera_that_knows_if_clear_only_for_itself_is_asked_so() -> None:
    wire = new().hears(ADDRESSED).wait(START_S + 0.01)
    assert wire.says() == [ADDRESS_SET, IF_CLEAR, CLEAR_ONE]
    wire.hears("90 50 ff")
    assert wire.link.phase is Phase.READY
    wire.submit(inquiries.ZOOM)
    wire.says()
    wire.wait(ANSWER_S)
    assert wire.says() == [CLEAR_ONE], "it is not asked in vain again"


def test_a_camera_that_refuses_to_be_addressed_is_asked_no_further() -> None:
    assert new().hears("90 60 02 ff").says() == [ADDRESS_SET, IF_CLEAR]


def test_a_dead_wire_is_told_from_a_slow_one_by_its_silence() -> None:
    wire = new().wait((ADDRESS_TRIES + CLEAR_TRIES) * START_S + 0.01)
    assert wire.says() == [ADDRESS_SET] * ADDRESS_TRIES + [IF_CLEAR, CLEAR_ONE] * (CLEAR_TRIES // 2)
    assert wire.told() == [Died("does not answer", is_silence=True)]
    assert wire.link.next_timer() is None


def test_a_camera_beyond_the_chains_end_is_not_there() -> None:
    wire = new(camera=3).hears("88 30 03 ff")
    assert wire.told() == [Died("is not there: the chain has 2", is_silence=False)]


def test_a_wire_that_comes_back_to_us_has_no_camera() -> None:
    assert new().hears(ADDRESS_SET).told() == [Died("is not there: the chain has 0", is_silence=False)]


def test_what_is_asked_of_a_dead_link_is_refused() -> None:
    wire = new(camera=2).hears(ADDRESSED)
    with pytest.raises(DeviceGoneError):
        wire.submit(ZOOM)


# Commands and inquiries


def test_a_command_is_done_when_its_socket_says_so() -> None:
    wire = ready()
    ident = wire.submit(ZOOM)
    assert wire.hears("90 41 ff").told() == []
    assert wire.hears("90 51 ff").told() == [Ended(ident, Outcome.DONE)]


def test_a_camera_that_does_not_acknowledge_is_believed_when_it_completes() -> None:
    wire = ready()
    ident = wire.submit(POWER_ON)
    assert wire.hears("90 51 ff").told() == [Ended(ident, Outcome.DONE)]


def test_nothing_is_sent_while_a_packet_is_unanswered() -> None:
    wire = ready()
    wire.submit(ZOOM)
    wire.submit(ABSOLUTE)
    wire.submit(inquiries.ZOOM)
    assert len(wire.says()) == 1
    wire.hears("90 41 ff")
    assert len(wire.says()) == 1


def test_two_sockets_complete_in_any_order() -> None:
    wire = ready()
    first, second = wire.submit(ABSOLUTE), wire.submit(ZOOM)
    wire.hears("90 41 ff", "90 42 ff", "90 52 ff", "90 51 ff")
    assert outcomes(wire.told()) == [(second, Outcome.DONE), (first, Outcome.DONE)]


def test_a_third_command_waits_for_a_socket_and_inquiries_do_not() -> None:
    wire = ready()
    wire.submit(ABSOLUTE)
    wire.submit(ZOOM)
    wire.hears("90 41 ff", "90 42 ff").says()
    wire.submit(POWER_ON)
    inquiry = wire.submit(inquiries.ZOOM)
    assert wire.says() == ["81 09 04 47 ff"]
    wire.hears("90 50 01 02 03 04 ff")
    assert wire.told() == [Ended(inquiry, Outcome.DONE, bytes((1, 2, 3, 4)))]
    assert wire.says() == []
    assert wire.hears("90 51 ff").says() == ["81 01 04 00 02 ff"]


def test_a_completion_may_come_while_an_inquiry_is_in_flight() -> None:
    wire = ready()
    move = wire.submit(ABSOLUTE)
    wire.hears("90 41 ff")
    inquiry = wire.submit(inquiries.PAN_TILT)
    wire.hears("90 51 ff", "90 50 00 00 00 01 00 00 00 02 ff")
    assert outcomes(wire.told()) == [(move, Outcome.DONE), (inquiry, Outcome.DONE)]


@pytest.mark.parametrize("code", [ErrorCode.MESSAGE_LENGTH, ErrorCode.SYNTAX, ErrorCode.NOT_EXECUTABLE])
def test_an_error_without_a_socket_is_of_the_packet_in_flight(code: ErrorCode) -> None:
    wire = ready()
    executing = wire.submit(ABSOLUTE)
    wire.hears("90 41 ff")
    refused = wire.submit(ZOOM)
    assert wire.hears(f"90 60 {code:02x} ff").told() == [Ended(refused, Outcome.REFUSED, code=code)]
    assert wire.hears("90 51 ff").told() == [Ended(executing, Outcome.DONE)]


def test_an_error_with_a_socket_in_which_something_executes_is_of_that() -> None:
    wire = ready()
    executing = wire.submit(ABSOLUTE)
    wire.hears("90 41 ff")
    wire.submit(inquiries.ZOOM)
    assert wire.hears("90 61 41 ff").told() == [
        Ended(executing, Outcome.REFUSED, code=ErrorCode.NOT_EXECUTABLE)
    ]


def test_a_socket_given_to_another_command_had_lost_its_completion() -> None:
    wire = ready()
    first = wire.submit(ABSOLUTE)
    wire.hears("90 41 ff")
    wire.submit(ZOOM)
    assert wire.hears("90 41 ff").told() == [Ended(first, Outcome.DONE)]


def test_a_full_buffer_is_waited_for_and_then_even_a_relative_move_is_sent_again() -> None:
    wire = ready()
    ident = wire.submit(RELATIVE)
    said = wire.says()
    wire.hears("90 60 03 ff")
    assert wire.says() == []
    wire.wait(BUFFER_FULL_PAUSE_S)
    assert wire.says() == said
    assert wire.hears("90 41 ff", "90 51 ff").told() == [Ended(ident, Outcome.DONE)]


def test_a_full_buffer_is_no_silence_after_which_a_command_is_sent_once_more_only() -> None:
    wire = ready()
    wire.submit(ZOOM)
    for _ in range(3):
        wire.hears("90 60 03 ff").wait(BUFFER_FULL_PAUSE_S)
    said = wire.says()[-1]
    wire.wait(ANSWER_S).says()
    assert wire.hears(CLEARED).says() == [said]


def test_a_socket_that_gets_free_ends_the_wait_for_a_full_buffer() -> None:
    wire = ready()
    wire.submit(ABSOLUTE)
    wire.hears("90 41 ff")
    wire.submit(ZOOM)
    wire.hears("90 60 03 ff").says()
    assert wire.hears("90 51 ff").says() == ["81 01 04 47 01 00 00 00 ff"]


def test_a_buffer_that_stays_full_is_a_refusal() -> None:
    wire = ready()
    ident = wire.submit(ZOOM)
    while wire.now < 100 + BUFFER_FULL_S:
        wire.hears("90 60 03 ff").wait(BUFFER_FULL_PAUSE_S)
    wire.hears("90 60 03 ff")
    assert wire.told() == [Ended(ident, Outcome.REFUSED, code=ErrorCode.BUFFER_FULL)]


def test_too_many_requests_are_refused() -> None:
    wire = new()
    for _ in range(MAX_WAITING):
        wire.submit(ZOOM)
    with pytest.raises(DeviceError, match="too slow"):
        wire.submit(ZOOM)


# Cancel


def test_an_executing_command_is_cancelled_by_its_socket() -> None:
    wire = ready()
    ident = wire.submit(ABSOLUTE)
    wire.hears("90 42 ff").says()
    wire.cancel(ident)
    assert wire.says() == ["81 22 ff"]
    assert wire.hears("90 62 04 ff").told() == [Ended(ident, Outcome.CANCELLED)]


@pytest.mark.parametrize("answer", ["90 62 05 ff", "90 60 05 ff"])
def test_a_cancel_that_finds_nothing_means_that_the_command_was_done(answer: str) -> None:
    wire = ready()
    ident = wire.submit(ABSOLUTE)
    wire.hears("90 42 ff")
    wire.cancel(ident)
    assert wire.hears(answer).told() == [Ended(ident, Outcome.DONE)]


def test_a_completion_that_crosses_a_cancel_counts_and_the_link_goes_on() -> None:
    wire = ready()
    ident = wire.submit(ABSOLUTE)
    wire.hears("90 41 ff")
    wire.cancel(ident)
    wire.says()
    assert wire.hears("90 51 ff").told() == [Ended(ident, Outcome.DONE)]
    wire.submit(ZOOM)
    assert wire.says() == []
    assert wire.hears("90 61 05 ff").says() == ["81 01 04 47 01 00 00 00 ff"]


def test_what_waits_is_cancelled_without_a_word_to_the_camera() -> None:
    wire = ready()
    wire.submit(ZOOM)
    ident = wire.submit(ABSOLUTE)
    wire.says()
    wire.cancel(ident)
    assert wire.told() == [Ended(ident, Outcome.CANCELLED)]
    assert wire.hears("90 41 ff").says() == []


def test_what_is_in_flight_is_cancelled_once_it_has_a_socket_and_before_anything_newer() -> None:
    wire = ready()
    ident = wire.submit(ABSOLUTE)
    wire.cancel(ident)
    wire.submit(ZOOM)
    wire.says()
    assert wire.hears("90 41 ff").says() == ["81 21 ff"]
    assert wire.hears("90 61 04 ff").told() == [Ended(ident, Outcome.CANCELLED)]
    assert wire.says() == ["81 01 04 47 01 00 00 00 ff"]


def test_cancelling_what_has_ended_changes_nothing() -> None:
    wire = ready()
    ident = wire.submit(ZOOM)
    wire.hears("90 41 ff", "90 51 ff").told()
    before = repr(wire.link)
    wire.cancel(ident)
    assert (wire.told(), repr(wire.link)) == ([], before)


# Silence


def test_a_command_past_its_deadline_is_cancelled_and_its_socket_is_free_again() -> None:
    wire = ready()
    ident = wire.submit(ABSOLUTE)
    wire.hears("90 41 ff").says()
    wire.wait(MOVE_S)
    assert wire.says() == ["81 21 ff"]
    assert wire.hears("90 61 04 ff").told() == [Ended(ident, Outcome.TIMED_OUT)]
    for socket in (1, 2):
        wire.submit(ZOOM)
        assert len(wire.says()) == 1, socket
        wire.hears(f"90 4{socket} ff")


def test_a_completion_that_was_lost_is_found_at_the_deadline() -> None:
    wire = ready()
    ident = wire.submit(ABSOLUTE)
    wire.hears("90 41 ff").wait(MOVE_S)
    assert wire.hears("90 61 05 ff").told() == [Ended(ident, Outcome.DONE)]


def test_a_late_command_whose_cancel_is_not_answered_has_timed_out() -> None:
    wire = ready()
    ident = wire.submit(ABSOLUTE)
    wire.hears("90 41 ff").wait(MOVE_S + ANSWER_S)
    assert wire.told() == [Ended(ident, Outcome.TIMED_OUT)]
    assert wire.says()[-1] == IF_CLEAR


def test_a_camera_without_cancel_does_not_keep_a_late_command_for_ever() -> None:
    wire = ready()
    ident = wire.submit(ABSOLUTE)
    wire.hears("90 41 ff").wait(MOVE_S)
    assert wire.hears("90 60 02 ff").told() == [Ended(ident, Outcome.TIMED_OUT)]


def test_a_camera_without_cancel_may_end_what_was_cancelled() -> None:
    wire = ready()
    ident = wire.submit(ABSOLUTE)
    wire.hears("90 41 ff")
    wire.cancel(ident)
    assert wire.hears("90 60 02 ff").told() == []
    assert wire.wait(MOVE_S).told() == [Ended(ident, Outcome.TIMED_OUT)]


def test_silence_clears_the_link_and_what_may_be_repeated_is_said_once_more() -> None:
    wire = ready()
    ident = wire.submit(ZOOM)
    said = wire.says()
    wire.wait(ANSWER_S)
    assert wire.says() == [IF_CLEAR]
    wire.hears(CLEARED)
    assert wire.says() == said
    wire.wait(ANSWER_S).hears(CLEARED)
    assert outcomes(wire.told()) == [(ident, Outcome.TIMED_OUT)]


@pytest.mark.parametrize("command", [RELATIVE, commands.toggle_focus_mode()])
def test_a_relative_move_or_a_toggle_is_never_said_again(command: Command) -> None:
    wire = ready()
    ident = wire.submit(command)
    said = wire.says()
    wire.wait(ANSWER_S).hears(CLEARED)
    assert outcomes(wire.told()) == [(ident, Outcome.TIMED_OUT)]
    assert said[0] not in wire.says()


def test_a_late_answer_is_not_taken_for_that_of_the_next_question() -> None:
    wire = ready()
    wire.submit(inquiries.ZOOM)
    wire.submit(inquiries.FOCUS_POSITION)
    wire.wait(ANSWER_S)
    wire.hears("90 50 01 02 03 04 ff")
    assert wire.told() == []
    assert wire.link.strays == 1


@pytest.mark.parametrize("of_the_past", ["90 51 ff", "90 61 04 ff", "90 41 ff", "90 50 01 02 03 04 ff"])
def test_what_a_cleared_command_still_says_does_not_end_the_clearing(of_the_past: str) -> None:
    wire = ready()
    wire.submit(ABSOLUTE)
    wire.hears("90 41 ff")
    wire.submit(inquiries.ZOOM)
    wire.wait(ANSWER_S)
    assert wire.hears(of_the_past).link.phase is Phase.CLEARING
    assert wire.hears(CLEARED).link.phase is Phase.READY


def test_what_executed_while_the_link_was_cleared_is_said_again_or_ends() -> None:
    wire = ready()
    repeated, ended = wire.submit(ABSOLUTE), wire.submit(RELATIVE)
    wire.hears("90 41 ff", "90 42 ff")
    wire.submit(inquiries.ZOOM)
    wire.wait(ANSWER_S).says()
    assert outcomes(wire.told()) == [(ended, Outcome.INTERRUPTED)]
    wire.hears(CLEARED)
    assert wire.says()[0].startswith("81 01 06 02")
    assert outcomes(wire.hears("90 41 ff", "90 51 ff").told()) == [(repeated, Outcome.DONE)]


def test_a_link_that_dies_ends_everything_once() -> None:
    wire = ready()
    idents = [wire.submit(what) for what in (RELATIVE, ZOOM, inquiries.ZOOM)]
    wire.hears("90 41 ff").wait(60)
    events = wire.told()
    assert sorted(ident for ident, _ in outcomes(events)) == idents
    assert events[-1] == Died("does not answer", is_silence=True)


# The wire's return

BACK_S = 1.45
"""Which leaves a driver, that is to be back within two seconds, a dozen questions' time."""


@pytest.mark.parametrize("returns_after", [tenth / 10 for tenth in range(0, 60, 3)])
def test_a_wire_that_returns_at_any_time_finds_the_link_trying_again_soon(returns_after: float) -> None:
    wire = new()
    returns_at, died_at = wire.now + returns_after, wire.now
    while wire.link.phase is not Phase.READY:
        due = wire.link.next_timer()
        if due is None:
            wire = Wire(Link())
            wire.now = died_at + LONGEST_PAUSE_S
            wire.link.start(wire.now)
            wire.note()
        elif wire.now >= returns_at and (said := wire.says()):
            wire.hears({ADDRESS_SET: ADDRESSED, IF_CLEAR: CLEARED, CLEAR_ONE: "90 50 ff"}[said[-1]])
        else:
            wire.says()
            died_at = due
            wire.wait(due - wire.now)
    assert wire.now - returns_at <= BACK_S


# The chain


@pytest.mark.parametrize("news", ["90 38 ff", "88 38 ff", "b0 38 ff"])
def test_a_change_of_the_chain_sets_addresses_anew(news: str) -> None:
    wire = ready().hears(news)
    assert wire.told() == [Changed()]
    assert wire.says() == [ADDRESS_SET]
    wire.hears(ADDRESSED, CLEARED)
    assert wire.told() == [Ready()]


def test_a_camera_that_greets_before_it_is_asked_does_no_harm() -> None:
    wire = new().hears("88 38 ff", ADDRESSED)
    assert wire.says() == [ADDRESS_SET, IF_CLEAR]


def test_a_change_while_the_link_is_cleared_begins_again_but_not_for_ever() -> None:
    wire = new()
    for _ in range(20):
        wire.hears(ADDRESSED, "90 38 ff")
    wire.hears(CLEARED)
    assert wire.link.phase is Phase.READY


def test_a_move_that_a_change_interrupts_goes_on_and_a_relative_one_does_not() -> None:
    wire = ready()
    kept, lost = wire.submit(ABSOLUTE), wire.submit(RELATIVE)
    wire.hears("90 41 ff").hears("90 38 ff", ADDRESSED, CLEARED)
    assert outcomes(wire.told()) == [(lost, Outcome.TIMED_OUT)]
    assert outcomes(wire.hears("90 41 ff", "90 51 ff").told()) == [(kept, Outcome.DONE)]


def test_each_camera_of_a_chain_is_heard_alone() -> None:
    wire = ready(camera=3)
    ident = wire.submit(ZOOM)
    assert wire.says() == ["83 01 04 47 01 00 00 00 ff"]
    before = repr(wire.link)
    assert wire.hears("90 41 ff", "a0 60 02 ff", "a0 51 ff").told() == []
    assert repr(wire.link) == before
    assert wire.hears("b0 41 ff", "90 51 ff", "b0 51 ff").told() == [Ended(ident, Outcome.DONE)]


# The network


def network() -> Wire:
    wire = Wire(Link(1, is_network=True))
    wire.link.start(wire.now)
    wire.note()
    assert wire.says() == ["reset"]
    wire.resets()
    assert wire.says() == [CLEAR_ONE]
    wire.hears("90 50 ff", number=1)
    assert wire.told() == [Ready()]
    return wire


def test_in_a_network_answers_are_matched_by_number() -> None:
    wire = network()
    ident = wire.submit(ZOOM)
    assert wire.hears("90 41 ff", number=1).link.strays == 1
    wire.hears("90 41 ff", number=2)
    assert wire.hears("90 51 ff", number=1).told() == []
    assert wire.hears("90 51 ff", number=2).told() == [Ended(ident, Outcome.DONE)]


def test_in_a_network_a_late_answer_is_not_believed() -> None:
    wire = network()
    wire.submit(inquiries.ZOOM)
    wire.wait(ANSWER_S).hears("90 50 ff", number=3)
    wire.told()
    assert wire.hears("90 50 01 02 03 04 ff", number=2).told() == []
    assert len(wire.hears("90 50 01 02 03 04 ff", number=4).told()) == 1


def test_in_a_network_the_answer_to_an_earlier_try_of_the_clearing_counts() -> None:
    wire = network()
    wire.submit(inquiries.ZOOM)
    wire.wait(ANSWER_S + START_S)
    wire.hears("90 50 ff", number=3)
    assert wire.link.phase is Phase.READY


def test_a_camera_that_expects_other_numbers_is_reset_and_even_a_relative_move_sent_again() -> None:
    wire = network()
    ident = wire.submit(RELATIVE)
    said = wire.says()
    wire.refuses_number(2)
    assert wire.says() == ["reset"]
    wire.resets()
    wire.hears("90 50 ff", number=1)
    assert wire.told() == [Changed(), Ready()]
    assert wire.says() == [CLEAR_ONE, *said]
    assert outcomes(wire.hears("90 51 ff", number=2).told()) == [(ident, Outcome.DONE)]


def test_a_camera_that_refuses_every_number_does_not_keep_a_request_for_ever() -> None:
    wire = network()
    ident = wire.submit(ZOOM)
    for _ in range(2):
        wire.refuses_number(2)
        wire.resets()
        wire.hears("90 50 ff", number=1)
    assert outcomes(wire.told()) == [(ident, Outcome.INTERRUPTED)]


def test_a_camera_may_refuse_the_number_of_the_clearing_too() -> None:
    wire = network()
    wire.submit(inquiries.ZOOM)
    wire.wait(ANSWER_S).says()
    wire.refuses_number(3)
    assert wire.says() == ["reset"]


# What does not fit


STRAYS = [
    "90 41 ff",
    "90 51 ff",
    "90 50 01 02 03 04 ff",
    "90 60 02 ff",
    "90 61 04 ff",
    "90 61 05 ff",
    "a0 41 ff",
    "88 30 02 ff",
    "88 01 00 01 ff",
    "81 01 04 47 01 00 00 00 ff",
    "90 07 ff",
]


@pytest.mark.parametrize("stray", STRAYS)
def test_an_answer_to_nothing_changes_nothing(stray: str) -> None:
    wire = ready()
    before = repr(wire.link)
    wire.hears(stray)
    assert (wire.told(), wire.says(), repr(wire.link), wire.link.strays) == ([], [], before, 1)


@pytest.mark.parametrize(
    "stray",
    [
        "90 41 ff",
        "90 50 02 ff",
        "90 50 01 02 03 04 05 ff",
        "90 50 ff",
        "90 61 04 ff",
        "88 30 02 ff",
        "90 52 ff",
    ],
)
def test_an_answer_of_another_class_or_length_is_not_the_inquirys(stray: str) -> None:
    wire = ready()
    ident = wire.submit(inquiries.ZOOM)
    before = repr(wire.link)
    assert wire.hears(stray).told() == []
    assert repr(wire.link) == before
    assert outcomes(wire.hears("90 50 00 00 00 07 ff").told()) == [(ident, Outcome.DONE)]


def test_what_our_own_side_may_not_do_is_refused_and_changes_nothing() -> None:
    wire = ready()
    before = repr(wire.link)
    with pytest.raises(UsageError):
        wire.link.start(wire.now)
    with pytest.raises(UsageError):
        wire.link.tick(wire.now - 1)
    assert (wire.told(), repr(wire.link)) == ([], before)
    with pytest.raises(DeviceGoneError):
        Link().submit(ZOOM, 0.0)
    with pytest.raises(UsageError):
        Link(8)
    with pytest.raises(UsageError):
        Link(2, is_network=True)


ANYTHING = st.one_of(
    st.sampled_from(
        [*STRAYS, "90 42 ff", "90 52 ff", "90 62 04 ff", "90 61 41 ff", "90 60 03 ff", "90 38 ff"]
    ),
    st.sampled_from([ABSOLUTE, RELATIVE, inquiries.ZOOM]),
    st.sampled_from([0.1, ANSWER_S, MOVE_S]),
    st.integers(1, 10),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(ANYTHING, max_size=60))
def test_whatever_happens_every_request_ends_once_and_one_packet_is_in_flight(
    happenings: list[object],
) -> None:
    wire = new()
    assert wire.says() == [ADDRESS_SET]
    submitted: list[int] = []
    events: list[Event] = []
    for happening in happenings:
        if wire.link.phase is Phase.DEAD:
            break
        match happening:
            case str():
                wire.hears(happening)
            case float():
                wire.wait(happening)
            case int():
                wire.cancel(happening)
            case Command() | Inquiry() if len(submitted) < MAX_WAITING:
                submitted.append(wire.submit(happening))
        assert len(wire.says()) <= 1 or isinstance(happening, float)
        events += wire.told()
    wire.wait(1000.0)
    events += wire.told()
    assert sorted(ident for ident, _ in outcomes(events)) == submitted


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(ANYTHING, st.integers(0, 9)), max_size=60))
def test_in_a_network_too_every_request_ends_once(happenings: list[tuple[object, int]]) -> None:
    wire = network()
    submitted: list[int] = []
    events: list[Event] = []
    for happening, number in happenings:
        if wire.link.phase is Phase.DEAD:
            break
        match happening:
            case str():
                wire.hears(happening, number=number)
            case float():
                wire.wait(happening)
            case int() if number % 2:
                wire.refuses_number(happening)
            case int():
                wire.resets()
            case Command() | Inquiry() if len(submitted) < MAX_WAITING:
                submitted.append(wire.submit(happening))
        events += wire.told()
    wire.wait(3000.0)
    events += wire.told()
    assert sorted(ident for ident, _ in outcomes(events)) == submitted
