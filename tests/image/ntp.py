"""A time server of ours, which can be wrong and can be silent: RFC 5905, server mode, one answer a request.

It is what a device's SNTP client (systemd-timesyncd) asks. It claims to be a first-rate source (stratum 1),
because what a device does with a bad time is what tests want to see.
"""

import socket
import struct
import threading
import time
from types import TracebackType
from typing import Self

PORT = 123
NTP_BEFORE_UNIX_S = 2_208_988_800
"""Seconds from 1900, where NTP's first era begins, to 1970 (RFC 5905 §6)."""
_HEADER = struct.Struct("!BBbbII4s8s8s8s8s")
"""Leap, version and mode; stratum; poll; precision; root delay and dispersion; reference; four times
(RFC 5905 §7.3)."""
_CLIENT, _SERVER = 3, 4
_PRECISION = -20
"""Two to this power of a second: a microsecond."""
_HEARD_S = 0.2
"""How long the server waits for a request before it looks whether it has to end."""


def answer(request: bytes, now: float) -> bytes | None:
    """The server's answer at the Unix time `now`; None for what is no client's request (RFC 5905 §9.2).

    A time after 2036-02-07 is in NTP's next era, which the packet cannot say (RFC 5905 §6).
    """
    if len(request) < _HEADER.size:
        return None
    first, _, poll, *_, transmitted = _HEADER.unpack_from(request)
    version, mode = first >> 3 & 7, first & 7
    if mode != _CLIENT or not 3 <= version <= 4:
        return None
    stamp = timestamp(now)
    leap_and_version = version << 3 | _SERVER
    return _HEADER.pack(
        leap_and_version, 1, poll, _PRECISION, 0, 0, b"LOCL", stamp, transmitted, stamp, stamp
    )


def timestamp(now: float) -> bytes:
    """A Unix time in NTP's eight bytes: seconds and their fraction (RFC 5905 §6)."""
    seconds = int(now // 1)
    return struct.pack("!II", (seconds + NTP_BEFORE_UNIX_S) % 2**32, int((now - seconds) * 2**32))


class NtpServer:
    """Answers on a UDP port from a thread of its own, while it is entered."""

    def __init__(self, address: str = "127.0.0.1", port: int = PORT) -> None:
        """With port 0 the system chooses one."""
        self.offset_s = 0.0
        """How wrong it is: what it adds to this machine's clock."""
        self.is_silent = False
        """Whether it hears requests and answers none."""
        self.asked = 0
        """How many requests it has heard."""
        self._wanted = (address, port)
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="ntp", daemon=True)

    def __enter__(self) -> Self:
        """Raises OSError where the port is taken, or may not be had."""
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            self._socket.bind(self._wanted)
        except OSError:
            self._socket.close()
            raise
        self._socket.settimeout(_HEARD_S)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ends.set()
        self._thread.join()
        self._socket.close()

    @property
    def port(self) -> int:
        """The port that it answers on."""
        port: int = self._socket.getsockname()[1]
        return port

    def _serve(self) -> None:
        while not self._ends.is_set():
            try:
                request, whence = self._socket.recvfrom(512)
            except OSError:  # Nobody asked, or who asked before has closed its port.
                continue
            self.asked += 1
            reply = answer(request, time.time() + self.offset_s)
            if reply is not None and not self.is_silent:
                self._socket.sendto(reply, whence)
