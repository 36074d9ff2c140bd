"""Bytes of an independent controller.

libvisca's bytes: read off the wire while that C library, which is not ours, did what the command's name says.
"""

from conclave_hal.camera_control import ExposureMode, FocusMode, Power, WhiteBalance
from conclave_hal.visca import commands, inquiries
from conclave_hal.visca.commands import Command
from conclave_hal.visca.inquiries import Inquiry

GOLDEN: list[tuple[Command | Inquiry[object], str]] = [
    (commands.set_power(Power.ON), "81 01 04 00 02 ff"),
    (commands.set_power(Power.STANDBY), "81 01 04 00 03 ff"),
    (commands.pan_tilt_by(100, -100, 10, 8), "81 01 06 03 0a 08 00 00 06 04 0f 0f 09 0c ff"),
    (commands.home(), "81 01 06 04 ff"),
    (commands.reset_mechanics(), "81 01 06 05 ff"),
    # It names a tilt speed of 0 while only the pan drives.
    (commands.pan_tilt_drive(-5, 0), "81 01 06 01 05 00 01 03 ff"),
    (commands.pan_tilt_drive(12, 10), "81 01 06 01 0c 0a 02 01 ff"),
    (commands.pan_tilt_drive(0, 0), "81 01 06 01 00 00 03 03 ff"),
    (commands.zoom_drive(4), "81 01 04 07 24 ff"),
    (commands.zoom_drive(0), "81 01 04 07 00 ff"),
    (commands.set_focus_mode(FocusMode.AUTO), "81 01 04 38 02 ff"),
    (commands.set_focus_mode(FocusMode.MANUAL), "81 01 04 38 03 ff"),
    (commands.focus_at(0x1234), "81 01 04 48 01 02 03 04 ff"),
    (commands.focus_once(), "81 01 04 18 01 ff"),
    (commands.store_preset(3), "81 01 04 3f 01 03 ff"),
    (commands.recall_preset(3), "81 01 04 3f 02 03 ff"),
    (commands.forget_preset(3), "81 01 04 3f 00 03 ff"),
    (commands.set_white_balance(WhiteBalance.AUTO), "81 01 04 35 00 ff"),
    (commands.set_exposure_mode(ExposureMode.MANUAL), "81 01 04 39 03 ff"),
    (commands.set_iris(5), "81 01 04 4b 00 00 00 05 ff"),
    (commands.set_backlight(True), "81 01 04 33 02 ff"),
    (commands.set_mirror(True), "81 01 04 61 02 ff"),
    (commands.set_freeze(True), "81 01 04 62 02 ff"),
    (commands.set_remote_reception(True), "81 01 06 08 02 ff"),
    (commands.set_remote_reception(False), "81 01 06 08 03 ff"),
    (inquiries.PAN_TILT, "81 09 06 12 ff"),
    (inquiries.ZOOM, "81 09 04 47 ff"),
    (inquiries.POWER, "81 09 04 00 ff"),
    (inquiries.FOCUS_MODE, "81 09 04 38 ff"),
    (inquiries.EXPOSURE_MODE, "81 09 04 39 ff"),
]
