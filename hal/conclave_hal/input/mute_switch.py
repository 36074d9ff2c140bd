"""The driver `input` of the mute switch: a device with SW_MUTE_DEVICE."""

from conclave_hal.drivers import Driver
from conclave_hal.input.events import SW_MUTE_DEVICE
from conclave_hal.input.switch import InputSwitch, InputSwitchOptions
from conclave_hal.switches import MuteSwitch


class InputMuteSwitch(InputSwitch, MuteSwitch):
    """A switch in the microphone's line; set is mute."""

    code = SW_MUTE_DEVICE
    meaning = "mute switch"


DRIVER = Driver(InputSwitchOptions, lambda options, made: InputMuteSwitch(options))
