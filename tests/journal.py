"""Journal files of the tests' own, made by systemd's own program out of entries in its export format."""

import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path

REMOTE = Path("/lib/systemd/systemd-journal-remote")
BOOT = "0123456789abcdef0123456789abcdef"
BEGAN = 1_700_000_000
"""When the first entry was written, Unix seconds; each later one a second after."""


def make_journal(folder: Path, entries: Iterable[Mapping[str, str]]) -> None:
    """Write `entries` (fields by name) as a journal into `folder`. A test's line breaks are kept."""
    if not REMOTE.exists():
        raise RuntimeError(f"{REMOTE} is not installed: apt-get install systemd-journal-remote")
    folder.mkdir(parents=True, exist_ok=True)
    export = b""
    for number, entry in enumerate(entries):
        fields = {
            "__REALTIME_TIMESTAMP": str((BEGAN + number) * 1_000_000),
            "__MONOTONIC_TIMESTAMP": str(number + 1),
            "_BOOT_ID": BOOT,
            "_MACHINE_ID": BOOT,
            "PRIORITY": "6",
            **entry,
        }
        for name, value in fields.items():
            content = value.encode("utf-8", "surrogateescape")
            if b"\n" in content:
                export += name.encode() + b"\n" + len(content).to_bytes(8, "little") + content + b"\n"
            else:
                export += name.encode() + b"=" + content + b"\n"
        export += b"\n"
    path = folder / f"remote-{len(list(folder.iterdir()))}.journal"
    subprocess.run([str(REMOTE), "-o", str(path), "-"], input=export, check=True, capture_output=True)


def line(message: str, unit: str = "conclaved.service", **more: str) -> dict[str, str]:
    """An entry."""
    return {"MESSAGE": message, "_SYSTEMD_UNIT": unit, **more}
