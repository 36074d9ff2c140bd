"""hal.toml: what it accepts, and the one line it answers with when it does not."""

import asyncio
from dataclasses import dataclass
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path

import pytest

from conclave_hal.config import load
from conclave_hal.device import Health
from conclave_hal.drivers import Driver, Slot, driver_names, find_driver
from conclave_hal.errors import ConfigurationError, HalError
from conclave_hal.media import Codec, EncodedFrame
from conclave_hal.none import NoCamera, NoPanel
from conclave_hal.options import NoOptions
from conclave_hal.panel import PanelView
from conclave_hal.simulated.camera import SimulatedCamera
from conclave_hal.simulated.panel import SimulatedPanel
from conclave_hal.switches import SwitchPosition

ALL_SIMULATED = "".join(f'[{slot.value}]\ndriver = "simulated"\n' for slot in Slot)


def write(folder: Path, text: str) -> Path:
    file = folder / "hal.toml"
    file.write_text(text)
    return file


WRONG = [
    ("[camera\n", "is not TOML"),
    ('[kamera]\ndriver = "none"\n', "[kamera]: unknown table; tables: buttons, camera, camera_control"),
    ("camera = 3\n", "camera: must be a table, [camera]"),
    ("[camera]\nfps = 3\n", "[camera] driver: is required; drivers: none, "),
    ("[camera]\ndriver = 3\n", "[camera] driver: must be the name of a driver, not 3; drivers: none, "),
    ('[camera]\ndriver = "v4l3"\n', "[camera] driver: unknown driver 'v4l3'; drivers: none, "),
    ('[camera]\ndriver = "none"\nfps = 3\n', "[camera] fps: unknown option; options of driver 'none': none"),
    (
        '[camera]\ndriver = "simulated"\nframes = 3\n',
        "[camera] frames: unknown option; options of driver 'simulated': fps, height, name, width",
    ),
    (
        '[camera]\ndriver = "simulated"\nfps = 0\n',
        "[camera] fps: must be a whole number from 1 to 60, not 0",
    ),
    ('[camera]\ndriver = "simulated"\nfps = true\n', "fps: must be a whole number from 1 to 60, not True"),
    ('[camera]\ndriver = "simulated"\nwidth = 641\n', "from 320 to 1920, a multiple of 16, not 641"),
    ('[camera]\ndriver = "simulated"\nname = ""\n', "name: must be printable text of 1 to 40 bytes, not ''"),
    (
        '[camera]\ndriver = "simulated"\nwidth = 320\nheight = 176\nname = "a.very.long.name.example"\n',
        "[camera] name: is too long for a picture of 320 x 176",
    ),
    ('[panel]\ndriver = "simulated"\nlisten = "0.0.0.0:80"\n', "listen: must be a loopback address with a"),
    ('[panel]\ndriver = "simulated"\nlisten = "127.0.0.1:65536"\n', "listen: must be a loopback address"),
    ('[panel]\ndriver = "simulated"\nlisten = "localhost:0"\n', "listen: must be a loopback address"),
    ('[panel]\ndriver = "simulated"\nurl_file = "no/such/folder"\n', "url_file: must be the path of a file"),
]


@pytest.mark.parametrize(("text", "said"), WRONG)
def test_a_wrong_file_is_answered_in_one_line_that_names_file_and_key(
    tmp_path: Path, text: str, said: str
) -> None:
    file = write(tmp_path, text)
    with pytest.raises(ConfigurationError) as refused:
        load(file)
    message = str(refused.value)
    assert message.startswith(f"{file}: ")
    assert said in message
    assert "\n" not in message.removeprefix(str(file))


def test_a_file_that_is_not_there_is_a_configuration_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read: No such file"):
        load(tmp_path / "hal.toml")


def test_a_slot_left_out_is_not_fitted(tmp_path: Path) -> None:
    room = load(write(tmp_path, '[panel]\ndriver = "simulated"\n'))
    assert isinstance(room.camera, NoCamera)
    assert isinstance(room.panel, SimulatedPanel)


@pytest.mark.parametrize("slot", Slot, ids=lambda slot: slot.value)
def test_every_slot_has_the_drivers_none_and_simulated_and_each_can_be_imported(slot: Slot) -> None:
    assert {"none", "simulated"} <= set(driver_names(slot))
    for name in driver_names(slot):
        assert find_driver(slot, name).options.__doc__


async def test_a_room_opens_runs_and_closes_as_one(tmp_path: Path) -> None:
    room = load(write(tmp_path, ALL_SIMULATED))
    await room.open()
    running = asyncio.create_task(room.run())
    async with asyncio.timeout(20):
        for device in room.devices:
            async for state in device.watch():
                if state.health is Health.READY:
                    break
    await room.close()
    await room.close()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_one_device_that_cannot_open_closes_the_others_and_says_why(tmp_path: Path) -> None:
    async with asyncio.timeout(20):
        taken = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0)
        port = taken.sockets[0].getsockname()[1]
        text = ALL_SIMULATED.replace("[panel]\n", f'[panel]\nlisten = "127.0.0.1:{port}"\n')
        room = load(write(tmp_path, text))
        with pytest.raises(ConfigurationError, match=f"cannot listen on 127.0.0.1 port {port}"):
            await room.open()
        with pytest.raises(HalError):
            await room.speaker.play("1/0", EncodedFrame(Codec.OPUS, b"\0", 0))
        taken.close()
        await taken.wait_closed()


async def test_absent_hardware_says_so_and_counts_as_unsafe(tmp_path: Path) -> None:
    room = load(write(tmp_path, ""))
    await room.open()
    fitted = [device for device in room.devices if device.state().reason != "not fitted"]
    assert fitted == [room.video_encoder], "it is software if nothing else"
    assert room.video.state().reason == room.audio.state().reason == "not fitted"
    assert room.privacy_switch.state().position is SwitchPosition.UNKNOWN
    await room.panel.show(PanelView(serial=1, room="north.rooms.example"))
    assert room.panel.drawn() is None
    assert await room.screen.play("1/1", EncodedFrame(Codec.H264, b"", 0))
    assert room.screen.reports() == {}
    await room.close()
    assert [frame async for frame in room.video.frames()] == []
    assert [action async for action in room.panel.actions()] == []


@dataclass(frozen=True, slots=True)
class NoRules:
    """Options whose driver does not say what they may be."""

    pin: int = 4


FROM_OUTSIDE = Driver(NoOptions, lambda options, made: NoCamera())
UNDECLARED = Driver(NoRules, lambda options, made: NoCamera())
OF_ANOTHER_KIND = Driver(NoOptions, lambda options, made: NoPanel())


@pytest.fixture
def outside(monkeypatch: pytest.MonkeyPatch) -> None:
    values = {
        "camera.good": f"{__name__}:FROM_OUTSIDE",
        "camera.wrong": f"{__name__}:OF_ANOTHER_KIND",
        "camera.text": f"{__name__}:ALL_SIMULATED",
        "camera.missing": "no_such_package:DRIVER",
        "camera.broken": "tests.hal.broken_package:DRIVER",
        "camera.undeclared": f"{__name__}:UNDECLARED",
        "camera.simulated": f"{__name__}:FROM_OUTSIDE",
        "camra.typo": f"{__name__}:FROM_OUTSIDE",
        "noslot": f"{__name__}:FROM_OUTSIDE",
    }
    points = EntryPoints(EntryPoint(name, value, "conclave.hal") for name, value in values.items())
    monkeypatch.setattr("conclave_hal.drivers.outside", lambda: points)


@pytest.mark.usefixtures("outside")
@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("wrong", "NoPanel is not a Camera"),
        ("text", "is not a Driver but str"),
        ("missing", "cannot be imported: No module named 'no_such_package'"),
        ("broken", "cannot be imported: ZeroDivisionError: division by zero"),
        ("undeclared", "cannot be imported: AttributeError: "),
        ("typo", "'camra.typo', which would have to be 'camera.typo'"),
        ("noslot", "'noslot', which would have to be 'camera.noslot'"),
        ("simulated", "driver 'simulated' is there more than once: built in, and in "),
    ],
)
def test_a_wrong_driver_of_another_package_is_named(tmp_path: Path, name: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        load(write(tmp_path, f'[camera]\ndriver = "{name}"\n'))


@pytest.mark.usefixtures("outside")
@pytest.mark.parametrize("name", ["broken", "undeclared", "simulated"])
def test_what_is_wrong_with_it_is_one_line_that_begins_with_file_and_slot(tmp_path: Path, name: str) -> None:
    file = write(tmp_path, f'[camera]\ndriver = "{name}"\n')
    with pytest.raises(ConfigurationError) as refused:
        load(file)
    assert str(refused.value).startswith(f"{file}: [camera] driver ")
    assert "\n" not in str(refused.value)


@pytest.mark.usefixtures("outside")
def test_a_driver_that_nobody_chose_stops_nothing(tmp_path: Path) -> None:
    load(write(tmp_path, ""))


@pytest.mark.usefixtures("outside")
def test_another_package_can_bring_a_driver(tmp_path: Path) -> None:
    room = load(write(tmp_path, '[camera]\ndriver = "good"\n'))
    assert isinstance(room.camera, NoCamera)
    assert not isinstance(room.camera, SimulatedCamera)
