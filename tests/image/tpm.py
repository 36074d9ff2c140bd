"""The TPM of a machine under QEMU: Debian's `swtpm`, behind the socket of `-device tpm-tis-device`.

A machine that was killed leaves it as a power cut leaves a chip: what is permanent is on its disk.
"""

import shutil
import subprocess
import time
from pathlib import Path

START_TIMEOUT_S = 20.0
STOP_TIMEOUT_S = 5.0


class MachineTpm:
    """One chip, with its state in a folder. Start it before the machine, and anew for each of its starts."""

    def __init__(self, directory: Path) -> None:
        """`directory` is made when there is none yet: then it is a new chip, with seeds of its own."""
        self._directory = directory
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def _socket(self) -> Path:
        # Beside the state, which is copied and exchanged as a whole.
        return self._directory.with_suffix(".sock")

    @property
    def arguments(self) -> tuple[str, ...]:
        """What QEMU is told so that the machine has this chip."""
        return (
            *("-chardev", f"socket,id=tpm,path={self._socket}"),
            *("-tpmdev", "emulator,id=tpm0,chardev=tpm"),
            *("-device", "tpm-tis-device,tpmdev=tpm0"),
        )

    def start(self) -> None:
        """Switches it on. Raises RuntimeError."""
        self.stop()
        self._directory.mkdir(parents=True, exist_ok=True)
        self._socket.unlink(missing_ok=True)
        log = self._directory.with_suffix(".log")
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                [
                    *("swtpm", "socket", "--tpm2", "--tpmstate", f"dir={self._directory}"),
                    *("--ctrl", f"type=unixio,path={self._socket}", "--flags", "startup-clear"),
                ],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        give_up_at = time.monotonic() + START_TIMEOUT_S
        while not self._socket.exists():
            if self._process.poll() is not None or time.monotonic() > give_up_at:
                self.stop()
                said = log.read_text(errors="replace").strip()
                raise RuntimeError(f"swtpm did not start (apt-get install swtpm): {said}")
            time.sleep(0.01)

    def stop(self) -> None:
        """Switches it off. A machine that ends in good order has done so already."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None

    def save(self, copy: Path) -> None:
        """Copies its state to the folder `copy`, as it is now: beside a snapshot of a stopped machine."""
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(self._directory, copy)

    def restore(self, copy: Path) -> None:
        """Becomes the chip that `copy` was saved of. It is off then."""
        self.stop()
        shutil.rmtree(self._directory, ignore_errors=True)
        shutil.copytree(copy, self._directory)

    def exchange(self) -> None:
        """Becomes another chip, with seeds of its own. It is off then."""
        self.stop()
        shutil.rmtree(self._directory, ignore_errors=True)
