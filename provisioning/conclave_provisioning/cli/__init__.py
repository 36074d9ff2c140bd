"""`conclavectl`: the admin's command line, over SSH or at the device.

It knows the room only by its D-Bus API. `command` is the root and the edge where errors become one line
and an exit code, `client` hides the D-Bus library, `model` is what the room says and what `--json` prints;
the rest are the commands.
"""

from conclave_provisioning.cli.command import main

__all__ = ["main"]
