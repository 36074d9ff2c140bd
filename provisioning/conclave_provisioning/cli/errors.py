"""What a command can fail with: a stable kind, its exit code, and what to do next when nobody else says.

Exit code 8 is for the room that is busy: a script may leave, or wait, and say it again.
"""

import os
from enum import Enum


class ErrorKind(Enum):
    """Stable names, in `--json` too. Those that the room uses are `org.conclave.Room1.Error.<value>`."""

    INVALID_ARGUMENT = "InvalidArgument"
    NOT_ENROLLED = "NotEnrolled"
    NOT_IN_MEETING = "NotInMeeting"
    ALREADY_IN_MEETING = "AlreadyInMeeting"
    NOT_PERMITTED = "NotPermitted"
    NOT_FOUND = "NotFound"
    REFUSED = "Refused"
    UNREACHABLE = "Unreachable"
    TIMED_OUT = "TimedOut"
    BUSY = "Busy"
    FAILED = "Failed"
    USAGE = "Usage"
    NOT_RUNNING = "NotRunning"
    NOT_GENUINE = "NotGenuine"
    RATE_LIMITED = "RateLimited"
    VALIDATION_FAILED = "ValidationFailed"
    CHALLENGE_UNREACHABLE = "ChallengeUnreachable"
    CHALLENGE_SETUP = "ChallengeSetup"
    CAA = "Caa"
    WRONG_CLOCK = "WrongClock"
    CA_TROUBLE = "CaTrouble"
    BAD_NONCE = "BadNonce"
    DROPPED = "Dropped"
    UNTRUSTED = "Untrusted"
    WRONG_NAME = "WrongName"
    WRONG_KEY = "WrongKey"
    BROKEN_CHAIN = "BrokenChain"
    BAD_RESPONSE = "BadResponse"


OUTCOMES: dict[ErrorKind, tuple[int, str]] = {
    ErrorKind.FAILED: (1, "see: conclavectl logs"),
    ErrorKind.USAGE: (2, "see: {command} --help"),
    ErrorKind.INVALID_ARGUMENT: (2, "see: {command} --help"),
    ErrorKind.NOT_PERMITTED: (3, "use root, or a user in the group conclave-admin"),
    ErrorKind.NOT_FOUND: (4, "see what there is: conclavectl status"),
    ErrorKind.NOT_IN_MEETING: (4, "first: conclavectl meeting join LINK"),
    ErrorKind.NOT_ENROLLED: (4, "first: conclavectl identity enroll DOMAIN"),
    ErrorKind.REFUSED: (5, "ask who refused: the CA, or a host of the meeting"),
    ErrorKind.UNREACHABLE: (6, "check the address and the network"),
    ErrorKind.TIMED_OUT: (6, "try again; see how it stands: conclavectl status"),
    ErrorKind.NOT_RUNNING: (7, "start it: systemctl start conclaved"),
    ErrorKind.NOT_GENUINE: (9, "do not believe it; ask whoever gave it for the original"),
    ErrorKind.RATE_LIMITED: (10, "wait, then say it again; orders that fail count too"),
    ErrorKind.VALIDATION_FAILED: (11, "check that the domain's DNS leads to this device"),
    ErrorKind.CHALLENGE_UNREACHABLE: (12, "let the CA reach this device on port 80, or use dns-01"),
    ErrorKind.CHALLENGE_SETUP: (13, "see whether this device may write the domain's zone"),
    ErrorKind.CAA: (14, "allow this CA in the domain's CAA record"),
    ErrorKind.WRONG_CLOCK: (15, "correct the clock; see: conclavectl time"),
    ErrorKind.CA_TROUBLE: (16, "the CA has trouble of its own: try again later"),
    ErrorKind.BAD_NONCE: (17, "try again later: the CA rejects every nonce it hands out"),
    ErrorKind.DROPPED: (18, "see what on the way cuts connections, a proxy perhaps; then try again"),
    ErrorKind.UNTRUSTED: (19, "correct the clock, or set acme.ca_pem to the roots of the CA's API"),
    ErrorKind.WRONG_NAME: (20, "tell the CA's operator: it issued for another name"),
    ErrorKind.WRONG_KEY: (21, "tell the CA's operator: it issued for another key"),
    ErrorKind.BROKEN_CHAIN: (22, "tell the CA's operator: its certificates do not belong together"),
    ErrorKind.BAD_RESPONSE: (23, "check that the address is the CA's ACME directory"),
    ErrorKind.BUSY: (8, "try again in a moment"),
    ErrorKind.ALREADY_IN_MEETING: (8, "leave it first: conclavectl meeting leave"),
}
"""Exit code and hint of each kind; `{command}` is the command that failed.

The codes are in `conclavectl --help`.
"""

_LATER = "it starts by itself within a minute; else switch the device off and on"
IN_ADMINS_SHELL = {
    "see: journalctl -u conclaved": "see: conclavectl logs",
    "start it: systemctl start conclaved": _LATER,
    "on another machine: ssh admin@ROOM ...; else set CONCLAVE_BUS or use --bus": _LATER,
    "use root, or a user in the group conclave-admin": "put this account into the group conclave-admin",
    "see all of it with CONCLAVE_DEBUG=1": "tell the maker, with: conclavectl support-bundle",
}
"""What to do instead of what nobody can do in the restricted shell (CONCLAVE_SHELL is set)."""

CHECK_FAILED = 1
"""The exit code of `doctor` where something does not work."""
INTERRUPTED = 130
BROKEN_PIPE = 141


class CommandError(Exception):
    """A command that could not be done. `message` and `hint` are for people and hold no secret."""

    def __init__(self, kind: ErrorKind, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.command = "conclavectl"
        usual = OUTCOMES[kind][1]
        # The room may give the bare command; the usual hint says with it what it is good for.
        self._hint = usual if usual.endswith(hint) else hint

    @property
    def hint(self) -> str:
        """What to do next."""
        hint = IN_ADMINS_SHELL.get(self._hint, self._hint) if os.environ.get("CONCLAVE_SHELL") else self._hint
        return hint.replace("{command}", self.command)

    @property
    def exit_code(self) -> int:
        """The process's exit code."""
        return OUTCOMES[self.kind][0]
