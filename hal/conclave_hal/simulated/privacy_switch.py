"""The simulated shutter: while it is closed the simulated camera sees black."""

from conclave_hal.drivers import Driver
from conclave_hal.options import NoOptions
from conclave_hal.simulated.switch import SimulatedSwitch
from conclave_hal.switches import PrivacySwitch


class SimulatedPrivacySwitch(SimulatedSwitch, PrivacySwitch):
    """A shutter that is moved on the panel's page."""


DRIVER = Driver(NoOptions, lambda options, made: SimulatedPrivacySwitch())
