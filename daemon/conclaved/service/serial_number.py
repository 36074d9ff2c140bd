"""The device's serial number: what stands on the box, or else something that stays the same."""

import hashlib
from pathlib import Path

SOURCES = (
    Path("/proc/device-tree/serial-number"),
    Path("/sys/class/dmi/id/product_serial"),
)
"""Of boards with a device tree, and of PCs (where root alone may read it)."""
MACHINE_ID = Path("/etc/machine-id")
LONGEST = 64
_DERIVED_DIGITS = 12


def serial_number(sources: tuple[Path, ...] = SOURCES, machine_id: Path = MACHINE_ID) -> str:
    """The maker's serial number; where there is none, twelve digits that belong to this installation.

    The machine's id itself is not told: machine-id(5) asks to keep it in the machine.
    """
    for source in sources:
        text = _read(source)
        if text and any(c not in "0-. " for c in text):
            return text
    known = _read(machine_id)
    return hashlib.sha256(f"conclave device {known}".encode()).hexdigest()[:_DERIVED_DIGITS] if known else ""


def _read(path: Path) -> str:
    try:
        text = path.read_bytes()[:LONGEST].decode("ascii", "replace")
    except OSError:
        return ""
    return "".join(c for c in text if c.isascii() and c.isprintable()).strip()
