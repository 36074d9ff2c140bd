"""From what FFmpeg reads to I420, with real decoders on recorded input instead of a node."""

from fractions import Fraction
from pathlib import Path
from typing import cast

import av
import pytest
from av import VideoFrame
from av.video.stream import VideoStream

from conclave_hal.camera import Picture, PictureFormat
from conclave_hal.media import EncodedFrame
from conclave_hal.v4l2.capture import capture, delivered, i420, is_keyframe
from conclave_hal.v4l2.modes import Chosen

WIDTH, HEIGHT = 72, 48
"""Not a multiple of FFmpeg's alignment of lines."""


def shaded(luma: int, pixels: str = "yuv420p") -> VideoFrame:
    """A frame of one luma and no colour."""
    frame = VideoFrame(WIDTH, HEIGHT, "yuv420p")
    for plane, value in zip(frame.planes, (luma, 128, 128), strict=True):
        plane.update(bytes([value]) * plane.buffer_size)
    return frame.reformat(format=pixels)


def recorded(folder: Path, codec: str, pixels: str, lumas: list[int]) -> Path:
    """A film of such frames."""
    file = folder / "film.nut"
    with av.open(str(file), "w") as container:
        stream = cast("VideoStream", container.add_stream(codec, rate=30))
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, pixels
        if codec == "libx264":
            stream.options = {"tune": "zerolatency"}
        for number, luma in enumerate(lumas):
            frame = shaded(luma, pixels)
            frame.pts, frame.time_base = number, Fraction(1, 30)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return file


@pytest.mark.parametrize(
    ("codec", "pixels", "tolerance"),
    [
        ("rawvideo", "yuyv422", 0),
        ("rawvideo", "nv12", 0),
        ("rawvideo", "yuv420p", 0),
        ("mjpeg", "yuvj422p", 3),
    ],
)
def test_pictures_of_every_form_become_whole_planes_of_limited_range(
    tmp_path: Path, codec: str, pixels: str, tolerance: int
) -> None:
    lumas = [16, 120, 235]
    chosen = Chosen(PictureFormat(WIDTH, HEIGHT, 30), "any")
    with av.open(str(recorded(tmp_path, codec, pixels, lumas))) as container:
        pictures = list(delivered(container, chosen))
    assert len(pictures) == 3
    for each, luma in zip(pictures, lumas, strict=True):
        assert isinstance(each, Picture)
        assert len(each.data) == WIDTH * HEIGHT * 3 // 2
        assert all(abs(value - luma) <= tolerance for value in each.data[: WIDTH * HEIGHT])
        assert all(abs(value - 128) <= tolerance for value in each.data[WIDTH * HEIGHT :])
    stamps = [each.timestamp for each in pictures]
    assert [stamp - stamps[0] for stamp in stamps] == [0, 3000, 6000]


def test_a_cameras_own_h264_is_handed_on_as_it_is(tmp_path: Path) -> None:
    chosen = Chosen(PictureFormat(WIDTH, HEIGHT, 30, is_encoded=True), "h264")
    with av.open(str(recorded(tmp_path, "libx264", "yuv420p", [16, 120, 235]))) as container:
        frames = list(delivered(container, chosen))
    assert all(isinstance(frame, EncodedFrame) for frame in frames)
    assert [isinstance(frame, EncodedFrame) and frame.is_keyframe for frame in frames] == [True, False, False]


def test_an_odd_side_is_cut_off() -> None:
    frame = VideoFrame(71, 47, "yuv420p")
    picture = i420(frame, 0)
    assert (picture.width, picture.height, len(picture.data)) == (70, 46, 70 * 46 * 3 // 2)


@pytest.mark.parametrize(
    ("data", "decodes_alone"),
    [
        (b"\0\0\0\1\x67sps\0\0\1\x68pps\0\0\1\x65idr", True),
        (b"\0\0\1\x41delta", False),
        (b"\0\0\1\x09\xf0\0\0\0\1\x25idr", True),
        (b"", False),
        (b"\0\0\1", False),
        (b"no start code \x65", False),
    ],
)
def test_a_keyframe_is_known_by_its_idr_picture(data: bytes, decodes_alone: bool) -> None:
    assert is_keyframe(data) is decodes_alone


def test_a_node_that_is_not_there_is_an_error_of_the_system(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        next(capture(str(tmp_path / "none"), Chosen(PictureFormat(640, 480, 30), "yuyv422")))
