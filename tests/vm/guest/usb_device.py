"""A USB device made by a program: the kernel's virtual host (vhci-hcd) speaks USB/IP to it over a socket.

(Documentation/usb/usbip_protocol.rst.) Only control transfers and interrupt endpoints: enough for what a
device says and is told, not for streams.
"""

import socket
import struct
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_HOST = Path("/sys/devices/platform/vhci_hcd.0")
_PORT, _DEVICE, _HIGH_SPEED = 0, 1, 3
_SUBMIT, _UNLINK, _SUBMITTED, _UNLINKED = 1, 2, 3, 4
_HEAD = struct.Struct(">5I")
_SUBMIT_REST = struct.Struct(">I4i8s")
_RETURN = struct.Struct(">5I5i8x")
_UNLINK_RETURN = struct.Struct(">5Ii24x")
STALL, CONNECTION_RESET = -32, -104
GET_DESCRIPTOR = 6


@dataclass(frozen=True, slots=True)
class Setup:
    """The eight bytes that begin a control transfer (USB 2.0 §9.3)."""

    kind: int
    request: int
    value: int
    index: int
    length: int


class UsbDevice(ABC):
    """A device; subclasses say what it is."""

    def __init__(self) -> None:
        self._ours, self._kernels = socket.socketpair()
        self._lock = threading.Lock()
        self._waiting: dict[int, int] = {}
        """Sequence numbers of interrupt transfers that wait for something to tell, with their endpoints."""
        self._untold: list[bytes] = []

    @abstractmethod
    def control(self, setup: Setup, data: bytes) -> bytes | None:
        """Answer a control transfer; None refuses it."""

    def interrupt(self, data: bytes) -> None:
        """Tell something on the interrupt endpoint, as soon as the host listens."""
        with self._lock:
            self._untold.append(data)
            self._tell()

    @contextmanager
    def plugged_in(self) -> Iterator[None]:
        """In the host's port, until the end."""
        serving = threading.Thread(target=self._serve, daemon=True)
        serving.start()
        (_HOST / "attach").write_text(f"{_PORT} {self._kernels.fileno()} {_DEVICE} {_HIGH_SPEED}")
        self._kernels.close()
        try:
            yield
        finally:
            (_HOST / "detach").write_text(str(_PORT))
            serving.join(20.0)
            self._ours.close()

    def _serve(self) -> None:
        with self._ours.makefile("rb") as coming:
            while len(head := coming.read(48)) == 48:
                command, number, _, is_in, endpoint = _HEAD.unpack_from(head)
                if command == _UNLINK:
                    self._unlink(number, _HEAD.unpack_from(head, 20)[0])
                    continue
                _, length, _, _, _, setup = _SUBMIT_REST.unpack_from(head, 20)
                data = b"" if is_in else coming.read(length)
                if endpoint == 0:
                    answer = self.control(Setup(*struct.unpack("<BBHHH", setup)), data)
                    self._answer(number, answer, len(data) if answer is not None else 0)
                elif is_in:
                    with self._lock:
                        self._waiting[number] = endpoint
                        self._tell()
                else:
                    self._answer(number, None)

    def _answer(self, number: int, body: bytes | None, taken: int = 0) -> None:
        """`body` to the host, or so many bytes `taken` from it; None refuses."""
        status = STALL if body is None else 0
        count = len(body) if body else taken
        head = _RETURN.pack(_SUBMITTED, number, 0, 0, 0, status, count, 0, 0, 0)
        self._ours.sendall(head + (body or b""))

    def _unlink(self, number: int, unlinked: int) -> None:
        with self._lock:
            status = CONNECTION_RESET if self._waiting.pop(unlinked, None) is not None else 0
        self._ours.sendall(_UNLINK_RETURN.pack(_UNLINKED, number, 0, 0, 0, status))

    def _tell(self) -> None:
        while self._waiting and self._untold:
            number = next(iter(self._waiting))
            del self._waiting[number]
            self._answer(number, self._untold.pop(0))
