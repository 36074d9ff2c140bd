"""Which of a node's formats is best for a meeting."""

from dataclasses import dataclass

from conclave_hal.camera import PictureFormat
from conclave_hal.v4l2.abi import fourcc
from conclave_hal.v4l2.node import Mode


@dataclass(frozen=True, slots=True)
class Encoding:
    """How a node's pictures are made, and what FFmpeg calls that."""

    name: str
    """As in the option `pixels`."""
    input_format: str
    """As FFmpeg's option of the same name."""
    is_encoded: bool = False


ENCODINGS: dict[int, Encoding] = {
    fourcc("YU12"): Encoding("raw", "yuv420p"),
    fourcc("NV12"): Encoding("raw", "nv12"),
    fourcc("YUYV"): Encoding("raw", "yuyv422"),
    fourcc("UYVY"): Encoding("raw", "uyvy422"),
    fourcc("MJPG"): Encoding("mjpeg", "mjpeg"),
    fourcc("H264"): Encoding("h264", "h264", is_encoded=True),
}
"""In the order of preference. A camera's own H.264 comes last: it obeys neither bit rate nor, often, the
request for a keyframe."""
_ORDER = list(ENCODINGS)


@dataclass(frozen=True, slots=True)
class Chosen:
    """A mode that is used."""

    format: PictureFormat
    input_format: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a room wants of its camera."""

    width: int
    height: int
    fps: int
    pixels: str
    """`raw`, `mjpeg`, `h264`, or `auto` for any."""


def usable(modes: tuple[Mode, ...], wanted: Wanted) -> list[Chosen]:
    """The modes that we can use, best first.

    Closest to the wanted size, rather smaller than larger; then what reaches the wanted rate; then by
    encoding. A rate that the driver does not tell is taken to be the wanted one.
    """
    fitting = [
        mode
        for mode in modes
        if mode.fourcc in ENCODINGS
        and wanted.pixels in ("auto", ENCODINGS[mode.fourcc].name)
        and _is_even(mode.width)
        and _is_even(mode.height)
    ]

    def rank(mode: Mode) -> tuple[int, int, bool, int, float]:
        excess = mode.width * mode.height - wanted.width * wanted.height
        fps = mode.fps or wanted.fps
        return (
            excess > 0,
            abs(excess),
            fps < wanted.fps - 0.5,
            _ORDER.index(mode.fourcc),
            abs(fps - wanted.fps),
        )

    chosen = (_chosen(mode, wanted) for mode in sorted(fitting, key=rank))
    return list(dict.fromkeys(chosen))


def _chosen(mode: Mode, wanted: Wanted) -> Chosen:
    encoding = ENCODINGS[mode.fourcc]
    fps = max(1, round(mode.fps)) if mode.fps else wanted.fps
    return Chosen(
        PictureFormat(mode.width, mode.height, fps, encoding.is_encoded),
        encoding.input_format,
    )


def _is_even(side: int) -> bool:
    return side > 0 and side % 2 == 0
