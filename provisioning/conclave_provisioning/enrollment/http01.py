"""The helper that serves http-01 answers on port 80 (RFC 8555 §8.3), and nothing else.

`python -m conclave_provisioning.enrollment.http01 --directory D --listen ADDRESS:PORT [--exit-when-empty]`

systemd starts it while an answer lies in the directory. It knows one kind of path, GET and HEAD, and regular
files of the directory whose name is a token.
"""

import os
import stat
import sys
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from pathlib import Path

from conclave_provisioning.enrollment.answer_server import CONNECTION_TIMEOUT_S, AnswerServer, run_helper
from conclave_provisioning.enrollment.challenge.token_files import TOKEN

PREFIX = "/.well-known/acme-challenge/"
MAX_ANSWER_BYTES = 1024


class ChallengeServer(AnswerServer):
    """Serves the answers in ``directory``: files whose name is a token."""

    def __init__(self, address: tuple[str, int], directory: Path, *, exit_when_empty: bool = False) -> None:
        """See `AnswerServer`. Raises OSError."""
        super().__init__(address, directory, _Handler, is_answer=_is_token, exit_when_empty=exit_when_empty)


def _is_token(name: str) -> bool:
    return TOKEN.fullmatch(name) is not None


class _Handler(BaseHTTPRequestHandler):
    server: ChallengeServer
    timeout = CONNECTION_TIMEOUT_S
    disable_nagle_algorithm = True
    server_version = "conclave"
    sys_version = ""

    def do_GET(self) -> None:
        answer = self._find()
        if answer is None:
            self._send(HTTPStatus.NOT_FOUND, b"not found\n", "text/plain")
        else:
            self._send(HTTPStatus.OK, answer, "application/octet-stream")

    do_HEAD = do_GET  # noqa: N815 - the name that http.server looks for

    def _find(self) -> bytes | None:
        token = self.path.removeprefix(PREFIX)
        if token == self.path or not _is_token(token):
            return None
        try:
            descriptor = os.open(self.server.directory / token, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except OSError:
            return None
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                return None
            return os.read(descriptor, MAX_ANSWER_BYTES)
        except OSError:
            return None
        finally:
            os.close(descriptor)

    def _send(self, status: HTTPStatus, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
        # Strangers write the request line: a log of them belongs nowhere.
        return


def main(arguments: list[str] | None = None) -> int:
    """Runs the helper until it is stopped: the exit status."""
    description = "Serves http-01 answers, and nothing else."
    return run_helper(ChallengeServer, arguments, name="http01", description=description, port=80)


if __name__ == "__main__":
    sys.exit(main())
