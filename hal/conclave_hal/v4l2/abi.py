"""Structures and numbers of <linux/videodev2.h> and <linux/v4l2-controls.h>, as far as we use them.

Layouts are written with explicit padding, because the kernel's are the same on all its machines:
`v4l2_event` is the one with 64-bit times, which a 32-bit kernel has had since Linux 5.6 as well.
A test compiles the kernel's headers and compares every size and number here.
"""

from dataclasses import dataclass
from enum import IntEnum
from struct import Struct

_WRITE, _READ = 1, 2
"""Directions of <asm-generic/ioctl.h>."""


def _number(direction: int, number: int, size: int) -> int:
    return direction << 30 | size << 16 | ord("V") << 8 | number


CAPABILITY = Struct("=16s32s32sII I12x")
"""v4l2_capability: driver, card, bus_info, version, capabilities, device_caps."""
FORMAT = Struct("=III32sII12x")
"""v4l2_fmtdesc: index, type, flags, description, pixelformat, mbus_code."""
FRAME_SIZE = Struct("=III6I8x")
"""v4l2_frmsizeenum: index, pixel_format, type, then width and height, or min, max, step of both."""
FRAME_INTERVAL = Struct("=IIIII6I8x")
"""v4l2_frmivalenum: index, pixel_format, width, height, type, then one fraction, or min, max, step."""
QUERY_CONTROL = Struct("=II32siiiiI8x")
"""v4l2_queryctrl: id, type, name, minimum, maximum, step, default_value, flags."""
CONTROL = Struct("=Ii")
"""v4l2_control: id, value."""
EVENT_SUBSCRIPTION = Struct("=III20x")
"""v4l2_event_subscription: type, id, flags."""
EVENT = Struct("=I4xIIi52xII16xI32x4x")
"""v4l2_event with its v4l2_event_ctrl: type; changes, type of control, value; pending, sequence, id."""

QUERYCAP = _number(_READ, 0, CAPABILITY.size)
ENUM_FMT = _number(_READ | _WRITE, 2, FORMAT.size)
G_CTRL = _number(_READ | _WRITE, 27, CONTROL.size)
S_CTRL = _number(_READ | _WRITE, 28, CONTROL.size)
QUERYCTRL = _number(_READ | _WRITE, 36, QUERY_CONTROL.size)
ENUM_FRAMESIZES = _number(_READ | _WRITE, 74, FRAME_SIZE.size)
ENUM_FRAMEINTERVALS = _number(_READ | _WRITE, 75, FRAME_INTERVAL.size)
DQEVENT = _number(_READ, 89, EVENT.size)
SUBSCRIBE_EVENT = _number(_WRITE, 90, EVENT_SUBSCRIPTION.size)

CAP_VIDEO_CAPTURE = 0x00000001
CAP_STREAMING = 0x04000000
CAP_DEVICE_CAPS = 0x80000000
BUF_TYPE_VIDEO_CAPTURE = 1
FRMSIZE_TYPE_DISCRETE = 1
FRMIVAL_TYPE_DISCRETE = 1
CTRL_FLAG_DISABLED = 0x0001
CTRL_FLAG_INACTIVE = 0x0010
EVENT_CTRL = 3
EVENT_SUB_FL_SEND_INITIAL = 1
EVENT_CTRL_CH_VALUE = 1
EXPOSURE_AUTO, EXPOSURE_MANUAL, EXPOSURE_APERTURE_PRIORITY = 0, 1, 3

MAX_DENOMINATOR = 1 << 16
"""Of a frame interval that is believed."""


class ControlId(IntEnum):
    """Controls that we use; the names are the kernel's without V4L2_CID_."""

    AUTO_WHITE_BALANCE = 0x0098090C
    WHITE_BALANCE_TEMPERATURE = 0x0098091A
    EXPOSURE_AUTO = 0x009A0901
    PAN_RESET = 0x009A0906
    TILT_RESET = 0x009A0907
    PAN_ABSOLUTE = 0x009A0908
    TILT_ABSOLUTE = 0x009A0909
    FOCUS_ABSOLUTE = 0x009A090A
    FOCUS_AUTO = 0x009A090C
    ZOOM_ABSOLUTE = 0x009A090D
    ZOOM_CONTINUOUS = 0x009A090F
    PRIVACY = 0x009A0910
    PAN_SPEED = 0x009A0920
    TILT_SPEED = 0x009A0921


@dataclass(frozen=True, slots=True)
class ControlInfo:
    """One control of a node."""

    id: ControlId
    least: int
    most: int
    default: int


def fourcc(code: str) -> int:
    """A pixel format's number from its four letters (v4l2_fourcc)."""
    return int.from_bytes(code.encode("ascii"), "little")
