"""The helper that shows tls-alpn-01 answers on port 443 (RFC 8737), and nothing else.

`python -m conclave_provisioning.enrollment.tls_alpn01 --directory D --listen ADDRESS:PORT`

systemd starts it while an answer lies in the directory, as the daemon's user and with the right to the port;
`--exit-when-empty` ends it with the last answer. It takes a TLS handshake for a domain of which the directory
has `DOMAIN.pem`, and hangs up after it: no byte of an application is read or sent.
"""

import contextlib
import re
import ssl
import sys
from pathlib import Path
from socketserver import BaseRequestHandler

from conclave_provisioning.enrollment.answer_server import CONNECTION_TIMEOUT_S, AnswerServer, run_helper

PROTOCOL = "acme-tls/1"
_DOMAIN = re.compile(r"(?=.{1,253}\Z)[a-z0-9-]{1,63}(\.[a-z0-9-]{1,63})+")
"""As a domain becomes a file's name, nothing else may pass."""


class ChallengeServer(AnswerServer):
    """Shows the certificates in ``directory``: files `DOMAIN.pem`."""

    def __init__(self, address: tuple[str, int], directory: Path, *, exit_when_empty: bool = False) -> None:
        """See `AnswerServer`. Raises OSError."""
        super().__init__(
            address, directory, _Handler, is_answer=_is_certificate, exit_when_empty=exit_when_empty
        )


def _is_certificate(name: str) -> bool:
    return name.endswith(".pem")


class _Handler(BaseRequestHandler):
    server: ChallengeServer

    def handle(self) -> None:
        self.request.settimeout(CONNECTION_TIMEOUT_S)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.set_alpn_protocols([PROTOCOL])
        context.sni_callback = self._choose
        with contextlib.suppress(OSError, ssl.SSLError):
            context.wrap_socket(self.request, server_side=True).close()

    def _choose(
        self, connection: ssl.SSLSocket | ssl.SSLObject, name: str | None, _: ssl.SSLContext
    ) -> int | None:
        """Puts the domain's certificate into the handshake; anything else ends it."""
        if name is None or not _DOMAIN.fullmatch(name.lower()):
            return ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
        path = self.server.directory / f"{name.lower()}.pem"
        chosen = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        chosen.set_alpn_protocols([PROTOCOL])
        try:
            if path.is_symlink():
                return ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
            chosen.load_cert_chain(path)
        except (OSError, ssl.SSLError):
            return ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
        connection.context = chosen
        return None


def main(arguments: list[str] | None = None) -> int:
    """Runs the helper until it is stopped: the exit status."""
    description = "Shows tls-alpn-01 answers, and nothing else."
    return run_helper(ChallengeServer, arguments, name="tls_alpn01", description=description, port=443)


if __name__ == "__main__":
    sys.exit(main())
