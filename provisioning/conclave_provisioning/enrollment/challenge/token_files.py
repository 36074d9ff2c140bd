"""http-01 answers as files: one a token, served on port 80 by a helper that runs only while there is one.

The daemon has no right to port 80 and needs none (DESIGN §4, Privileges).
"""

import re
from pathlib import Path

from conclave_provisioning.enrollment.errors import BadResponseError, ChallengeSetupError
from conclave_provisioning.enrollment.state import write_atomically

TOKEN = re.compile(r"[A-Za-z0-9_-]{1,128}")
"""A token is base64url (RFC 8555 §8.3). As it becomes a file's name, nothing else may pass."""
FOR_ALL = 0o755
"""The folder's mode: the helper has an account of its own."""


class TokenFiles:
    """The folder of the answers. Everybody may read them: the helper shows them to the world."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def present(self, token: str, key_authorization: str) -> None:
        """Writes the answer. Raises `BadResponseError` for a token that is none, or `ChallengeSetupError`."""
        path = self._path(token)
        try:
            self._directory.mkdir(parents=True, exist_ok=True)
            if self._directory.stat().st_mode & FOR_ALL != FOR_ALL:
                # The daemon's umask took it away, from here or from whoever made the folder.
                self._directory.chmod(FOR_ALL)
            write_atomically(path, key_authorization.encode("ascii"), mode=0o644)
        except OSError as error:
            raise ChallengeSetupError(f"{path} cannot be written: {error.strerror}") from error

    def clean_up(self, token: str) -> None:
        """Removes the answer. Raises `ChallengeSetupError`."""
        path = self._path(token)
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise ChallengeSetupError(f"{path} cannot be removed: {error.strerror}") from error

    def _path(self, token: str) -> Path:
        if not TOKEN.fullmatch(token):
            raise BadResponseError("the CA's challenge has a token that is not base64url")
        return self._directory / token
