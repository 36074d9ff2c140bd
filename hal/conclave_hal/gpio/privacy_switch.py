"""The driver `gpio` of the shutter: a contact that is active while the lens is covered."""

from conclave_hal.drivers import Driver
from conclave_hal.gpio.contact import ContactOptions, GpioSwitch
from conclave_hal.switches import PrivacySwitch


class GpioPrivacySwitch(GpioSwitch, PrivacySwitch):
    """A shutter with a contact."""


DRIVER = Driver(ContactOptions, lambda options, made: GpioPrivacySwitch(options))
