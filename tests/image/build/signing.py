"""Development keys, made once in the user's cache: whose FITs U-Boot boots, and who is admin of a test image.

A device maker's own key lies in a token, and never in a cache.
"""

from pathlib import Path

from tests.building.cache import made
from tests.building.programs import run

BOOT_KEY = "boot"
"""What image.its calls it; `boot.key` and `boot.crt` are what mkimage looks for."""
ADMIN_KEY = "admin"


def development_keys(cache: Path) -> Path:
    """The folder with `boot.key`, `boot.crt`, and `admin` with `admin.pub`. Raises BuildError."""
    return made(cache / "keys-development", _make, keep=1)


def _make(folder: Path) -> None:
    key, certificate = folder / f"{BOOT_KEY}.key", folder / f"{BOOT_KEY}.crt"
    run(["openssl", "genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", key])
    subject = "/CN=Conclave development"
    run(
        [
            "openssl",
            "req",
            "-new",
            "-x509",
            "-key",
            key,
            "-subj",
            subject,
            "-days",
            "3650",
            "-out",
            certificate,
        ]
    )
    run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "developer", "-f", folder / ADMIN_KEY])
    for private in (key, folder / ADMIN_KEY):
        private.chmod(0o600)
