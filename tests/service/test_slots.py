"""What the API tells of each piece of hardware."""

from pathlib import Path

import pytest

from conclave_hal import config
from conclave_hal.camera import CameraState, PictureFormat, VideoEncoderState
from conclave_hal.camera_control import CameraCapabilities, CameraControlState, Position, Power
from conclave_hal.codec_control import CodecControlState
from conclave_hal.device import DeviceState, Health
from conclave_hal.display import DisplayState
from conclave_hal.indicator import IndicatorState, Light, Shown
from conclave_hal.switches import SwitchPosition, SwitchState, TamperState, TamperStatus
from conclaved.service.slots import details, slot_statuses

CAMERA = CameraCapabilities(model="EVI-H100S", has_tally=True)


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (DeviceState(Health.READY), {}),
        (SwitchState(Health.READY, "", SwitchPosition.BLOCKING), {"position": "blocking"}),
        (TamperState(Health.READY, "", TamperStatus.INTACT), {"tamper": "intact"}),
        (
            TamperState(Health.READY, "", TamperStatus.TRIPPED, 1_700_000_000),
            {"tamper": "tripped", "tripped_at": 1_700_000_000},
        ),
        (CameraControlState(Health.FAILED, "unplugged", CAMERA), {"model": "EVI-H100S", "tally": "off"}),
        (
            CameraControlState(Health.READY, power=Power.ON, position=Position(12, -4, 0)),
            {"power": "on", "pan": 12, "tilt": -4, "zoom": 0, "is_moving": False},
        ),
        (CameraState(Health.FAILED, "unplugged"), {"is_capturing": False}),
        (
            CameraState(Health.READY, "", PictureFormat(1280, 720, 30), is_capturing=True),
            {"width": 1280, "height": 720, "fps": 30, "is_encoded": False, "is_capturing": True},
        ),
        (VideoEncoderState(), {}),
        (VideoEncoderState(Health.READY, "", "libx264"), {"encoder": "libx264", "is_hardware": False}),
        (IndicatorState(Health.FAILED, "unplugged"), {}),
        (
            IndicatorState(Health.READY, "", Shown(Light.JOINING, is_microphone_muted=True)),
            {"ring": "joining", "is_mute_lamp_lit": True, "is_camera_lamp_lit": False},
        ),
        (DisplayState(Health.FAILED, "no answer", model="QB55"), {"model": "QB55"}),
        (DisplayState(Health.READY, "", Power.ON, "hdmi1"), {"power": "on", "input": "hdmi1"}),
        (CodecControlState(refused_logins=2), {"is_logged_in": False, "refused_logins": 2}),
    ],
)
def test_a_device_says_what_it_knows_and_nothing_that_it_does_not(
    state: DeviceState, said: dict[str, object]
) -> None:
    assert details(state) == said


def test_every_slot_is_told_with_its_driver(tmp_path: Path) -> None:
    file = tmp_path / "hal.toml"
    file.write_text('[privacy_switch]\ndriver = "simulated"\n')
    found = {status.slot: status for status in slot_statuses(config.load(file))}
    assert (found["privacy_switch"].driver, found["privacy_switch"].health) == ("simulated", "starting")
    assert (found["tamper"].driver, found["tamper"].details) == ("none", {})
