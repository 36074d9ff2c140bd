"""The simulated mute switch: while it is off the simulated microphone hears nothing."""

from conclave_hal.drivers import Driver
from conclave_hal.options import NoOptions
from conclave_hal.simulated.switch import SimulatedSwitch
from conclave_hal.switches import MuteSwitch


class SimulatedMuteSwitch(SimulatedSwitch, MuteSwitch):
    """A switch in the microphone's line that is moved on the panel's page."""


DRIVER = Driver(NoOptions, lambda options, made: SimulatedMuteSwitch())
