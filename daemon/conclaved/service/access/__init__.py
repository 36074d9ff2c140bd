"""Who may log in as the room's admin over SSH: keys, certificate authorities, and principals.

They are settings like any other (`access.keys`...), and sshd reads them from files that are written from
those: `systemd/ssh` says how.
"""

from conclaved.service.access.access_config import AccessConfig
from conclaved.service.access.files import AccessFiles
from conclaved.service.access.sessions import EndedSessions
from conclaved.service.access.ssh_key import SshKey, SshKeyError, parse_key, parse_keys

__all__ = ["AccessConfig", "AccessFiles", "EndedSessions", "SshKey", "SshKeyError", "parse_key", "parse_keys"]
