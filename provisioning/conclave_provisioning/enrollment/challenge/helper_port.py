"""Whether the helper of a challenge listens by now: systemd starts it when the answer lies ready.

That takes a moment, on a small board some seconds. A CA that looks before it finds a closed port, and the
whole order is lost.
"""

import socket

PATIENCE_S = 60.0
"""A helper that is to come has come by then, also on a slow board that is busy."""
_CONNECT_TIMEOUT_S = 2.0


class HelperPort:
    """A port of this device's own; None for a helper that runs already."""

    def __init__(self, port: int | None) -> None:
        self._port = port

    @property
    def patience_s(self) -> float:
        """How long to wait for it."""
        return 0.0 if self._port is None else PATIENCE_S

    def missing(self) -> str:
        """What is not there yet, in words; empty if the helper listens. Blocks for two seconds at most."""
        if self._port is None:
            return ""
        try:
            socket.create_connection(("127.0.0.1", self._port), _CONNECT_TIMEOUT_S).close()
        except OSError:
            return f"the helper on port {self._port} does not listen"
        return ""
