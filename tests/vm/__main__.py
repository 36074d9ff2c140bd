"""`make test-hal-vm`: drivers of real hardware, on devices of Debian's kernel in a small guest.

make test-hal-vm                       all of it
make test-hal-vm ARGS='-k capture'     some of it; any option of pytest
make test-hal-vm ARGS=--build          only make the guest

With KVM it takes seconds. Without, the processor is emulated, and it takes a few minutes.
"""

import argparse
import shutil
import sys
import time

from tests.building.programs import BuildError
from tests.vm.accelerator import PROGRAM, Accelerator, accelerator
from tests.vm.build import GuestError, built
from tests.vm.machine import run

TIMEOUT_S = {Accelerator.KVM: 300.0, Accelerator.EMULATED: 900.0}


def main(arguments: list[str]) -> int:
    """Returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="make test-hal-vm ARGS=...",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="Any other option goes to pytest.",
    )
    parser.add_argument("--build", action="store_true", help="make the guest only")
    options, others = parser.parse_known_args(arguments)
    try:
        if shutil.which(PROGRAM) is None:
            raise GuestError(f"{PROGRAM} is missing", hint="apt-get install qemu-system-x86")
        begun = time.monotonic()
        guest = built()
        made, why = accelerator(guest)
        print(f"guest: {guest.kernel.parent} ({time.monotonic() - begun:.0f} s)", flush=True)
        if options.build:
            return 0
        print("guest: on KVM" if not why else f"guest: emulated, which is slow, because {why}", flush=True)
        begun = time.monotonic()
        code = run(guest, made, ["-q", *others], TIMEOUT_S[made])
    except BuildError as error:
        print(f"conclave: {error}", file=sys.stderr)
        return 1
    print(f"guest: booted, tested and ended in {time.monotonic() - begun:.0f} s", flush=True)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
