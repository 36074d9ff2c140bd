"""The panel on a DRM card: what it takes, what it shows, and what it gives back."""

import errno

import pytest
from PIL import Image

from conclave_hal.errors import DeviceError, DeviceGoneError
from conclave_hal.pixels import drm
from conclave_hal.pixels.drm_glass import DrmGlass
from tests.hal.pixels.fake_card import FakeCard, FakeConnector

CARD = "/dev/dri/card0"
RED = Image.new("RGB", (1280, 800), (255, 16, 0))
HDMI, DSI, WRITEBACK = 11, 16, 18


def test_it_takes_the_preferred_mode_of_the_connector_that_has_a_monitor() -> None:
    card = FakeCard([FakeConnector(50, HDMI, is_connected=False), *FakeCard().connectors])
    glass = DrmGlass(card, CARD)
    assert (glass.width, glass.height) == (1280, 800)
    assert glass.name == "/dev/dri/card0 HDMI-A-1"
    assert list(card.scanned) == [32]


def test_a_picture_is_in_the_memory_that_is_scanned_out() -> None:
    card = FakeCard()
    DrmGlass(card, CARD).show(RED)
    assert card.memory is not None
    assert card.memory[0:4] == b"\x00\x10\xff\xff"[:3] + card.memory[3:4]
    assert card.memory[0:4] == card.memory[len(card.memory.data) - 4 : len(card.memory.data)]
    assert card.dirtied == 1


def test_rows_that_the_card_pads_are_written_one_by_one() -> None:
    card = FakeCard(padding=64)
    DrmGlass(card, CARD).show(RED)
    assert card.memory is not None
    pitch = 1280 * 4 + 64
    assert card.memory[pitch : pitch + 3] == b"\x00\x10\xff"
    assert card.memory[1280 * 4 : pitch] == bytes(64)


def test_a_card_that_needs_no_flush_is_not_at_fault() -> None:
    DrmGlass(FakeCard(dirty_error=errno.ENOSYS), CARD).show(RED)


def test_memory_that_does_not_take_the_picture_is_noticed() -> None:
    card = FakeCard()
    glass = DrmGlass(card, CARD)
    assert card.memory is not None
    card.memory.is_stuck = True
    with pytest.raises(DeviceError, match="shows something else"):
        glass.show(RED)


def test_another_programs_picture_is_noticed_and_replaced() -> None:
    card = FakeCard()
    glass = DrmGlass(card, CARD)
    glass.show(RED)
    ours = card.scanned[32]
    card.scanned[32] = 5
    with pytest.raises(DeviceError, match="another program's picture"):
        glass.check()
    glass.show(RED)
    assert card.scanned[32] == ours


def test_a_monitor_that_is_pulled_out_is_noticed_without_asking_it() -> None:
    card = FakeCard()
    glass = DrmGlass(card, CARD)
    glass.check()
    probes = card.probes
    card.connectors[0].is_connected = False
    with pytest.raises(DeviceGoneError, match="no monitor is plugged in"):
        glass.check()
    assert card.probes == probes


def test_everything_is_given_back() -> None:
    card = FakeCard()
    glass = DrmGlass(card, CARD)
    glass.show(RED)
    glass.close()
    glass.close()
    assert (card.dumb, card.framebuffers, card.scanned, card.is_open) == ({}, {}, {}, False)
    assert card.memory is not None
    assert not card.memory.is_open


@pytest.mark.parametrize(
    ("card", "error", "said"),
    [
        (FakeCard(is_taken=True), DeviceError, "another program draws on it"),
        (FakeCard(has_dumb=False), DeviceError, "no dumb buffers"),
        (FakeCard([FakeConnector(51, HDMI, is_connected=False)]), DeviceGoneError, "no monitor"),
        (FakeCard([]), DeviceGoneError, "no monitor"),
        (FakeCard(possible_crtcs=0), DeviceError, "no CRTC is free"),
        (FakeCard([FakeConnector(51, WRITEBACK, [(64, 64, 0)])]), DeviceGoneError, "no monitor"),
    ],
)
def test_what_cannot_work_is_said_and_nothing_is_kept(
    card: FakeCard, error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        DrmGlass(card, CARD)
    assert (card.dumb, card.framebuffers, card.is_open) == ({}, {}, False)


def test_a_built_in_panel_comes_before_the_rooms_screen() -> None:
    sockets = [FakeConnector(51, HDMI, [(1920, 1080, 0)]), FakeConnector(52, DSI, [(800, 480, 0)])]
    assert DrmGlass(FakeCard(sockets), CARD).name.endswith("DSI-1")
    assert DrmGlass(FakeCard(sockets), CARD, "HDMI-A-1").width == 1920


def two_screens() -> FakeCard:
    sockets = [FakeConnector(51, HDMI, [(1280, 800, 0)]), FakeConnector(52, DSI, [(800, 480, 0)])]
    return FakeCard(sockets, possible_crtcs=0b11)


def test_a_panel_and_a_rooms_screen_share_one_card() -> None:
    card = two_screens()
    panel = DrmGlass(card, CARD)
    wall = DrmGlass(card, CARD, built_in_first=False)
    assert (panel.name[-5:], wall.name[-8:]) == ("DSI-1", "HDMI-A-1")
    assert card.paths == [CARD]
    assert len(card.scanned) == 2
    panel.close()
    wall.show(RED)
    assert len(card.scanned) == 1
    wall.close()
    assert not card.is_open


def test_whichever_of_the_two_comes_first_the_other_finds_its_own() -> None:
    card = two_screens()
    assert DrmGlass(card, CARD, built_in_first=False).name.endswith("HDMI-A-1")
    assert DrmGlass(card, CARD).name.endswith("DSI-1")


def test_a_connector_that_is_taken_is_said_to_be_and_free_again_later() -> None:
    card = two_screens()
    first = DrmGlass(card, CARD, "DSI-1")
    with pytest.raises(DeviceError, match="every connector with a monitor is taken"):
        DrmGlass(card, CARD, "DSI-1")
    first.close()
    DrmGlass(card, CARD, "DSI-1").close()
    assert not card.is_open


def test_a_panel_that_nobody_can_ask_is_taken_for_there() -> None:
    glass = DrmGlass(FakeCard([FakeConnector(52, DSI, [(800, 480, 0)], connection=3)]), CARD)
    glass.check()
    assert glass.name.endswith("DSI-1")


def test_a_connector_that_is_not_there_is_named_with_those_that_are() -> None:
    with pytest.raises(DeviceError, match=r"no connector DP-3; there are: HDMI-A-1"):
        DrmGlass(FakeCard(), CARD, "DP-3")


def test_the_crtc_that_feeds_the_connector_already_is_kept() -> None:
    connector = FakeConnector(51, HDMI, [(1280, 800, 0)], current_encoder=41)
    card = FakeCard([connector], crtc_of_encoder=31)
    DrmGlass(card, CARD)
    assert list(card.scanned) == [31]


def test_a_card_that_goes_is_an_os_error_and_closing_it_is_none() -> None:
    card = FakeCard()
    glass = DrmGlass(card, CARD)
    card.is_gone = True
    with pytest.raises(OSError, match="No such device"):
        glass.show(RED)
    glass.close()
    assert not card.is_open


def test_connectors_have_the_names_of_the_kernel() -> None:
    assert drm.connector_name(drm.Connector(connector_type=14, connector_type_id=1)) == "eDP-1"
    assert drm.connector_name(drm.Connector(connector_type=99, connector_type_id=2)) == "Unknown-2"
