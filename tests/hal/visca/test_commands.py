"""The bytes of commands and inquiries, against those of another controller."""

import pytest

from conclave_hal.camera_control import Power, Tally
from conclave_hal.errors import DeviceError, UsageError
from conclave_hal.visca import commands, inquiries
from conclave_hal.visca.commands import Command
from conclave_hal.visca.inquiries import Inquiry, PanTilt, Version
from conclave_hal.visca.packet import Packet
from tests.hal.visca.golden import GOLDEN

# From the manuals: SRG-300H for absolute moves, BRC-300 for five nibbles of pan and the tally.
FROM_MANUALS: list[tuple[Command, str]] = [
    (commands.pan_tilt_to(-0x2200, 0x1200, 0x18, 0x17), "81 01 06 02 18 17 0d 0e 00 00 01 02 00 00 ff"),
    (
        commands.pan_tilt_to(-1, 1, 1, 1, pan_nibbles=5),
        "81 01 06 02 01 01 0f 0f 0f 0f 0f 00 00 00 01 ff",
    ),
    (commands.zoom_to(0x4000), "81 01 04 47 04 00 00 00 ff"),
    (commands.zoom_drive(-7), "81 01 04 07 37 ff"),
    (commands.set_tally(Tally.ON), "81 01 7e 01 0a 00 02 ff"),
    (commands.toggle_focus_mode(), "81 01 04 38 10 ff"),
]


@pytest.mark.parametrize(("what", "wire"), GOLDEN, ids=[wire for _, wire in GOLDEN])
def test_the_bytes_are_libviscas(what: Command | Inquiry[object], wire: str) -> None:
    assert bytes(Packet(0, 1, what.message)) == bytes.fromhex(wire)


@pytest.mark.parametrize(("what", "wire"), FROM_MANUALS, ids=[wire for _, wire in FROM_MANUALS])
def test_the_bytes_are_the_manuals(what: Command, wire: str) -> None:
    assert bytes(Packet(0, 1, what.message)) == bytes.fromhex(wire)


def test_only_relative_moves_and_toggles_are_not_said_twice() -> None:
    said = [what for what, _ in [*GOLDEN, *FROM_MANUALS] if isinstance(what, Command)]
    assert {what.message[:4].hex() for what in said if not what.is_repeatable} == {"0106030a", "01043810"}


@pytest.mark.parametrize(
    "make",
    [
        lambda: commands.set_power(Power.UNKNOWN),
        lambda: commands.zoom_drive(8),
        lambda: commands.pan_tilt_drive(25, 0),
        lambda: commands.pan_tilt_drive(0, -24),
        lambda: commands.pan_tilt_to(0x10000, 0, 1, 1),
        lambda: commands.pan_tilt_to(0, 0, 0, 1),
        lambda: commands.recall_preset(0xFF),
        lambda: commands.zoom_to(-1),
    ],
)
def test_a_value_that_the_wire_cannot_carry_is_refused(make: object) -> None:
    assert callable(make)
    with pytest.raises(UsageError):
        make()


def test_positions_are_signed() -> None:
    data = bytes.fromhex("0e0d0000 00010200")
    assert inquiries.PAN_TILT.parse(data) == PanTilt(-4864, 0x0120, 4)


def test_a_finer_pan_is_told_by_its_length() -> None:
    assert inquiries.PAN_TILT.parse(bytes.fromhex("0f0f0f0f0f 00000001")) == PanTilt(-1, 1, 5)


def test_the_version_of_an_emulator_reads_as_in_the_manual() -> None:
    assert inquiries.VERSION.parse(bytes.fromhex("00010511000002")) == Version(1, 0x0511, 0, 2)


@pytest.mark.parametrize(
    ("inquiry", "data"),
    [
        (inquiries.POWER, "07"),
        (inquiries.ZOOM, "00001000"),
        (inquiries.PAN_TILT, "8000000000000000"),
        (inquiries.MAX_SPEEDS, "0000"),
        (inquiries.TALLY, "00"),
    ],
)
def test_an_answer_with_a_value_that_the_manual_lacks_is_refused(inquiry: Inquiry[object], data: str) -> None:
    with pytest.raises(DeviceError):
        inquiry.parse(bytes.fromhex(data))
