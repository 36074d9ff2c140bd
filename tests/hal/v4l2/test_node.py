"""What an open node tells, through a double of its ioctls."""

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from conclave_hal.errors import DeviceError, DeviceGoneError
from conclave_hal.v4l2 import abi
from conclave_hal.v4l2.abi import ControlId, ControlInfo, fourcc
from conclave_hal.v4l2.node import Capability, Mode, Node
from tests.hal.v4l2.fake_camera import FakeCamera, FakeControl


@pytest.fixture
def camera(tmp_path: Path) -> Iterator[FakeCamera]:
    made = FakeCamera(tmp_path / "camera")
    yield made
    made.close()


@pytest.fixture
def node(camera: FakeCamera) -> Iterator[Node]:
    with camera.open_node(str(camera.path)) as opened:
        yield opened


def test_a_node_says_what_it_is_and_its_name_is_made_safe(node: Node) -> None:
    assert node.capability() == Capability("fake", "Room Camera", can_capture=True)


def test_a_node_for_metadata_cannot_capture(camera: FakeCamera, node: Node) -> None:
    camera.capabilities = abi.CAP_STREAMING
    assert not node.capability().can_capture


def test_every_format_size_and_rate_is_listed(camera: FakeCamera, node: Node) -> None:
    camera.sizes = {"YUYV": [(640, 480), (320, 240)], "MJPG": [(1280, 720)]}
    camera.intervals = [(1, 30), (2, 15)]
    assert node.modes() == tuple(
        Mode(fourcc(code), width, height, fps)
        for code, width, height in (("YUYV", 640, 480), ("YUYV", 320, 240), ("MJPG", 1280, 720))
        for fps in (30.0, 7.5)
    )


def test_a_range_of_sizes_gives_the_usual_ones_in_it_and_the_largest(camera: FakeCamera, node: Node) -> None:
    camera.range = (32, 1300, 4, 32, 800, 4)
    sizes = [(mode.width, mode.height) for mode in node.modes()]
    assert sizes == [(1280, 720), (960, 540), (848, 480), (640, 480), (640, 360), (320, 240), (1300, 800)]


def test_a_driver_that_tells_no_rate_has_modes_all_the_same(camera: FakeCamera, node: Node) -> None:
    camera.intervals = []
    assert node.modes() == (Mode(fourcc("YUYV"), 640, 480, 0.0),)


@pytest.mark.parametrize("interval", [(0, 30), (1, 0)])
def test_a_rate_that_cannot_be_is_not_believed(
    camera: FakeCamera, node: Node, interval: tuple[int, int]
) -> None:
    camera.intervals = [interval, (1, 25)]
    assert [mode.fps for mode in node.modes()] == [25.0]


def test_a_list_without_end_is_cut_off(camera: FakeCamera, node: Node) -> None:
    camera.sizes = {"YUYV": [(640, 480)] * 1000}
    assert len(node.modes()) == 256


def test_controls_are_told_read_and_set(camera: FakeCamera, node: Node) -> None:
    camera.controls[ControlId.PAN_ABSOLUTE] = FakeControl(-3600, 7200, -36, default=5)
    assert node.control(ControlId.PAN_ABSOLUTE) == ControlInfo(ControlId.PAN_ABSOLUTE, -3600, 7200, 5)
    assert node.get(ControlId.PAN_ABSOLUTE) == -36
    node.set(ControlId.PAN_ABSOLUTE, -720)
    assert node.get(ControlId.PAN_ABSOLUTE) == -720


def test_a_control_that_is_not_there_or_disabled_is_none(camera: FakeCamera, node: Node) -> None:
    camera.controls[ControlId.PRIVACY] = FakeControl(0, 1, flags=abi.CTRL_FLAG_DISABLED)
    assert node.control(ControlId.PRIVACY) is None
    assert node.control(ControlId.ZOOM_ABSOLUTE) is None


def test_what_a_camera_refuses_says_which_control_and_which_value(camera: FakeCamera, node: Node) -> None:
    with pytest.raises(DeviceError, match="camera does not take 3 for ZOOM_ABSOLUTE: Invalid argument"):
        node.set(ControlId.ZOOM_ABSOLUTE, 3)


def test_a_camera_that_is_unplugged_is_gone(camera: FakeCamera, node: Node) -> None:
    camera.unplug()
    with pytest.raises(DeviceGoneError, match="camera: No such device"):
        node.capability()


def test_an_interrupted_call_is_made_again(tmp_path: Path) -> None:
    interrupts = 2

    def ioctl(descriptor: int, request: int, buffer: bytearray) -> int:
        nonlocal interrupts
        interrupts -= 1
        if interrupts >= 0:
            raise InterruptedError(errno.EINTR, os.strerror(errno.EINTR))
        buffer[:] = abi.CONTROL.pack(ControlId.PRIVACY, 1)
        return 0

    (tmp_path / "node").touch()
    with Node(str(tmp_path / "node"), ioctl=ioctl) as node:
        assert node.get(ControlId.PRIVACY) == 1


def test_a_node_that_is_not_there_says_where_to_look(tmp_path: Path) -> None:
    with pytest.raises(DeviceGoneError, match="No such file") as refused:
        Node(str(tmp_path / "none"))
    assert "/dev/v4l/by-path" in refused.value.hint


def test_a_file_that_is_no_device_is_refused_by_the_real_kernel(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with Node(str(tmp_path / "file")) as node, pytest.raises(DeviceError, match="is not a video device"):
        node.capability()
