"""Who may mute and unmute, and what is remembered of it."""

from typing import cast

import pytest

from conclaved.service.mutes import Hand, Mute, Mutes, Outside, Switch

AT = 1_800_000_000


def mutes() -> Mutes:
    return Mutes(lambda: AT + 0.9)


@pytest.mark.parametrize("by", [*Hand, *Outside])
def test_anybody_mutes_and_what_is_not_named_stays(by: Hand | Outside) -> None:
    room = mutes()
    room.mute(by, microphone=True)
    assert room.microphone == Mute(True, AT, by.value)
    assert room.camera == Mute()


@pytest.mark.parametrize("by", Hand)
def test_a_hand_in_the_room_unmutes(by: Hand) -> None:
    room = mutes()
    room.mute(Outside.ADMIN, camera=True, microphone=True)
    room.unmute(by, camera=True)
    assert room.camera == Mute(False, AT, by.value)
    assert room.microphone.is_muted


@pytest.mark.parametrize("by", [*Outside, *Switch])
def test_nobody_else_unmutes(by: Outside | Switch) -> None:
    room = mutes()
    room.mute(Outside.ADMIN, camera=True, microphone=True)
    with pytest.raises(TypeError, match="only a hand in the room"):
        room.unmute(cast("Hand", by), camera=True, microphone=True)
    assert room.camera.is_muted
    assert room.microphone.is_muted


def test_a_switch_that_muted_and_is_lost_leaves_a_software_mute_that_only_a_hand_takes_away() -> None:
    room = mutes()
    room.lost(Switch.MUTE_SWITCH)
    assert room.microphone == Mute(True, AT, "the loss of the mute switch")
    room.unmute(Hand.PANEL, microphone=True)
    room.lost(Switch.SHUTTER)
    assert (room.camera.is_muted, room.microphone.is_muted) == (True, False)


def test_what_changes_nothing_is_no_change() -> None:
    room = mutes()
    room.mute(Hand.PANEL, camera=True)
    room.mute(Outside.ADMIN, camera=True)
    room.unmute(Hand.BUTTON, microphone=True)
    assert room.camera.changed_by == Hand.PANEL.value
    assert room.microphone == Mute()


def test_a_switch_changes_no_software_mute_and_is_the_last_change() -> None:
    room = mutes()
    room.mute(Outside.ADMIN, camera=True)
    room.switched(Switch.SHUTTER)
    room.switched(Switch.MUTE_SWITCH)
    assert room.camera == Mute(True, AT, "the shutter")
    assert room.microphone == Mute(False, AT, "the mute switch")
