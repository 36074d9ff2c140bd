"""http-01 (RFC 8555 §8.3): the answer is a file, which the helper `http01` serves on port 80."""

from pathlib import Path

from conclave_provisioning.enrollment.challenge.helper_port import HelperPort
from conclave_provisioning.enrollment.challenge.solver import Challenge
from conclave_provisioning.enrollment.challenge.token_files import TokenFiles
from conclave_provisioning.enrollment.settings import ChallengeKind


class Http01:
    """Writes token files into ``directory``."""

    kind = ChallengeKind.HTTP_01
    settle_s = 0.0

    def __init__(self, directory: Path, helper_port: int | None = None) -> None:
        """``helper_port``: where the helper listens once systemd has started it; None: it runs already."""
        self._files = TokenFiles(directory)
        self._helper = HelperPort(helper_port)

    @property
    def patience_s(self) -> float:
        """How long the helper may take to come."""
        return self._helper.patience_s

    def present(self, challenge: Challenge) -> None:
        """Writes the file. Raises `BadResponseError` or `ChallengeSetupError`."""
        self._files.present(challenge.token, challenge.key_authorization)

    def missing(self, challenge: Challenge) -> str:
        """The helper, until it listens; then it sees the file at once."""
        return self._helper.missing()

    def clean_up(self, challenge: Challenge) -> None:
        """Removes the file. Raises `ChallengeSetupError`."""
        self._files.clean_up(challenge.token)
