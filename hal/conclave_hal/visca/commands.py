"""What is said to a camera: commands as values, each with its deadline and whether it may be said twice.

The bytes are those after the header and before the terminator. Positions travel as nibbles, `0p 0q 0r 0s`;
those of pan and tilt are signed (Sony SRG-300H, "Command List").
"""

from dataclasses import dataclass

from conclave_hal.camera_control import ExposureMode, FocusMode, Power, Tally, WhiteBalance
from conclave_hal.errors import UsageError

SETTING_S = 5.0
"""For what only electronics do."""
MOVE_S = 30.0
"""For a turn from one end to the other at the greatest speed; one at half of that may take twice as long."""
MECHANICS_S = 120.0
"""For power-on, home and reset, where the mechanics may find their zero first, and for presets, which the
camera recalls at a speed of its own."""

MAX_PAN_SPEED = 0x18
MAX_TILT_SPEED = 0x17
MAX_ZOOM_SPEED = 7
MAX_PRESET = 0xFE
"""FF is the terminator."""


@dataclass(frozen=True, slots=True)
class Command:
    """One thing to do."""

    name: str
    """What it does, as in "the camera cannot ..."."""
    message: bytes
    deadline_s: float = SETTING_S
    """From its acknowledgement to its completion."""
    is_repeatable: bool = True
    """Whether doing it twice is as good as once, so that it may be sent again when nobody knows whether
    it was heard. False for relative moves and toggles."""


def nibbles(value: int, count: int = 4) -> bytes:
    """`value` as `count` bytes of four bits, the most significant first; negative in two's complement."""
    bits = 4 * count
    if not -(1 << bits - 1) <= value < 1 << bits:
        raise UsageError(f"{value} does not fit into {bits} bits")
    return bytes(value >> shift & 0xF for shift in range(bits - 4, -1, -4))


def _on(is_on: bool) -> bytes:
    return b"\x02" if is_on else b"\x03"


def _ranged(value: int, least: int, most: int, what: str) -> int:
    if not least <= value <= most:
        raise UsageError(f"{what} must be {least} to {most}, not {value}")
    return value


def set_power(power: Power) -> Command:
    """CAM_Power."""
    if power is Power.UNKNOWN:
        raise UsageError("a camera is switched on or to standby")
    is_on = power is Power.ON
    return Command(
        "switch on" if is_on else "go to standby", b"\x01\x04\x00" + _on(is_on), deadline_s=MECHANICS_S
    )


def zoom_drive(speed: int) -> Command:
    """CAM_Zoom: -7 wide to 7 tele, 0 stops. The camera's own speed 0, the slowest, stays unused."""
    magnitude = abs(_ranged(speed, -MAX_ZOOM_SPEED, MAX_ZOOM_SPEED, "the zoom's speed"))
    if speed == 0:
        return Command("stop its zoom", b"\x01\x04\x07\x00")
    return Command("zoom", bytes((0x01, 0x04, 0x07, (0x20 if speed > 0 else 0x30) | magnitude)))


def zoom_to(position: int) -> Command:
    """CAM_Zoom Direct: 0 is wide."""
    return Command(
        "zoom", b"\x01\x04\x47" + nibbles(_ranged(position, 0, 0xFFFF, "the zoom")), deadline_s=MOVE_S
    )


def set_focus_mode(mode: FocusMode) -> Command:
    """CAM_Focus: auto or manual."""
    return Command("focus", b"\x01\x04\x38" + _on(mode is FocusMode.AUTO))


def focus_at(position: int) -> Command:
    """CAM_Focus Direct: larger is nearer."""
    return Command(
        "focus", b"\x01\x04\x48" + nibbles(_ranged(position, 0, 0xFFFF, "the focus")), deadline_s=MOVE_S
    )


def focus_once() -> Command:
    """CAM_Focus One Push Trigger: focus automatically, once."""
    return Command("focus", b"\x01\x04\x18\x01")


def toggle_focus_mode() -> Command:
    """CAM_Focus Auto/Manual: the other of the two."""
    return Command("focus", b"\x01\x04\x38\x10", is_repeatable=False)


def pan_tilt_drive(pan: int, tilt: int) -> Command:
    """Pan-tiltDrive: -24 left to 24 right, -23 down to 23 up, both 0 stops."""
    _ranged(pan, -MAX_PAN_SPEED, MAX_PAN_SPEED, "the pan's speed")
    _ranged(tilt, -MAX_TILT_SPEED, MAX_TILT_SPEED, "the tilt's speed")
    sideways = 0x03 if pan == 0 else 0x02 if pan > 0 else 0x01
    upward = 0x03 if tilt == 0 else 0x01 if tilt > 0 else 0x02
    name = "turn" if pan or tilt else "stop turning"
    return Command(name, bytes((0x01, 0x06, 0x01, abs(pan), abs(tilt), sideways, upward)))


def _turn(message: bytes, pan_speed: int, tilt_speed: int, rest: bytes, *, is_repeatable: bool) -> Command:
    _ranged(pan_speed, 1, MAX_PAN_SPEED, "the pan's speed")
    _ranged(tilt_speed, 1, MAX_TILT_SPEED, "the tilt's speed")
    return Command(
        "turn",
        message + bytes((pan_speed, tilt_speed)) + rest,
        MOVE_S * max(MAX_PAN_SPEED / pan_speed, MAX_TILT_SPEED / tilt_speed),
        is_repeatable,
    )


def pan_tilt_to(pan: int, tilt: int, pan_speed: int, tilt_speed: int, *, pan_nibbles: int = 4) -> Command:
    """Pan-tiltDrive AbsolutePosition. `pan_nibbles` is 5 for cameras such as the BRC-300."""
    where = nibbles(pan, pan_nibbles) + nibbles(tilt)
    return _turn(b"\x01\x06\x02", pan_speed, tilt_speed, where, is_repeatable=True)


def pan_tilt_by(pan: int, tilt: int, pan_speed: int, tilt_speed: int, *, pan_nibbles: int = 4) -> Command:
    """Pan-tiltDrive RelativePosition."""
    how_far = nibbles(pan, pan_nibbles) + nibbles(tilt)
    return _turn(b"\x01\x06\x03", pan_speed, tilt_speed, how_far, is_repeatable=False)


def home() -> Command:
    """Pan-tiltDrive Home."""
    return Command("turn home", b"\x01\x06\x04", deadline_s=MECHANICS_S)


def reset_mechanics() -> Command:
    """Pan-tiltDrive Reset: find the mechanics' zero again."""
    return Command("reset", b"\x01\x06\x05", deadline_s=MECHANICS_S)


def _preset(name: str, action: int, number: int, deadline_s: float) -> Command:
    _ranged(number, 0, MAX_PRESET, "a preset")
    return Command(name, bytes((0x01, 0x04, 0x3F, action, number)), deadline_s=deadline_s)


def forget_preset(number: int) -> Command:
    """CAM_Memory Reset."""
    return _preset(f"forget preset {number}", 0x00, number, SETTING_S)


def store_preset(number: int) -> Command:
    """CAM_Memory Set."""
    return _preset(f"store preset {number}", 0x01, number, SETTING_S)


def recall_preset(number: int) -> Command:
    """CAM_Memory Recall."""
    return _preset(f"recall preset {number}", 0x02, number, MECHANICS_S)


_WHITE_BALANCE = {WhiteBalance.AUTO: 0x00, WhiteBalance.INDOOR: 0x01, WhiteBalance.OUTDOOR: 0x02}
_EXPOSURE = {ExposureMode.AUTO: 0x00, ExposureMode.MANUAL: 0x03}


def set_white_balance(balance: WhiteBalance) -> Command:
    """CAM_WB."""
    return Command("balance white", bytes((0x01, 0x04, 0x35, _WHITE_BALANCE[balance])))


def set_exposure_mode(mode: ExposureMode) -> Command:
    """CAM_AE."""
    return Command("choose its exposure", bytes((0x01, 0x04, 0x39, _EXPOSURE[mode])))


def set_iris(position: int) -> Command:
    """CAM_Iris Direct, for manual exposure."""
    message = b"\x01\x04\x4b" + nibbles(_ranged(position, 0, 0xFF, "the iris"))
    return Command("set its iris", message)


def set_backlight(is_on: bool) -> Command:
    """CAM_Backlight: expose for what stands before a window."""
    return Command("compensate for backlight", b"\x01\x04\x33" + _on(is_on))


def set_mirror(is_on: bool) -> Command:
    """CAM_LR_Reverse."""
    return Command("mirror its picture", b"\x01\x04\x61" + _on(is_on))


def set_freeze(is_on: bool) -> Command:
    """CAM_Freeze. A request to the camera's firmware: never privacy."""
    return Command("freeze its picture", b"\x01\x04\x62" + _on(is_on))


def set_remote_reception(is_on: bool) -> Command:
    """IR_Receive: whether the camera obeys an infrared remote, which anybody can hold."""
    return Command("choose whether it obeys a remote", b"\x01\x06\x08" + _on(is_on))


def set_tally(tally: Tally) -> Command:
    """Tally (Sony BRC-300)."""
    return Command("switch its tally lamp", b"\x01\x7e\x01\x0a\x00" + _on(tally is Tally.ON))
