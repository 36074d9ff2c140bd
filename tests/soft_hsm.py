"""Real PKCS#11 tokens for tests, in software: SoftHSM. They can be unplugged, and plugged in again."""

import os
import secrets
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from conclaved.identity.key_backends.pin import Pin
from conclaved.identity.key_backends.pkcs11 import Pkcs11Backend

MODULE = Path("/usr/lib/softhsm/libsofthsm2.so")
PIN = "4711-0815"


@dataclass(frozen=True, slots=True)
class Token:
    """A token with a label of its own, and its PIN in a file."""

    label: str
    folder: Path
    """Where the key store is that uses it, and the PIN."""
    tokens: Path

    @property
    def pin_file(self) -> Path:
        """Mode 0600."""
        return self.folder / "pin"

    def backend(self) -> Pkcs11Backend:
        """The token as a place for keys."""
        return Pkcs11Backend(MODULE, Pin.of(self.folder, self.pin_file), token=self.label)

    def write_pin(self, pin: str) -> None:
        """Lets the daemon use this PIN."""
        self.pin_file.unlink(missing_ok=True)
        self.pin_file.touch(mode=0o600)
        self.pin_file.write_text(pin + "\n")

    def unplug(self) -> None:
        """Takes it away."""
        self.tokens.rename(self.tokens.with_suffix(".away"))
        self.tokens.mkdir()

    def plug_in(self) -> None:
        """Brings it back."""
        shutil.rmtree(self.tokens)
        self.tokens.with_suffix(".away").rename(self.tokens)


def new_token(folder: Path, *, label: str = "") -> Token:
    """A token in `folder`, with no other beside it there. SoftHSM looks there from now on."""
    folder.mkdir(parents=True, exist_ok=True)
    token = Token(label or f"room {secrets.token_hex(4)}", folder, folder / "tokens")
    configuration = folder / "softhsm2.conf"
    if not token.tokens.exists():
        token.tokens.mkdir()
        configuration.write_text(f"directories.tokendir = {token.tokens}\nlog.level = ERROR\n")
    os.environ["SOFTHSM2_CONF"] = str(configuration)
    subprocess.run(
        [
            *("softhsm2-util", "--init-token", "--free", "--label", token.label),
            *("--pin", PIN, "--so-pin", "an officer's"),
        ],
        check=True,
        capture_output=True,
    )
    token.write_pin(PIN)
    return token
