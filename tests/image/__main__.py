"""`make test-image` and `make soak-image`: build the device's image, boot it, and attack it.

make test-image                        all of it
make test-image ARGS='-k meeting'      some of it; any option of pytest
make test-update                       a new firmware: installed, tried, given up, refused, cut off
make soak-image                        twenty power cuts, at moments drawn from a seed

The first build takes some ten minutes, later ones only what has changed. What tells why a test failed is kept
in build/image/.
"""

import argparse
import os
import shutil
import sys
import time

from tests.image import namespace

TOOLS = {
    "qemu-system-aarch64": "qemu-system-arm",
    "swtpm": "swtpm",
    "setpriv": "util-linux",
    "unshare": "util-linux",
    "ip": "iproute2",
    "ssh": "openssh-client",
    "pebble": "pebble",
    "tesseract": "tesseract-ocr",
}
"""What runs here, and the Debian package that has it."""
SOAK_CUTS = 20
UPDATE = "tests/image/test_update.py"
"""Takes as long as half of the rest, and has a target of its own."""


def main(arguments: list[str]) -> int:
    """Returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="make test-image ARGS=...",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="Any other option goes to pytest.",
    )
    parser.add_argument("--update", action="store_true", help="only what updates the firmware")
    parser.add_argument("--soak", action="store_true", help=f"cut the power {SOAK_CUTS} times, and only that")
    parser.add_argument("--cuts", type=int, default=None, help="how often the power is cut")
    parser.add_argument("--seed", type=int, default=None, help="draws the moments of the cuts")
    options, others = parser.parse_known_args(arguments)
    missing = sorted({package for tool, package in TOOLS.items() if shutil.which(tool) is None})
    if missing:
        print(f"conclave: missing: apt-get install {' '.join(missing)}", file=sys.stderr)
        return 1
    if not namespace.is_entered():
        return _build_and_enter(arguments)
    import pytest

    cuts = options.cuts or (SOAK_CUTS if options.soak else None)
    for name, value in (("CONCLAVE_POWER_CUTS", cuts), ("CONCLAVE_SEED", options.seed)):
        if value is not None:
            os.environ[name] = str(value)
    if options.soak:
        chosen = ["tests/image/test_power_cut.py"]
    elif options.update:
        chosen = [UPDATE]
    else:
        chosen = ["tests/image", f"--ignore={UPDATE}"]
    begun = time.monotonic()
    code = pytest.main(["-q", "-m", "image", *chosen, *others])
    print(f"image: tested in {time.monotonic() - begun:.0f} s", flush=True)
    return int(code)


def _build_and_enter(arguments: list[str]) -> int:
    """Build where the network is, and go on where it is not."""
    from tests.image.build.image import image

    begun = time.monotonic()
    built = image()
    print(f"image: {built.disk} ({time.monotonic() - begun:.0f} s)", flush=True)
    namespace.enter([sys.executable, "-m", "tests.image", *arguments])
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
