"""The D-Bus API of the room: `org.conclave.Room1` on the system bus.

`room` says what the API needs from the service, `org.conclave.Room1.xml` is the interface's source,
`interfaces` answers it, `connection` hides the D-Bus library, and `server` puts a room on a bus.
"""

from conclaved.bus.errors import (
    BusError,
    BusErrorKind,
    BusGoneError,
    BusRefusedError,
    BusTimeoutError,
    NameTakenError,
)
from conclaved.bus.introspection import BUS_NAME, OBJECT_PATH
from conclaved.bus.permissions import Permissions
from conclaved.bus.server import RoomServer, run, serve

__all__ = [
    "BUS_NAME",
    "OBJECT_PATH",
    "BusError",
    "BusErrorKind",
    "BusGoneError",
    "BusRefusedError",
    "BusTimeoutError",
    "NameTakenError",
    "Permissions",
    "RoomServer",
    "run",
    "serve",
]
