"""Errors of the hardware layer.

One hierarchy, four kinds: ours, the device's, a deadline, and gone.
"""


class HalError(Exception):
    """Root of all hardware errors; `hint` says what to do next."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class ConfigurationError(HalError):
    """`hal.toml` is wrong: the message names file, key and allowed values."""


class UsageError(HalError):
    """Our caller broke a rule, for example used a device before `open`."""


class DeviceError(HalError):
    """The device did something that its protocol does not allow, or refused a command."""


class DeviceTimeoutError(HalError):
    """The device did not answer within its deadline."""


class DeviceGoneError(HalError):
    """The device was unplugged or closed."""
