"""`conclavectl hardware` and `mute`: what is fitted, how it is, and what flows through it.

`group` is the group, every other file some of its commands.
"""

from conclave_provisioning.cli.hardware.group import hardware
from conclave_provisioning.cli.hardware.muting import mute

__all__ = ["hardware", "mute"]
