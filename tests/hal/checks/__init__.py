"""What a driver promises, as checks that can be run on it: `tests.hal.conformance` runs them.

`check` says what a check is, `bench` what one has to work with, `traces` looks for what a driver leaves
behind, `pulse` whether it lets the event loop go on. The other files hold the checks: `lifecycle` and
`plugging` for every slot, the others by interface. A check's claim is a sentence about the driver; where it
does not hold, the check's `mend` says what to do.
"""

from tests.hal.checks import (
    camera_control,
    capture,
    encoding,
    lifecycle,
    outside,
    panel,
    playing,
    plugging,
    switches,
)
from tests.hal.checks.check import Check

CHECKS: tuple[Check, ...] = (
    *lifecycle.CHECKS.all,
    *plugging.CHECKS.all,
    *switches.CHECKS.all,
    *camera_control.CHECKS.all,
    *capture.CHECKS.all,
    *encoding.CHECKS.all,
    *playing.CHECKS.all,
    *panel.CHECKS.all,
    *outside.CHECKS.all,
)
"""All of them, in the order in which they are run."""
