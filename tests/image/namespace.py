"""A network of its own for everything that a run of the image's tests starts.

A device asks for the time at port 123, and a machine under QEMU reaches the host's loopback as 10.0.2.2: so
the tests' own time server can have that port, and nothing that listens on the real host is in reach.
"""

import os
import socket
import sys
from collections.abc import Sequence

HUB = "192.0.2.10"
"""Where host-side servers listen that both a device and programs of the host reach by one address
(RFC 5737: no such address is on the real network)."""
_MARK = "CONCLAVE_IMAGE_NETWORK"

_SET_UP = f'ip link set lo up && ip address add {HUB}/32 dev lo && exec "$@"'


class NamespaceError(Exception):
    """This process is not in such a network."""


def enter(words: Sequence[str]) -> None:
    """Become the program `words` in a network of its own. Root needs no more; others a user namespace.

    Raises OSError where `unshare` (util-linux) is missing.
    """
    how = "-n" if os.geteuid() == 0 else "-rn"
    environment = {**os.environ, _MARK: "1"}
    sys.stdout.flush()
    command = ["unshare", how, "sh", "-ec", _SET_UP, "sh", *words]
    os.execvpe(command[0], command, environment)  # noqa: S606


def is_entered() -> bool:
    """Whether this process was started by `enter`."""
    return _MARK in os.environ


def check() -> None:
    """Raises NamespaceError outside of it."""
    with socket.socket() as probe:
        try:
            probe.bind((HUB, 0))
        except OSError as error:
            raise NamespaceError("no network of its own: run make test-image ARGS='-k NAME'") from error
