"""What can go wrong between the daemon and the bus, and what a caller may be told."""

from enum import Enum

from conclaved.bus.room import RoomError


class BusErrorKind(Enum):
    """Whose fault it is."""

    LOCAL = "local"
    REMOTE = "remote"
    TIMEOUT = "timeout"
    GONE = "gone"


class BusError(Exception):
    """Root of this room's errors; `hint` says what to do next."""

    kind = BusErrorKind.LOCAL

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class NameTakenError(BusError):
    """Another process owns the bus name."""


class BusRefusedError(BusError):
    """The bus answered with an error, or not at all as D-Bus says."""

    kind = BusErrorKind.REMOTE

    def __init__(self, message: str, *, hint: str = "", name: str = "") -> None:
        super().__init__(message, hint=hint)
        self.name = name
        """The D-Bus error's; empty where the peer gave none."""


class BusTimeoutError(BusError):
    """The bus or a peer did not answer in time."""

    kind = BusErrorKind.TIMEOUT


class BusGoneError(BusError):
    """There is no bus at the address, or its connection has ended."""

    kind = BusErrorKind.GONE


class CallError(BusError):
    """An incoming call that is answered with a D-Bus error: `name`, and the message as its text."""

    kind = BusErrorKind.REMOTE

    def __init__(self, name: str, message: str, *, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.name = name


ERROR_PREFIX = "org.conclave.Room1.Error."
UNKNOWN_METHOD = "org.freedesktop.DBus.Error.UnknownMethod"
UNKNOWN_OBJECT = "org.freedesktop.DBus.Error.UnknownObject"
UNKNOWN_INTERFACE = "org.freedesktop.DBus.Error.UnknownInterface"
UNKNOWN_PROPERTY = "org.freedesktop.DBus.Error.UnknownProperty"
PROPERTY_READ_ONLY = "org.freedesktop.DBus.Error.PropertyReadOnly"
INVALID_ARGS = "org.freedesktop.DBus.Error.InvalidArgs"


def answer_to(error: RoomError | CallError) -> tuple[str, str]:
    """Return the D-Bus error name and text of an error.

    The text is one line of message, then, if there is a hint, a newline and one line of hint.
    """
    name = error.name if isinstance(error, CallError) else ERROR_PREFIX + error.kind.value
    message = " ".join(str(error).split())
    hint = " ".join(error.hint.split())
    return name, f"{message}\n{hint}" if hint else message
