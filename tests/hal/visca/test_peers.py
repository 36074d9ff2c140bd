"""The simulated camera under controllers that are not ours: it is what stands in for real ones."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import visca_over_ip
from pyvisca import visca as pyvisca
from visca_over_ip.exceptions import ViscaException

from conclave_hal.camera_control import Power
from conclave_hal.simulated.pty_wire import PtyWire
from conclave_hal.simulated.visca_camera import SimulatedViscaCamera
from conclave_hal.simulated.visca_ring import ViscaRing
from conclave_hal.simulated.visca_wires import UdpWire, serve_on_pty
from tests.hal.visca.room import PACE, PATIENCE_S, end

CAMERA_HOST = "127.0.0.2"
"""The controller wants the camera's port for itself too, at every address that nobody else has."""
EASY_S = 2.0
"""What the controller waits for an answer, instead of a tenth of a second: the machine may be busy."""


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("0.0.0.0", 0))  # noqa: S104  # only to see that nobody has it
        return int(probe.getsockname()[1])


@asynccontextmanager
async def network() -> AsyncIterator[tuple[SimulatedViscaCamera, visca_over_ip.Camera]]:
    camera = SimulatedViscaCamera()
    wire = UdpWire(ViscaRing([camera]), PACE)
    port = free_port()
    await wire.listen(CAMERA_HOST, port)
    serving = asyncio.create_task(wire.serve())
    controller = await asyncio.to_thread(visca_over_ip.Camera, CAMERA_HOST, port)
    controller._cmd_sock.settimeout(EASY_S)
    controller._inq_sock.settimeout(EASY_S)
    try:
        yield camera, controller
    finally:
        controller.close_connection()
        await end(serving)
        wire.close()


async def until_it_rests(camera: SimulatedViscaCamera, *, at: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not (at() and camera.body.is_still):  # noqa: ASYNC110  # no packet tells that it rests
            await asyncio.sleep(0.005)


async def test_visca_over_ip_turns_it_and_reads_where_it_looks() -> None:
    async with network() as (camera, controller):
        await asyncio.to_thread(controller.pantilt, 24, 20, -1000, 500)
        await until_it_rests(camera, at=lambda: camera.body.pan.steps == -1000)
        assert await asyncio.to_thread(controller.get_pantilt_position) == (-1000, 500)
        await asyncio.to_thread(controller.pantilt, 24, 20, 10, -10, relative=True)
        await until_it_rests(camera, at=lambda: camera.body.pan.steps == -990)
        assert await asyncio.to_thread(controller.get_pantilt_position) == (-990, 490)


async def test_visca_over_ip_zooms_it() -> None:
    async with network() as (camera, controller):
        await asyncio.to_thread(controller.zoom_to, 0.5)
        await until_it_rests(camera, at=lambda: camera.body.zoom.steps == 0x2000)
        assert await asyncio.to_thread(controller.get_zoom_position) == 0x2000
        await asyncio.to_thread(controller.zoom, 7)
        await until_it_rests(camera, at=lambda: camera.body.zoom.steps == 0x4000)


async def test_visca_over_ip_keeps_and_recalls_a_preset() -> None:
    async with network() as (camera, controller):
        await asyncio.to_thread(controller.pantilt, 24, 20, 700, 0)
        await until_it_rests(camera, at=lambda: camera.body.pan.steps == 700)
        await asyncio.to_thread(controller.save_preset, 4)
        await asyncio.to_thread(controller.pantilt_home)
        await until_it_rests(camera, at=lambda: camera.body.pan.steps == 0)
        await asyncio.to_thread(controller.recall_preset, 4)
        await until_it_rests(camera, at=lambda: camera.body.pan.steps == 700)


async def test_visca_over_ip_reads_and_sets_the_focus() -> None:
    async with network() as (_camera, controller):
        assert await asyncio.to_thread(controller.get_focus_mode) == "auto"
        await asyncio.to_thread(controller.set_focus_mode, "manual")
        assert await asyncio.to_thread(controller.get_focus_mode) == "manual"


async def test_visca_over_ip_is_refused_in_the_protocols_words() -> None:
    async with network() as (_camera, controller):
        with pytest.raises(ViscaException) as refusal:
            await asyncio.to_thread(controller.recall_preset, 99)
        assert refusal.value.status_code == 0x02


async def test_visca_over_ip_sends_it_to_sleep() -> None:
    async with network() as (camera, controller):
        await asyncio.to_thread(controller.set_power, False)
        assert camera.body.power is Power.STANDBY


@asynccontextmanager
async def serial_line(folder: Path) -> AsyncIterator[tuple[SimulatedViscaCamera, pyvisca.PTZ]]:
    camera = SimulatedViscaCamera()
    wire = PtyWire(folder / "tty")
    wire.plug_in()
    serving = asyncio.create_task(serve_on_pty(ViscaRing([camera]), wire, PACE))
    controller = pyvisca.PTZ(output=str(wire.link))
    try:
        yield camera, controller
    finally:
        controller._output.close()
        await end(serving)
        wire.unplug()


async def heard(controller: pyvisca.PTZ, packets: int) -> str:
    """The next so many packets of the camera; the controller itself looks at no answer to a command."""
    text = ""
    async with asyncio.timeout(PATIENCE_S):
        while text.count("ff") < packets:
            text += controller.read()
            await asyncio.sleep(0.005)
    return text


async def test_pyvisca_stores_a_preset_and_turns_home_and_back(tmp_path: Path) -> None:
    async with serial_line(tmp_path) as (camera, controller):
        camera.body.pan.go_to(3000)
        await until_it_rests(camera, at=lambda: camera.body.pan.steps == 3000)
        controller.preset_set(3)
        assert await heard(controller, 2) == "9041ff9051ff"
        controller.home()
        assert await heard(controller, 2) == "9041ff9051ff"
        assert camera.body.pan.steps == 0
        controller.preset_recall(3)
        assert await heard(controller, 2) == "9041ff9051ff"
        assert camera.body.pan.steps == 3000


async def test_pyvisca_sets_a_position_and_reads_it(tmp_path: Path) -> None:
    async with serial_line(tmp_path) as (camera, controller):
        await asyncio.to_thread(controller.set_pan, 1000, 20)
        await until_it_rests(camera, at=lambda: camera.body.pan.steps == 1000)
        controller.set_zoom(0x1234)
        await until_it_rests(camera, at=lambda: camera.body.zoom.steps == 0x1234)
        assert await asyncio.to_thread(controller.get_pan) == 1000
        assert await asyncio.to_thread(controller.get_tilt) == 0
        assert await asyncio.to_thread(controller.get_zoom) == 0x1234


async def test_pyvisca_drives_it_to_its_upper_end_and_stops_it(tmp_path: Path) -> None:
    async with serial_line(tmp_path) as (camera, controller):
        controller.up(20)
        await until_it_rests(camera, at=lambda: camera.body.tilt.steps == camera.body.tilt.most)
        controller.down(1)
        assert await heard(controller, 4) == "9041ff9051ff" * 2
        controller.stop()
        await until_it_rests(camera, at=lambda: camera.body.tilt.steps < camera.body.tilt.most)


async def test_pyvisca_sees_it_go_to_sleep(tmp_path: Path) -> None:
    async with serial_line(tmp_path) as (_camera, controller):
        assert await asyncio.to_thread(controller.get_power) == 1
        controller.power(0)
        assert await heard(controller, 2) == "9041ff9051ff"
        assert await asyncio.to_thread(controller.get_power) == 0
