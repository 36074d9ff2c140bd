"""A serial port on the event loop: bytes in, bytes out, and one clear end when it goes.

pyserial opens the port and sets it up; the loop reads its descriptor. The port is ours alone: pyserial's
lock stops other programs that lock too, and TIOCEXCL those that do not. DTR is asserted, which VISCA
wants, and no flow control is used. Name ports by `/dev/serial/by-path`: numbers change with the order of
plugging in.
"""

import asyncio
import contextlib
import fcntl
import os
import termios
from dataclasses import dataclass
from typing import TYPE_CHECKING

from conclave_hal.errors import DeviceGoneError, DeviceTimeoutError, UsageError

if TYPE_CHECKING:
    import serial

READ_BYTES = 4096
MAX_WAITING_BYTES = 65536
"""Of what nobody has read yet; a device that says more is cut off."""
WRITE_DEADLINE_S = 2.0


@dataclass(frozen=True, slots=True)
class SerialSettings:
    """How a port is set up: 8 data bits, no flow control."""

    baud: int = 9600
    parity: str = "N"
    """`N`, `E` or `O`."""
    stop_bits: int = 1


class SerialPort:
    """An open port. One event loop owns it, one task reads it."""

    def __init__(self, path: str, port: "serial.Serial") -> None:
        """Use `open_serial_port`."""
        self.path = path
        self._port = port
        self._descriptor = port.fileno()
        self._waiting = bytearray()
        self._arrived = asyncio.Event()
        self._end: DeviceGoneError | None = None
        self._writing = asyncio.Lock()
        asyncio.get_running_loop().add_reader(self._descriptor, self._readable)

    def __repr__(self) -> str:
        return f"SerialPort({self.path!r}, {'open' if self._end is None else 'gone'})"

    async def read(self) -> bytes:
        """What has come, at least one byte. Raises DeviceGoneError once the port has gone or is closed."""
        while not self._waiting:
            if self._end is not None:
                raise self._end
            self._arrived.clear()
            await self._arrived.wait()
        data = bytes(self._waiting)
        self._waiting.clear()
        return data

    async def write(self, data: bytes) -> None:
        """Hand all of `data` to the kernel, in one piece where it has room.

        Raises DeviceGoneError, or DeviceTimeoutError if the port takes nothing for two seconds.
        """
        async with self._writing:
            rest = memoryview(data)
            while rest:
                if self._end is not None:
                    raise self._end
                try:
                    rest = rest[os.write(self._descriptor, rest) :]
                except BlockingIOError:
                    await self._writable()
                except OSError as error:
                    self._lose(error.strerror or str(error))

    def close(self) -> None:
        """Close the port; readers and writers get DeviceGoneError. Safe to call twice."""
        self._lose("closed")

    def _readable(self) -> None:
        try:
            data = os.read(self._descriptor, READ_BYTES)
        except BlockingIOError:
            return
        except OSError as error:
            self._lose(error.strerror or str(error))
            return
        if not data:
            self._lose("unplugged")
        elif len(self._waiting) + len(data) > MAX_WAITING_BYTES:
            self._lose("the device sends more than anybody reads")
        else:
            self._waiting += data
            self._arrived.set()

    async def _writable(self) -> None:
        loop = asyncio.get_running_loop()
        ready = asyncio.Event()
        loop.add_writer(self._descriptor, ready.set)
        try:
            async with asyncio.timeout(WRITE_DEADLINE_S):
                await ready.wait()
        except TimeoutError as error:
            raise DeviceTimeoutError(f"{self.path} takes no bytes") from error
        finally:
            if self._end is None:
                loop.remove_writer(self._descriptor)

    def _lose(self, reason: str) -> None:
        if self._end is not None:
            return
        self._end = DeviceGoneError(f"{self.path}: {reason}")
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._descriptor)
        loop.remove_writer(self._descriptor)
        # What still waits for the kernel goes nowhere: closing must not wait for a dead wire.
        with contextlib.suppress(termios.error):
            termios.tcflush(self._descriptor, termios.TCIOFLUSH)
        # It would outlast us where somebody else holds the line open, as the far end of a pty does, and keep
        # out ourselves: only root passes it.
        with contextlib.suppress(OSError):
            fcntl.ioctl(self._descriptor, termios.TIOCNXCL)
        self._port.close()
        self._arrived.set()


def open_serial_port(path: str, settings: SerialSettings) -> SerialPort:
    """Open a port for us alone. Raises DeviceGoneError with the reason if that does not work now."""
    import serial  # here, because only rooms with a serial device need it

    if settings.parity not in "NEO":
        raise UsageError(f"no such parity: {settings.parity}")
    try:
        port = serial.Serial(
            path,
            baudrate=settings.baud,
            parity=settings.parity,
            stopbits=settings.stop_bits,
            timeout=0,
            write_timeout=0,
            exclusive=True,
        )
    except (serial.SerialException, OSError, ValueError) as error:
        number = getattr(error, "errno", None)
        reason = os.strerror(number) if isinstance(number, int) else str(error)
        raise DeviceGoneError(f"{path}: {reason}") from error
    try:
        fcntl.ioctl(port.fileno(), termios.TIOCEXCL)
        os.set_blocking(port.fileno(), False)
    except OSError as error:
        port.close()
        raise DeviceGoneError(f"{path}: {error.strerror}") from error
    return SerialPort(path, port)
