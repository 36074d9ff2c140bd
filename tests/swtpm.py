"""A real TPM 2.0 for tests, in software: Debian's `swtpm`, on a free loopback port, with its own state."""

import shutil
import socket
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from conclaved.identity.key_backends import tpm2_library
from tests.pebble import free_ports

START_TIMEOUT_S = 20.0
STOP_TIMEOUT_S = 5.0
_ATTEMPTS = 3


class Swtpm:
    """A TPM that can be reset, cleared, exchanged and taken away. It takes one client at a time."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._process: subprocess.Popen[bytes] | None = None
        self._port = 0

    def __enter__(self) -> Self:
        for attempt in range(_ATTEMPTS):
            # tpm2-tss finds the control port by adding one.
            self._port = free_ports(1)[0]
            try:
                self.start()
                return self
            except RuntimeError:
                if attempt == _ATTEMPTS - 1:
                    raise
        raise AssertionError

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def tcti(self) -> str:
        """How tpm2-tss reaches it."""
        return f"swtpm:host=127.0.0.1,port={self._port}"

    def start(self) -> None:
        """Switches it on, with the state that it had."""
        self._directory.mkdir(parents=True, exist_ok=True)
        self._process = subprocess.Popen(
            [
                *("swtpm", "socket", "--tpm2", "--tpmstate", f"dir={self._directory}"),
                *("--server", f"type=tcp,port={self._port},bindaddr=127.0.0.1"),
                *("--ctrl", f"type=tcp,port={self._port + 1},bindaddr=127.0.0.1"),
                *("--flags", "not-need-init,startup-clear"),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        give_up_at = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < give_up_at and self._process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self._port + 1), timeout=1).close()
                return
            except OSError:
                time.sleep(0.01)
        self.stop()
        raise RuntimeError("swtpm did not start: apt-get install swtpm")

    def stop(self) -> None:
        """Switches it off, or takes it away."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None

    def reset(self) -> None:
        """Off and on again: it forgets what is loaded, and keeps its seeds."""
        self.stop()
        self.start()

    def exchange(self) -> None:
        """Puts another TPM in its place."""
        self.stop()
        shutil.rmtree(self._directory)
        self.start()

    def clear(self) -> None:
        """Clears it, as the firmware's setup does. Nobody else may be connected."""
        tss = tpm2_library.load()
        way = tss.TCTILdr.parse(self.tcti)
        esapi = tss.ESAPI(way)
        esapi.clear(tss.ESYS_TR.LOCKOUT)
        esapi.close()
        way.close()
