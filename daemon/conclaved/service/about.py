"""Which software the device runs: for a support case, and for whoever compares two rooms."""

import platform
import ssl
from importlib import metadata
from pathlib import Path

OS_RELEASE = Path("/etc/os-release")
PACKAGES = ("acme", "av", "cryptography", "dbus-next", "pylibsrtp", "websockets")


def versions(os_release: Path = OS_RELEASE) -> dict[str, str]:
    """Name and version of each part. Nothing in it is secret."""
    found = {
        "conclave": metadata.version("conclave"),
        "python": platform.python_version(),
        "openssl": ssl.OPENSSL_VERSION,
        "kernel": f"{platform.system()} {platform.release()} {platform.machine()}",
        "system": _system(os_release),
    }
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = ""
    return found


def _system(os_release: Path) -> str:
    try:
        text = os_release.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    for line in text.splitlines():
        name, _, value = line.partition("=")
        if name == "PRETTY_NAME":
            return value.strip().strip('"')
    return ""
