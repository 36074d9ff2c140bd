"""The password of a control port: only its hash stands in `hal.toml`.

    python -m conclave_hal.line_control.password

asks for one, and prints the line for the file. The hash is scrypt (RFC 7914) with a salt of its own.
"""

import base64
import getpass
import hashlib
import hmac
import os
import re
import sys
from argparse import ArgumentParser
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from conclave_hal.options import Rule

LEAST_LENGTH = 8
MOST_LENGTH = 128
_SALT_BYTES = 16
_HASH_BYTES = 32
_N, _R, _P = 2**14, 8, 1
_MOST_MEMORY = 64 * 2**20
_MOST_N, _MOST_R, _MOST_P = 2**15, 8, 4
_FORM = re.compile(r"scrypt:([0-9]{1,6}):([0-9]{1,2}):([0-9]{1,2}):([A-Za-z0-9+/=]{24}):([A-Za-z0-9+/=]{44})")


@dataclass(frozen=True, slots=True)
class PasswordHash:
    """What is kept of a password."""

    n: int
    r: int
    p: int
    salt: bytes = field(repr=False)
    digest: bytes = field(repr=False)

    def matches(self, password: str) -> bool:
        """Whether it is that one. Takes some 50 ms and 16 MiB; the time does not depend on the answer."""
        return hmac.compare_digest(_derive(password, self.salt, self.n, self.r, self.p), self.digest)

    def __str__(self) -> str:
        salt, digest = (base64.b64encode(part).decode("ascii") for part in (self.salt, self.digest))
        return f"scrypt:{self.n}:{self.r}:{self.p}:{salt}:{digest}"


def hash_password(password: str, *, random: Callable[[int], bytes] = os.urandom) -> PasswordHash:
    """Make the hash. Raises ValueError for a password that no controller can send, or that is too short."""
    if not LEAST_LENGTH <= len(password) <= MOST_LENGTH:
        raise ValueError(f"a password has {LEAST_LENGTH} to {MOST_LENGTH} characters")
    if not (password.isascii() and password.isprintable()) or password != password.strip():
        raise ValueError("a password has printable ASCII characters, and no space at its ends")
    salt = random(_SALT_BYTES)
    return PasswordHash(_N, _R, _P, salt, _derive(password, salt, _N, _R, _P))


def password_hash() -> Rule[PasswordHash | None]:
    """A hash as the program above prints it, or nothing. What stands in its place is never shown."""

    def parse(value: object, folder: Path) -> PasswordHash:
        found = _FORM.fullmatch(value) if isinstance(value, str) else None
        if found is None:
            raise ValueError("not a hash")
        n, r, p = (int(found[number]) for number in (1, 2, 3))
        if n < 2 or n & (n - 1) or n > _MOST_N or not (1 <= r <= _MOST_R and 1 <= p <= _MOST_P):
            raise ValueError("a hash of another cost")
        return PasswordHash(n, r, p, base64.b64decode(found[4]), base64.b64decode(found[5]))

    says = "a hash that `python -m conclave_hal.line_control.password` has made"
    return Rule(says, parse, is_secret=True)


def _derive(password: str, salt: bytes, n: int, r: int, p: int) -> bytes:
    return hashlib.scrypt(password.encode(), salt=salt, n=n, r=r, p=p, maxmem=_MOST_MEMORY, dklen=_HASH_BYTES)


def main(stdin: TextIO | None = None) -> int:
    """Ask for a password, twice at a terminal, and print the line for `hal.toml`."""
    source = sys.stdin if stdin is None else stdin
    if source.isatty():
        password = getpass.getpass("Password of the control port: ")
        if getpass.getpass("Again: ") != password:
            print("the two differ", file=sys.stderr)
            return 1
    else:
        password = source.readline().rstrip("\r\n")
    try:
        print(f'password = "{hash_password(password)}"')
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    ArgumentParser(
        prog="python -m conclave_hal.line_control.password",
        description="Ask for the password of a control port (8 to 128 characters; or a line of stdin), "
        "and print the line for hal.toml with its hash.",
    ).parse_args()
    sys.exit(main())
