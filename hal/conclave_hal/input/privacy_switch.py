"""The driver `input` of the shutter: a device with SW_CAMERA_LENS_COVER."""

from conclave_hal.drivers import Driver
from conclave_hal.input.events import SW_CAMERA_LENS_COVER
from conclave_hal.input.switch import InputSwitch, InputSwitchOptions
from conclave_hal.switches import PrivacySwitch


class InputPrivacySwitch(InputSwitch, PrivacySwitch):
    """A lens cover; set is closed."""

    code = SW_CAMERA_LENS_COVER
    meaning = "lens cover"


DRIVER = Driver(InputSwitchOptions, lambda options, made: InputPrivacySwitch(options))
