"""No lock is shown that the meeting does not justify: not by the status, the panel, or the lamps."""

from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conclave_hal.indicator import Light
from conclave_hal.panel import Lock, MeetingState
from conclaved.bus.room import HardwareStatus, MeetingStatus, ParticipantStatus
from conclaved.meeting import MeetingView, State
from conclaved.service.lamps import shown
from conclaved.service.meeting_status import lock_of, meeting_status
from conclaved.service.panel_view import Beside, panel_view
from tests.service.test_meeting_status import VIEW

HARDWARE = HardwareStatus(False, False, "passing", "passing", 1, 1, ())
PARTICIPANT = ParticipantStatus(0, "a", "verified", "host", False, False, "", "", "")
STATUSES = st.builds(
    MeetingStatus,
    state=st.sampled_from([state.value for state in MeetingState]),
    lock=st.sampled_from([lock.value for lock in Lock]),
    epoch=st.integers(0, 2**64 - 1),
    code_epoch=st.integers(0, 2**64 - 1),
    security_code=st.sampled_from(["", "01234 56789 01234 56789 01234 56789"]),
    participants=st.lists(st.just(PARTICIPANT), max_size=3).map(tuple),
    notices=st.lists(st.text(), max_size=2).map(tuple),
    left_reason=st.text(),
    is_host=st.booleans(),
    minds=st.text(),
    joining_in_s=st.integers(0, 10),
)


@given(STATUSES)
def test_the_panel_shows_a_lock_in_a_meeting_that_has_one_and_nowhere_else(status: MeetingStatus) -> None:
    view = panel_view(1, Beside("room.example.com"), status, HARDWARE)
    is_justified = status.state == "in_meeting" and status.lock == "locked"
    assert (view.lock is Lock.LOCKED) is is_justified
    assert (shown(status, HARDWARE).ring is Light.ENCRYPTED) <= (view.lock is Lock.LOCKED)


@given(STATUSES)
def test_what_is_broken_is_shown_as_broken(status: MeetingStatus) -> None:
    view = panel_view(1, Beside("room.example.com"), status, HARDWARE)
    if status.lock == "broken":
        assert view.lock is Lock.BROKEN


@pytest.mark.parametrize("state", State)
def test_a_meeting_is_locked_only_while_this_device_sends_and_nothing_is_wrong(state: State) -> None:
    for behind, alarms, is_leaving in product(("", "silent"), ((), ("a fork",)), (False, True)):
        view: MeetingView = replace(VIEW, state=state, behind=behind, alarms=alarms, is_leaving=is_leaving)
        is_justified = state is State.IN_GROUP and not (behind or alarms or is_leaving)
        assert (lock_of(view) == "locked") is is_justified
        assert (lock_of(view) == "locked") <= view.may_send
        glass = panel_view(1, Beside(""), meeting_status(view), HARDWARE)
        assert (glass.lock is Lock.LOCKED) is is_justified


def test_an_old_lock_on_a_glass_that_is_stuck_raises_the_alarm() -> None:
    stuck = replace(HARDWARE, panel_problem="it does not draw what it should show")
    for lock in Lock:
        assert shown(MeetingStatus("in_meeting", lock.value), stuck).ring is Light.ALARM
