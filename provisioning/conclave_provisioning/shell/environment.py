"""The environment that commands of the restricted shell run in: made here, and not what came with the login.

Prevents: a variable that changes what our program, its libraries or the terminal do (`CONCLAVE_BUS`,
`CONCLAVE_DEBUG`, `_CONCLAVECTL_COMPLETE`, `INPUTRC`, `TERMINFO`...), whatever sshd let through. Variables
that act before our first line (`LD_PRELOAD`, `PYTHONPATH`) are sshd's to keep out, and `python -I`'s.
"""

import re
from collections.abc import Mapping

_TERM = re.compile(r"[A-Za-z0-9][A-Za-z0-9+._-]{0,31}")


def clean(given: Mapping[str, str], origin: str) -> dict[str, str]:
    """Return the environment for a login from `origin` (empty: not known). Pure."""
    term = given.get("TERM", "")
    return {
        "PATH": "/usr/bin:/bin",
        # Names in other scripts are to be seen as they are.
        "LANG": "C.UTF-8",
        "LC_ALL": "C.UTF-8",
        "TERM": term if _TERM.fullmatch(term) else "dumb",
        # The line editor's init file can bind keys to any of its functions.
        "INPUTRC": "/dev/null",
        "CONCLAVE_SHELL": "1",
        **({"CONCLAVE_ORIGIN": origin} if origin else {}),
    }
