"""The structures and numbers are the kernel's: those of <linux/videodev2.h>, compiled."""

import shutil
import subprocess
from pathlib import Path

import pytest

from conclave_hal.v4l2 import abi
from conclave_hal.v4l2.abi import ControlId

STRUCTURES = {
    "v4l2_capability": abi.CAPABILITY,
    "v4l2_fmtdesc": abi.FORMAT,
    "v4l2_frmsizeenum": abi.FRAME_SIZE,
    "v4l2_frmivalenum": abi.FRAME_INTERVAL,
    "v4l2_queryctrl": abi.QUERY_CONTROL,
    "v4l2_control": abi.CONTROL,
    "v4l2_event_subscription": abi.EVENT_SUBSCRIPTION,
    "v4l2_event": abi.EVENT,
}
NUMBERS = {
    "VIDIOC_QUERYCAP": abi.QUERYCAP,
    "VIDIOC_ENUM_FMT": abi.ENUM_FMT,
    "VIDIOC_G_CTRL": abi.G_CTRL,
    "VIDIOC_S_CTRL": abi.S_CTRL,
    "VIDIOC_QUERYCTRL": abi.QUERYCTRL,
    "VIDIOC_ENUM_FRAMESIZES": abi.ENUM_FRAMESIZES,
    "VIDIOC_ENUM_FRAMEINTERVALS": abi.ENUM_FRAMEINTERVALS,
    "VIDIOC_DQEVENT": abi.DQEVENT,
    "VIDIOC_SUBSCRIBE_EVENT": abi.SUBSCRIBE_EVENT,
    "V4L2_CAP_VIDEO_CAPTURE": abi.CAP_VIDEO_CAPTURE,
    "V4L2_CAP_STREAMING": abi.CAP_STREAMING,
    "V4L2_CAP_DEVICE_CAPS": abi.CAP_DEVICE_CAPS,
    "V4L2_BUF_TYPE_VIDEO_CAPTURE": abi.BUF_TYPE_VIDEO_CAPTURE,
    "V4L2_FRMSIZE_TYPE_DISCRETE": abi.FRMSIZE_TYPE_DISCRETE,
    "V4L2_FRMIVAL_TYPE_DISCRETE": abi.FRMIVAL_TYPE_DISCRETE,
    "V4L2_CTRL_FLAG_DISABLED": abi.CTRL_FLAG_DISABLED,
    "V4L2_EVENT_CTRL": abi.EVENT_CTRL,
    "V4L2_EVENT_CTRL_CH_VALUE": abi.EVENT_CTRL_CH_VALUE,
    "V4L2_EXPOSURE_AUTO": abi.EXPOSURE_AUTO,
    "V4L2_EXPOSURE_MANUAL": abi.EXPOSURE_MANUAL,
    "V4L2_EXPOSURE_APERTURE_PRIORITY": abi.EXPOSURE_APERTURE_PRIORITY,
    "V4L2_PIX_FMT_YUYV": abi.fourcc("YUYV"),
    "V4L2_PIX_FMT_UYVY": abi.fourcc("UYVY"),
    "V4L2_PIX_FMT_NV12": abi.fourcc("NV12"),
    "V4L2_PIX_FMT_YUV420": abi.fourcc("YU12"),
    "V4L2_PIX_FMT_MJPEG": abi.fourcc("MJPG"),
    "V4L2_PIX_FMT_H264": abi.fourcc("H264"),
    **{f"V4L2_CID_{control.name}": int(control) for control in ControlId},
}
OFFSETS = {
    "offsetof(struct v4l2_event, u.ctrl.changes)": 8,
    "offsetof(struct v4l2_event, u.ctrl.value)": 16,
    "offsetof(struct v4l2_event, pending)": 72,
    "offsetof(struct v4l2_event, id)": 96,
    "offsetof(struct v4l2_frmivalenum, discrete)": 20,
    "offsetof(struct v4l2_frmsizeenum, stepwise)": 12,
    "offsetof(struct v4l2_queryctrl, flags)": 56,
    "offsetof(struct v4l2_capability, device_caps)": 88,
}
EXPRESSIONS = {
    **{f"sizeof(struct {name})": layout.size for name, layout in STRUCTURES.items()},
    **NUMBERS,
    **OFFSETS,
}


def test_the_numbers_are_those_that_the_kernel_has_had_for_long() -> None:
    # From <linux/videodev2.h> of Linux 6.1, so that a machine without a compiler checks something too.
    assert (abi.QUERYCAP, abi.ENUM_FMT, abi.DQEVENT) == (0x80685600, 0xC0405602, 0x80885659)
    assert (abi.G_CTRL, abi.S_CTRL, abi.QUERYCTRL) == (0xC008561B, 0xC008561C, 0xC0445624)
    assert (abi.ENUM_FRAMESIZES, abi.ENUM_FRAMEINTERVALS) == (0xC02C564A, 0xC034564B)
    assert abi.SUBSCRIBE_EVENT == 0x4020565A


@pytest.mark.skipif(shutil.which("gcc") is None, reason="no gcc here")
def test_sizes_offsets_and_numbers_are_those_of_the_kernel_headers(tmp_path: Path) -> None:
    source, program = tmp_path / "abi.c", tmp_path / "abi"
    lines = "".join(f'printf("%llu\\n", (unsigned long long)({each}));' for each in EXPRESSIONS)
    includes = "#include <stdio.h>\n#include <stddef.h>\n#include <linux/videodev2.h>\n"
    source.write_text(f"{includes}int main(void) {{ {lines} return 0; }}\n")
    subprocess.run(["gcc", "-o", program, source], check=True, timeout=60)
    said = subprocess.run([program], check=True, timeout=10, capture_output=True, text=True).stdout.split()
    assert dict(zip(EXPRESSIONS, map(int, said), strict=True)) == EXPRESSIONS
