"""Which of a camera's formats a meeting uses."""

import pytest

from conclave_hal.camera import PictureFormat
from conclave_hal.v4l2.abi import fourcc
from conclave_hal.v4l2.modes import Chosen, Wanted, usable
from conclave_hal.v4l2.node import Mode

HD = Wanted(1280, 720, 30, "auto")


def mode(code: str, width: int, height: int, fps: float) -> Mode:
    return Mode(fourcc(code), width, height, fps)


USB2 = (
    mode("YUYV", 640, 480, 30),
    mode("YUYV", 1280, 720, 10),
    mode("MJPG", 1280, 720, 30),
    mode("H264", 1280, 720, 30),
    mode("MJPG", 1920, 1080, 30),
)


@pytest.mark.parametrize(
    ("modes", "wanted", "best"),
    [
        # A raw picture at ten frames a second is no meeting: compressed at the wanted rate.
        (USB2, HD, Chosen(PictureFormat(1280, 720, 30), "mjpeg")),
        (USB2, Wanted(1280, 720, 10, "auto"), Chosen(PictureFormat(1280, 720, 10), "yuyv422")),
        (USB2, Wanted(1280, 720, 30, "raw"), Chosen(PictureFormat(1280, 720, 10), "yuyv422")),
        (USB2, Wanted(1280, 720, 30, "h264"), Chosen(PictureFormat(1280, 720, 30, True), "h264")),
        # Rather smaller than larger: a larger one costs what nobody asked for.
        ((USB2[0], USB2[4]), HD, Chosen(PictureFormat(640, 480, 30), "yuyv422")),
        ((USB2[4],), HD, Chosen(PictureFormat(1920, 1080, 30), "mjpeg")),
        ((mode("NV12", 1280, 720, 0),), HD, Chosen(PictureFormat(1280, 720, 30), "nv12")),
        (
            (mode("YUYV", 1281, 721, 30), mode("YUYV", 1280, 720, 29.97)),
            HD,
            Chosen(PictureFormat(1280, 720, 30), "yuyv422"),
        ),
    ],
)
def test_the_best_mode_is_the_closest_in_size_then_in_rate(
    modes: tuple[Mode, ...], wanted: Wanted, best: Chosen
) -> None:
    assert usable(modes, wanted)[0] == best


def test_formats_that_we_cannot_read_are_left_out() -> None:
    assert usable((mode("RGGB", 1280, 720, 30), mode("YUYV", 0, 0, 30)), HD) == []
