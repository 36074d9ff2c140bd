"""The guest has the devices that the other tests here mean to use, and they work without our drivers."""

import os
import struct
from pathlib import Path

import pytest
from PIL import Image

from tests.hal.eventually import eventually
from tests.vm.guest import uinput
from tests.vm.guest.host import screen
from tests.vm.guest.programs import output_of

FRAME_BUFFER = Path("/sys/class/graphics/fb0")


@pytest.mark.parametrize(
    "path",
    [
        *("/dev/video0", "/dev/cec0", "/dev/cec1", "/dev/dri/card0", "/dev/fb0", "/dev/uinput"),
        *("/dev/snd/pcmC0D0c", "/dev/snd/pcmC0D1p"),
    ],
)
def test_a_device_is_there(path: str) -> None:
    assert Path(path).is_char_device()


def test_the_camera_of_the_kernel_delivers_pictures_that_move(tmp_path: Path) -> None:
    pictures = tmp_path / "pictures"
    shape = "--set-fmt-video=width=640,height=360,pixelformat=YUYV"
    words = ("--stream-mmap", "--stream-count=2", f"--stream-to={pictures}")
    output_of("v4l2-ctl", "-d", "/dev/video0", shape, *words)
    both = pictures.read_bytes()
    first, second = both[: len(both) // 2], both[len(both) // 2 :]
    assert len(first) == 640 * 360 * 2
    assert first != second


def test_an_input_device_made_here_is_read_from_its_node() -> None:
    with uinput.made("a key", {uinput.EV_KEY: [30]}) as device:
        reader = os.open(device.node, os.O_RDONLY)
        try:
            device.send((uinput.EV_KEY, 30, 1))
            kind, code, value = struct.unpack("llHHi", os.read(reader, 24))[2:]
        finally:
            os.close(reader)
    assert (kind, code, value) == (uinput.EV_KEY, 30, 1)


async def test_the_host_sees_what_stands_in_the_guests_frame_buffer() -> None:
    width, height = map(int, (FRAME_BUFFER / "virtual_size").read_text().split(","))
    stride = int((FRAME_BUFFER / "stride").read_text())
    blue_green_red = bytes((10, 200, 90, 0))
    with open("/dev/fb0", "r+b") as frame_buffer:  # noqa: ASYNC230, PTH123 - a device: it does not block
        frame_buffer.write((blue_green_red * width).ljust(stride, b"\0") * height)

    def seen() -> object:
        with Image.open(screen()) as picture:
            return picture.size, picture.getpixel((width // 2, height // 2))

    # The kernel carries it on to the screen a moment later.
    await eventually(lambda: seen() == ((width, height), (90, 200, 10)))
