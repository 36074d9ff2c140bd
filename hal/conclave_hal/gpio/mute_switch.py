"""The driver `gpio` of the mute switch: a contact that is active while the microphone's line is cut."""

from conclave_hal.drivers import Driver
from conclave_hal.gpio.contact import ContactOptions, GpioSwitch
from conclave_hal.switches import MuteSwitch


class GpioMuteSwitch(GpioSwitch, MuteSwitch):
    """A mute switch with a contact."""


DRIVER = Driver(ContactOptions, lambda options, made: GpioMuteSwitch(options))
