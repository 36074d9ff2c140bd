"""The files that sshd reads, by the drop-in of `systemd/ssh`."""

from pathlib import Path

from conclaved.identity.atomic_file import write_atomically
from conclaved.service.access.access_config import AccessConfig

FOLDER = "access"
KEYS, AUTHORITIES, PRINCIPALS = "authorized_keys", "authorities", "principals"


class AccessFiles:
    """Three files in one folder; nothing in them is secret, and nobody but the daemon writes them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.problem = ""
        """Why sshd goes by older keys than the settings say; empty if it does not."""

    def write(self, access: AccessConfig) -> None:
        """Write what differs. Raises nothing: the settings stand, and `problem` says what is wrong.

        A key that may no longer log in goes first: a power cut in between lets in fewer, not more.
        """
        contents = {KEYS: access.keys, AUTHORITIES: access.authorities, PRINCIPALS: access.principals}
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o755)
            for name, lines in contents.items():
                content = "".join(f"{line}\n" for line in lines).encode()
                path = self._folder / name
                if not path.is_file() or path.read_bytes() != content:
                    write_atomically(path, content, mode=0o644)
        except OSError as error:
            self.problem = f"the admins' keys cannot be stored: {error.strerror}: conclavectl doctor"
        else:
            self.problem = ""
