"""A press is for whom it stood beside, and for nobody else who has come to the same place since."""

import pytest

from conclave_hal.panel import ActionKind, PanelAction
from conclaved.bus.room import MeetingStatus, ParticipantStatus
from conclaved.service.pressing import _still_stands

ANA = ParticipantStatus(
    leaf=3,
    name="ana@example.com",
    assurance="verified",
    role="member",
    is_self=False,
    is_heard=True,
    reason="",
    issuer="",
    admitted_by="",
    key_id="aa",
)


@pytest.mark.parametrize(
    ("leaf", "name", "key_id", "stands"),
    [
        (3, "ana@example.com", "aa", True),
        (3, "ana@example.com", "bb", False),
        (3, "ben@example.com", "aa", False),
        (4, "ana@example.com", "aa", False),
    ],
)
def test_a_press_stands_only_for_the_same_place_name_and_key(
    leaf: int, name: str, key_id: str, stands: bool
) -> None:
    press = PanelAction(ActionKind.HAND_OVER, leaf=leaf, name=name, key_id=key_id)
    assert _still_stands(press, MeetingStatus("in_meeting", participants=(ANA,))) is stands
